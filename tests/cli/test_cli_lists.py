"""`lasasr recipes`, `options` and `runs`; `train` without a recipe; keys of other toolkits."""

import json
from pathlib import Path

import pytest
import yaml

from lasasr.artifacts.run_lock import is_held, writing
from lasasr.cli import groups, recipes, yaml_comments
from lasasr.cli.main import main
from lasasr.cli.other_names import NAMES

OLD = Path(__file__).parents[1] / "data" / "v0_1_0" / "work" / "runs"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert main(list(arguments)) == status
    captured = capsys.readouterr()
    return captured.out if status == 0 else captured.err


def test_every_recipe_is_listed_in_one_line_that_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "recipes").splitlines()
    assert [line.split()[0] for line in lines] == recipes.shipped()
    assert all(len(line.split()) > 3 and len(line) <= 120 for line in lines)


def test_train_without_a_recipe_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train"]) == 2
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1].startswith("timit/joint_phone39 ")
    assert captured.err.count("\n") == 1


def test_every_choice_of_every_group_says_what_it_is() -> None:
    silent = [
        f"{group}={choice}"
        for group in groups.names()
        for choice, path in groups.choices(group).items()
        if not yaml_comments.title(path)
    ]
    assert silent == []


@pytest.mark.parametrize("group", ["attend", "corpus", "search"])
def test_a_group_lists_its_choices(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "options", group)
    listed = [line[2:].split()[0] for line in out.splitlines() if line[2:].startswith(f"{group}=")]
    assert listed == [f"{group}={choice}" for choice in groups.choices(group)]
    assert out.count("\n* ") + out.startswith("* ") == 1


def test_a_key_has_its_value_its_kind_and_its_comment(capsys: pytest.CaptureFixture[str]) -> None:
    value, kind = printed(capsys, "options", "attend.dim").splitlines()
    assert value.split() == ["attend.dim=128", *["attention", "width", "A,", "summed", "over", "the", "heads"]]
    assert kind == "  takes a whole number"
    assert "takes a whole number from 1 to 4096 or nothing" in printed(capsys, "options", "threads")  # of the settings
    assert "attend.heads=" in printed(capsys, "options", "attend=multihead_dot")
    assert "keys of lm=lstm" in printed(capsys, "options", "--recipe", "lm/synthetic_char", "lm")


def test_all_keys_that_a_recipe_has_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "options")
    base = yaml.safe_load((groups.shipped_configs() / "base.yaml").read_text())
    assert all(f"  {group} " in out for group in ("attend", "corpus", "search@validation.search"))
    assert all(f"  {key}=" in out or f"  {key}." in out for key in base if key not in ("defaults", "logger"))


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ("attend=locaton", "unknown choice attend=locaton; nearest: location"),
        ("attend.heads", "attend.heads, which the chosen attend has not; attend=multihead_additive"),
        ("batch_size", "here it is batching.max_utterances"),
        ("optimizer.lrr", "nearest: optimizer.lr"),
    ],
)
def test_an_unknown_option_is_one_line(about: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    err = printed(capsys, "options", about, status=2)
    assert message in err
    assert err.count("\n") == 1


def test_what_other_names_stand_for_is_there() -> None:
    """Every target is a group, a key of some choice, or of base.yaml; and no name of another toolkit is ours."""
    base = {**groups.keys(groups.shipped_configs() / "base.yaml"), "--resume RUN": ""}
    for name, ours in NAMES.items():
        target = ours.partition(",")[0]
        group, _, key = target.partition(".")
        assert target in (*base, *groups.names()) or groups.with_key(group, key), (name, ours)


def test_runs_of_every_kind_are_listed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = printed(capsys, "runs", str(OLD))
    header, *lines = out.splitlines()
    cards = [path for path in OLD.rglob("card.json") if (path.parent / "config.yaml").is_file()]
    cards = [path for path in cards if path.parent.name != "bundle"]
    assert len(lines) == len(cards)
    assert header.split()[:3] == ["last", "written", "status"]
    for path in cards:
        (line,) = [line for line in lines if line.endswith(str(path.parent))]
        card = json.loads(path.read_text())
        assert f" {card['status']} " in line
        if card.get("results"):
            split, result = next(iter(card["results"].items()))
            rate = f"{result['metric'].upper()} {result['percent']:.2f} %" if "percent" in result else "perplexity"
            assert f" {split} {rate} " in line
    assert printed(capsys, "runs", str(tmp_path)) == f"no runs below {tmp_path}\n"
    assert "name a folder" in printed(capsys, "runs", str(tmp_path / "absent"), status=2)


def test_a_run_that_is_written_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert not is_held(folder)
    with writing(folder, "trained"):
        (folder / "something").touch()
        assert is_held(folder)
    assert not is_held(folder)
