"""Who lasasr is compared with, and whether they are here.

python peers.py FOLDER installs them into a virtual environment of their own beside the one that runs this script; the
new one sees the packages of the old one, so that all use the same torch. What cannot be installed is written down with
its reason, and its checks are skipped.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import site
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("peers.txt")
REASONS = "not-installed.json"
SCTK = Path("/usr/lib/sctk/bin")  # where Debian's sctk keeps its programs
DISTRIBUTIONS = {
    "ESPnet": "espnet",
    "SpeechBrain": "speechbrain",
    "torch": "torch",
    "torchaudio": "torchaudio",
    "NumPy": "numpy",
    "SciPy": "scipy",
    "jiwer": "jiwer",
    "kaldialign": "kaldialign",
    "kaldi-native-fbank": "kaldi-native-fbank",
    "statsmodels": "statsmodels",
    "KenLM": "kenlm",
}
PEERS = (*DISTRIBUTIONS, "sctk")


def program(name: str) -> str | None:
    """The path of a program of sctk's."""
    return shutil.which(name) or shutil.which(str(SCTK / name))


def version(peer: str) -> str | None:
    """Of a peer; None where it is not installed.

    Raises:
        KeyError: no such peer.
    """
    if peer == "sctk":
        return _sctk_version()
    try:
        return importlib.metadata.version(DISTRIBUTIONS[peer])
    except importlib.metadata.PackageNotFoundError:
        return None


def _sctk_version() -> str | None:
    sclite = program("sclite")
    if sclite is None or program("sc_stats") is None:
        return None
    usage = subprocess.run([sclite], capture_output=True, text=True, check=False)
    match = re.search(r"SCTK[- ]*(?:version:?)? *([\d.]+\d)", usage.stdout + usage.stderr, re.IGNORECASE)
    return match[1] if match else "of unknown version"


def reason(peer: str) -> str:
    """Why a peer is not installed."""
    if peer == "sctk":
        return "not installed: apt install sctk"
    path = Path(sys.prefix) / REASONS
    reasons = json.loads(path.read_text()) if path.exists() else {}
    return f"not installed: {reasons.get(DISTRIBUTIONS[peer], 'run make peers')}"


def requirements(text: str) -> list[str]:
    """The lines of a requirements file that ask for something."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def install(folder: Path) -> dict[str, str]:
    """Make the environment `folder`; the packages that could not be installed, each with pip's last words.

    `--no-deps`, because ESPnet and SpeechBrain ask for other versions of torch and for much that no check needs.
    """
    venv.create(folder, clear=True, with_pip=True)
    python = folder / "bin" / "python"
    packages = sysconfig.get_path("purelib", "venv", vars={"base": str(folder)})
    ours = [path for path in site.getsitepackages() if Path(path).is_dir()]
    Path(packages, "beside.pth").write_text("".join(f"import site; site.addsitedir({p!r})\n" for p in ours))
    wanted = requirements(REQUIREMENTS.read_text(encoding="utf-8"))
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--no-deps"]
    failed = {}
    if subprocess.run([*pip, *wanted], capture_output=True, check=False).returncode:
        for requirement in wanted:  # one by one, so that one that cannot be had does not keep out the others
            done = subprocess.run([*pip, requirement], capture_output=True, text=True, check=False)
            if done.returncode:
                failed[re.split(r"[=<> ]", requirement)[0]] = last_words(done.stderr)
    (folder / REASONS).write_text(json.dumps(failed, indent=1) + "\n")
    return failed


def last_words(text: str) -> str:
    """The last line of pip's that names an error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["pip failed"])[-1][:120]


if __name__ == "__main__":
    for package, why in install(Path(sys.argv[1]).resolve()).items():
        print(f"not installed: {package}: {why}")
