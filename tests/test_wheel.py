"""The wheel works anywhere: yaml and py.typed ship with it, and the command runs from another directory."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what git tracks or would, so that nothing else lying about gets in."""
    copy, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(out),
        str(copy),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (made,) = out.glob("*.whl")
    return made


@pytest.mark.slow
def test_the_wheel_holds_code_yaml_types_and_licences(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for source, target in (("lasasr", "lasasr"), ("configs", "lasasr/configs"), ("recipes", "lasasr/recipes")):
        wanted = [*(ROOT / source).rglob("*.py"), *(ROOT / source).rglob("*.yaml")]
        assert wanted
        assert {f"{target}/{path.relative_to(ROOT / source).as_posix()}" for path in wanted} <= names
    assert "lasasr/py.typed" in names
    assert {f"lasasr/report/page_parts/page.{kind}" for kind in ("html", "css", "js")} <= names
    assert {"LICENSE", "NOTICE"} <= {Path(name).name for name in names}
    assert {name.split("/")[0].split("-")[0] for name in names} == {"lasasr"}


@pytest.mark.slow
def test_the_installed_wheel_runs_from_another_directory(wheel: Path, tmp_path: Path) -> None:
    target, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(target)}

    def lasasr(*arguments: str) -> "subprocess.CompletedProcess[str]":
        line = [sys.executable, "-m", "lasasr", *arguments]
        return subprocess.run(line, cwd=work, env=environment, capture_output=True, text=True, check=False)

    place = [sys.executable, "-c", "import lasasr, lasasr.configs; print(lasasr.__file__, lasasr.configs.__file__)"]
    shown = subprocess.run(place, cwd=work, env=environment, capture_output=True, text=True, check=True).stdout
    assert all(path.startswith(str(target)) for path in shown.split())
    assert lasasr("--help").returncode == 0
    shipped, copied = lasasr("train", "synthetic/las_char", "--cfg", "job"), work / "mine.yaml"
    assert shipped.returncode == 0, shipped.stderr
    copied.write_text("defaults: [/synthetic/las_char, _self_]\n")
    assert lasasr("train", "mine.yaml", "--cfg", "job").stdout == shipped.stdout
    assert lasasr("train", "synthetic/nothing", "--cfg", "job").returncode == 2
    assert list(work.iterdir()) == [copied]
