"""--cfg, --info, argparse in one line, and completion."""

from pathlib import Path

import pytest
import yaml

from lasasr.cli import completion, show
from lasasr.cli.arguments import Parser, add_recipe
from lasasr.cli.compose import compose
from lasasr.errors import UsageError

RECIPE = "synthetic/las_char"


@pytest.fixture
def parser() -> Parser:
    made = Parser("train", "Train a recognizer.")
    add_recipe(made)
    made.add_argument("-m", "--multirun", action="store_true")
    return made


def test_options_may_stand_between_overrides(parser: Parser) -> None:
    options = parser.read([RECIPE, "attend=dot", "-m", "seed=1,2"])
    assert (options.recipe, options.overrides, options.multirun) == (RECIPE, ["attend=dot", "seed=1,2"], True)
    assert not show.is_requested(options)


def test_a_recipe_may_be_optional() -> None:
    parser = Parser("train", "Train a recognizer.")
    add_recipe(parser, optional=True)
    parser.add_argument("--resume")
    options = parser.read(["--resume", "runs/x"])
    assert (options.recipe, options.overrides, options.resume) == (None, [], "runs/x")
    assert parser.read([RECIPE]).recipe == RECIPE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([RECIPE, "--multrun"], "unknown option --multrun; nearest: --multirun"),
        ([RECIPE, "--cfg", "jb"], "argument --cfg: invalid choice: 'jb'"),
        ([], "the following arguments are required: RECIPE"),
    ],
)
def test_a_wrong_command_line_is_one_line(parser: Parser, arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=r"^[^\n]*$") as caught:
        parser.read(arguments)
    assert message in str(caught.value)


def test_cfg_prints_the_configuration(dictionary: Path, parser: Parser, capsys: pytest.CaptureFixture[str]) -> None:
    options = parser.read([RECIPE, "attend=dot", "--cfg", "job", "--resolve"])
    assert show.is_requested(options)
    assert show.show(options) == 0
    expected = compose(RECIPE, ["attend=dot"])
    del expected["recipe"], expected["choices"]
    assert yaml.safe_load(capsys.readouterr().out) == expected


def test_cfg_prints_a_part(dictionary: Path, parser: Parser, capsys: pytest.CaptureFixture[str]) -> None:
    show.show(parser.read([RECIPE, "--cfg", "job", "--package", "listen"]))
    assert yaml.safe_load(capsys.readouterr().out) == {"layers": 2, "dropout": 0.1}


def test_info_prints_where_each_part_comes_from(
    dictionary: Path, parser: Parser, capsys: pytest.CaptureFixture[str]
) -> None:
    show.show(parser.read([RECIPE, "attend=dot", "--info", "defaults"]))
    assert "attend/dot" in capsys.readouterr().out


def test_cfg_of_a_wrong_override_prints_only_the_error(
    dictionary: Path, parser: Parser, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="nearest: dot"):
        show.show(parser.read([RECIPE, "attend=dott", "--cfg", "job"]))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("lasasr ", {"train", "evaluate"}),
        ("lasasr train ", {RECIPE, "synthetic/las_far"}),
        (f"lasasr train {RECIPE} atte", {"attend="}),
        (f"lasasr train {RECIPE} attend=", {"attend=dot", "attend=location"}),
        (f"lasasr train {RECIPE} attend=dot listen.", {"listen.layers=", "listen.dropout="}),
    ],
)
def test_completion_offers(
    dictionary: Path,
    line: str,
    offered: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    assert completion.run(["query=bash"]) == 0
    assert offered <= set(capsys.readouterr().out.split())


def test_completion_leaves_run_folders_to_the_shell(
    dictionary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMP_LINE", "lasasr evaluate ru")
    completion.run(["query=bash"])
    assert capsys.readouterr().out.split() == []


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_completion_installs(dictionary: Path, shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert completion.run([f"install={shell}"]) == 0
    assert f"-sc query={'bash' if shell == 'zsh' else shell}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["install"], ["install=cmd"], ["install=bash", "x"]])
def test_completion_refuses_what_it_does_not_know(arguments: list[str]) -> None:
    with pytest.raises(UsageError, match="-sc takes install=SHELL"):
        completion.run(arguments)
