"""No text in a configuration leads to anything but a part that may stand there; nothing refused is run or imported."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tiny_recognizer import parts as tiny_parts

import lasasr
from lasasr.cli.compose import compose
from lasasr.cli.main import main
from lasasr.configuration import gate, moved
from lasasr.configuration.contracts import CONTRACTS, PART_MODULES
from lasasr.errors import LasasrError, UsageError
from lasasr.models import factory
from lasasr.models.recognizer import Recognizer
from lasasr.text.character import CharacterTokenizer

ROOT = Path(__file__).parents[2]
OLD_TARGETS = ROOT / "tests" / "data" / "v0_1_0" / "targets.json"
GOOD = {"_target_": "lasasr.attend.content.DotAttention", "_partial_": True, "dim": 4}
MARK = "mark"  # the file or folder that a hostile target would leave

WRITES = {"path": MARK, "text": "x"}
MAKES = {"path": MARK}
RUNS = {"args": ["touch", MARK]}
COMMAND = {"command": f"touch {MARK}"}
# target → what it would be called with
HOSTILE: dict[str, dict[str, Any]] = {
    "os.system": COMMAND,
    "posix.mkdir": MAKES,
    "subprocess.run": RUNS,
    "subprocess.Popen": RUNS,
    "builtins.exec": {"_args_": [f"open('{MARK}', 'w')"]},
    "builtins.eval": {"_args_": [f"open('{MARK}', 'w')"]},
    "builtins.open": {"file": MARK, "mode": "w"},
    "pathlib.Path.touch": {"_args_": [MARK]},
    "antigravity.webbrowser": {},
    "this.s": {},
    "runpy.run_path": {"path_name": "own.py"},
    "own.Own": {},
    "torch.load": {"f": "own.pt", "weights_only": False},
    "torch.hub.load": {"repo_or_dir": "."},
    "torch.optim.adam.torch.load": {"f": "own.pt", "weights_only": False},
    "torch.optim.lr_scheduler.warnings.sys.modules": {},
    "torch.optim.optimizer.functools.partial": {},
    "torch.optim": {},
    "torch.optim.adam.adam": {},
    "torch.optim.Adam.step": {},
    "lasasr.artifacts.files.write_text": WRITES,
    "lasasr.artifacts.files.write_json": {"path": MARK, "content": {}},
    "lasasr.artifacts.files.os.mkdir": MAKES,
    "lasasr.artifacts.runs.os.makedirs": {"name": MARK},
    "lasasr.audio.perturb.Path.touch": {"_args_": [MARK]},
    "lasasr.audio.perturb.Path": {"_args_": [MARK]},
    "lasasr.corpora.download.os.mkdir": MAKES,
    "lasasr.corpora.download.download": {"address": "http://localhost:9/x", "path": MARK},
    "lasasr.corpora.audio_files.subprocess.run": RUNS,
    "lasasr.text.storage.write_json": {"path": MARK, "content": {}},
    "lasasr.text.storage.write": {"folder": MARK, "fields": {}},
    "lasasr.models.factory.build": {"config": {}, "place": "x"},
    "lasasr.models.factory.gate.importlib.import_module": {"name": "own"},
    "lasasr.models.factory.torch.load": {"f": "own.pt", "weights_only": False},
    "lasasr.configuration.gate.importlib.import_module": {"name": "own"},
    "lasasr.configuration.gate.resolve": {"target": "os.system", "place": "x"},
    "lasasr.cli.main.main": {"argv": ["--version"]},
    "lasasr.cli.train.run": {"arguments": []},
    "lasasr.__main__": {},
    "lasasr.__main__.main": {},
    "lasasr.Recognizer.load": {"folder": "."},
    "lasasr.models.recognizer.Recognizer": {},
    "lasasr.models.recognizer.Recognizer.load": {"folder": "."},
    "lasasr.training.run.fit_recognizer": {},
    "lasasr.training.fit.pl.Trainer": {"default_root_dir": MARK},
    "lasasr.training.checkpoints.shutil.rmtree": {"path": "."},
    "lasasr.data.mirror.shutil.rmtree": {"path": "."},
    "lasasr.attend.base.nn.Module": {},
    "lasasr.attend.base.Attention.__class__": {},
    "lasasr.attend.content.DotAttention.__init__.__globals__": {},
    "lasasr.attend.content.DotAttention.__subclasses__": {},
    "lasasr.attend.content.DotAttention.memory": {},
    "lasasr.attend.content": {},
    "lasasr.text.character.CharacterTokenizer.load": {"folder": "."},
    "lightning.pytorch.cli.LightningCLI": {},
    "lightning.pytorch.LightningModule.load_from_checkpoint": {"checkpoint_path": "own.pt"},
    "lightning.pytorch.Trainer.fit": {},
    "lightning.pytorch.callbacks.model_checkpoint.shutil.rmtree": {"path": "."},
    "lightning.pytorch.loggers.csv_logs.os.mkdir": MAKES,
    "lightning.pytorch.utilities.rank_zero.rank_zero_only": {},
    "lightning.pytorch.demos.boring_classes.BoringModel": {},
    "lightning.fabric.Fabric": {},
    "lasasr": {},
    "lasasr.": {},
    "lasasr..files.write_text": WRITES,
    ".lasasr.artifacts.files.write_text": WRITES,
    "lasasr.attend.content:DotAttention": {},
    "lasasr/attend/content.DotAttention": {},
    " lasasr.attend.content.DotAttention": {},
    "lasasr.attend.content.DotAttention\n": {},
    "lasasr.attend.content.DotAttention()": {},
    "lasasrx.attend.content.DotAttention": {},
    "os.system#lasasr.": COMMAND,
    "": {},
    ".": {},
    "lasasr" + ".a" * 50_000: {},
}
# Parts, but of other places than the one where the test puts them.
MISPLACED = (
    "lasasr.training.schedules.constant",
    "lasasr.models.factory.tokenizer_of_run",
    "lasasr.training.parallel.ddp",
    "lasasr.search.limits.Limits",
    "lasasr.corpora.shar.SharCorpus",
    "lightning.pytorch.Trainer",
    "lightning.pytorch.loggers.CSVLogger",
    "torch.optim.Adam",
)
NO_TEXT: tuple[Any, ...] = (None, 1, True, 2.5, ["os.system"], {"_target_": "os.system"}, b"os.system")


@pytest.fixture
def unmarked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder with a module that must not be imported; afterwards nothing else must lie in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("LASASR_ALLOW", raising=False)
    (tmp_path / "own.py").write_text(f"open({MARK!r}, 'w')\nclass Own: pass\n")
    yield tmp_path
    assert not (tmp_path / MARK).exists()
    assert not {"own", "antigravity", "this", "lasasr.__main__"} & set(sys.modules)
    assert tmp_path.is_dir()


def hostile_configs(place: str, target: object, arguments: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, config) with the target itself, and with it at several depths of a part that may stand there."""
    part = {"_target_": target, **arguments}
    yield place, part
    yield place, {**part, "_partial_": True}
    for inner in (part, [part], {"a": [{"b": part}]}):
        yield place, {**GOOD, "dim": inner}
        yield place, {**GOOD, "_recursive_": False, "dim": inner}
        yield place, {**GOOD, "_args_": [inner]}


@pytest.mark.parametrize("target", HOSTILE, ids=lambda target: target[:60])
def test_a_hostile_target_is_refused_at_any_depth(unmarked: Path, target: str) -> None:
    for place, part in hostile_configs("attend", target, HOSTILE[target]):
        with pytest.raises(UsageError) as raised:
            factory.build(part, place, encoded_dim=3, query_dim=3)
        assert is_one_line(raised.value, place)


@pytest.mark.parametrize("target", HOSTILE, ids=lambda target: target[:60])
def test_no_place_takes_it(unmarked: Path, target: str) -> None:
    for place in (*CONTRACTS, "hydra.callbacks.own", "nothing.of_this", ""):
        with pytest.raises(UsageError) as raised:
            factory.check_targets({"_target_": target, **HOSTILE[target]}, place)
        assert is_one_line(raised.value, place)


@pytest.mark.parametrize("target", NO_TEXT, ids=repr)
def test_a_target_that_is_no_text_is_refused(unmarked: Path, target: object) -> None:
    for place, part in hostile_configs("attend", target, {}):
        with pytest.raises(UsageError, match=r"not the text module\.Class") as raised:
            factory.build(part, place)
        assert is_one_line(raised.value, place)


@pytest.mark.parametrize("target", MISPLACED)
def test_a_part_of_another_place_is_refused(unmarked: Path, target: str) -> None:
    for place in ("attend", "search.pruning", "loss.ctc_weight", "augment.waveform[1]", "validation.search"):
        with pytest.raises(UsageError, match="takes") as raised:
            factory.build({"_target_": target}, place)
        assert is_one_line(raised.value, place)
    with pytest.raises(UsageError, match=r"nothing is built at seed but what is marked @configurable\(\"seed\"\)"):
        factory.check_targets({"seed": {"_target_": target}})


def is_one_line(error: Exception, place: str) -> bool:
    message = str(error)
    return message.startswith(place) and message.isprintable() and len(message) < 1500


# ---- a bundle, and the command line


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    tokenizer = CharacterTokenizer.train(["ab ba"])
    Recognizer.build(tiny_parts(0.3), tokenizer, "english/1").save(folder)
    return folder


def edited(bundle: Path, file: str, edit: Mapping[str, Any]) -> None:
    """Copy the bundle into the current folder, with some values of one file changed."""
    for path in bundle.iterdir():
        Path(path.name).write_bytes(path.read_bytes())
    read, write = (yaml.safe_load, yaml.safe_dump) if file.endswith(".yaml") else (json.loads, json.dumps)
    Path(file).write_text(write({**read(Path(file).read_text()), **edit}))


@pytest.mark.parametrize("target", HOSTILE, ids=lambda target: target[:60])
def test_a_bundle_that_names_it_does_not_load(unmarked: Path, bundle: Path, target: str) -> None:
    part = {"_target_": target, **HOSTILE[target]}
    edited(bundle, "config.yaml", {"search": part})
    with pytest.raises(UsageError, match=r"search\._target_"):
        Recognizer.load(unmarked)
    edited(bundle, "config.yaml", {"heads": None, "loss": {"_target_": "lasasr.loss.JointLoss", "ctc_weight": part}})
    with pytest.raises(UsageError, match=r"loss\.ctc_weight\._target_"):
        Recognizer.load(unmarked)
    edited(bundle, "tokenizer.json", {"type": target})
    with pytest.raises(LasasrError, match=r"tokenizer\.json: type="):
        Recognizer.load(unmarked)


@pytest.mark.parametrize(
    "stored", [[], 3, "os.system", {"type": 3}, {"type": "lasasr.models.factory.tokenizer_of_run"}]
)
def test_a_tokenizer_file_that_names_no_tokenizer_is_refused(unmarked: Path, bundle: Path, stored: Any) -> None:
    edited(bundle, "tokenizer.json", {})
    Path("tokenizer.json").write_text(json.dumps(stored))
    with pytest.raises(LasasrError, match=r"tokenizer\.json"):
        Recognizer.load(unmarked)


def test_interpolations_in_a_bundle_are_text(unmarked: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "27182818")
    edited(
        bundle, "config.yaml", {"frontend": {"_target_": "lasasr.audio.frontend.Frontend", "bins": "${oc.env:SECRET}"}}
    )
    with pytest.raises(UsageError) as raised:
        Recognizer.load(unmarked)
    assert "27182818" not in str(raised.value)


@pytest.mark.parametrize(
    "target", ["os.system", "lasasr.artifacts.files.write_text", "torch.optim.adam.torch.load", "own.Own"]
)
@pytest.mark.parametrize("verb", ["train", "prepare", "doctor"])
def test_the_command_line_and_a_recipe_are_held_to_it(
    unmarked: Path, target: str, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = "".join(f"\n  {key}: {json.dumps(value)}" for key, value in HOSTILE[target].items())
    recipe = unmarked / "recipe.yaml"
    recipe.write_text(f"defaults: [/base, _self_]\ncorpus:\n  _target_: {target}{arguments}\n")
    for line in ([str(recipe)], ["synthetic/las_char", f"corpus._target_={target}"]):
        assert main([verb, *line]) == 2
        assert f"corpus._target_={target} " in capsys.readouterr().err
    assert sorted(path.name for path in unmarked.iterdir()) == ["own.py", "recipe.yaml"]


# ---- what must pass


def shipped_targets() -> Iterator[tuple[str, str]]:
    """(target, place) of every yaml of configs/ and recipes/."""
    for path in sorted((ROOT / "configs").rglob("*.yaml")):
        group = ".".join(path.relative_to(ROOT / "configs").parts[:-1])
        place = f"search.scorers.{path.stem}" if group == "scorer" else group
        yield from targets(yaml.safe_load(path.read_text()), place)
    for path in sorted((ROOT / "recipes").rglob("*.yaml")):
        yield from targets(yaml.safe_load(path.read_text()), "")


def targets(config: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(config, Mapping):
        if "_target_" in config:
            yield config["_target_"], place
        for key, value in config.items():
            yield from targets(value, f"{place}.{key}" if place else str(key))
    elif isinstance(config, list):
        for number, value in enumerate(config):
            yield from targets(value, f"{place}[{number}]")


def test_every_shipped_target_passes_at_its_place() -> None:
    found = set(shipped_targets())
    assert len(found) > 40
    for target, place in sorted(found):
        assert callable(gate.resolve(target, place))


def test_every_place_has_a_shipped_part_or_classes_of_lightning() -> None:
    kinds = {gate.place_kind(place) for _, place in shipped_targets()}
    kinds = {kind if kind in CONTRACTS else f"{kind.rpartition('.')[0]}.*" for kind in kinds}
    assert kinds <= set(CONTRACTS)
    # by adapt=NAME, +corpus@adapt.replay.corpus=NAME, adapt.speaker=ID and +listen@listen.top=NAME
    added = {"adapt.*", "adapt.replay.corpus", "corpus.corpus", "listen.top"}
    assert {kind.partition(".")[0] for kind in set(CONTRACTS) - kinds - added} <= {
        "callbacks",
        "column",
        "logger",
        "trainer",
    }


def test_the_page_has_a_row_for_every_place() -> None:
    page = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    named = {place for cell in cells for place in re.findall("`(.+?)`", cell)}
    assert named == {*CONTRACTS, "validation.search", "lasasr compare --column"}
    bases = {base for contract in CONTRACTS.values() for base in contract.bases if base.startswith("lasasr.")}
    assert [base for base in bases if f"`{base}`" not in page] == []


@pytest.mark.parametrize("kind", CONTRACTS)
def test_the_classes_of_the_table_exist(kind: str) -> None:
    for path in CONTRACTS[kind].bases:
        assert isinstance(gate.base_class(path), type)


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("torch.optim.SGD", "optimizer"),
        ("torch.optim.sgd.SGD", "optimizer"),
        ("torch.optim.lr_scheduler.OneCycleLR", "schedule"),
        ("lightning.pytorch.loggers.CSVLogger", "logger"),
        ("lightning.pytorch.loggers.CSVLogger", "logger[1]"),
        ("lightning.pytorch.loggers.CSVLogger", "logger.csv"),
        ("lightning.pytorch.callbacks.Timer", "callbacks.mine"),
        ("lightning.pytorch.profilers.SimpleProfiler", "trainer.profiler"),
        ("lightning.pytorch.strategies.FSDPStrategy", "trainer.strategy"),
    ],
)
def test_parts_of_torch_and_lightning_pass(target: str, place: str) -> None:
    assert gate.resolve(target, place).__name__ == target.rpartition(".")[2]


def old_targets() -> list[str]:
    """What version 0.1.0 wrote as `_target_`, or as the type of a tokenizer."""
    return list(json.loads(OLD_TARGETS.read_text())) if OLD_TARGETS.exists() else []


@pytest.mark.parametrize("target", old_targets())
def test_every_target_of_the_first_version_passes(target: str) -> None:
    shipped = {place for name, place in shipped_targets() if moved.current_path(name) == moved.current_path(target)}
    for place in shipped or {"tokenizer"}:  # what no yaml names is a class of tokenizers
        assert callable(gate.resolve(target, place))


def test_modules_that_hold_parts_do_nothing_when_imported() -> None:
    """They are imported because a file says so: no call stands on a line of its own, and none runs the command."""
    for path in sorted((ROOT / "lasasr").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not gate.may_import(name):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in tree.body if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)]
        assert not calls, f"{path}:{calls[0].lineno}"
    assert not gate.may_import("lasasr.__main__")
    assert not gate.may_import("lasasr.cli.main")
    assert all(gate.may_import(name) for name in PART_MODULES)


# ---- parts of the user's own

OWN = """
from functools import partial
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from lasasr.attend.content import DotAttention
from lasasr.configuration.configurable import configurable
from lasasr.text.character import CharacterTokenizer
from other_people.parts import Theirs

class Block(nn.Module): pass

@configurable("attend.block")
class MarkedBlock(nn.Module): pass

class Own(DotAttention):
    def __init__(self, block=None, **options):
        super().__init__(**options)
        self.block = block

class Letters(CharacterTokenizer):
    @classmethod
    def train(cls, transcripts, extra=""):
        return super().train([*transcripts, extra])

def unmarked(optimizer, total_steps): pass

@configurable("schedule")
def halved(optimizer, total_steps):
    return LambdaLR(optimizer, lambda step: 0.5)

class Never:
    def __call__(self, step):
        return 0.0

class Factory:
    @classmethod
    @configurable("attend")
    def small(cls, **sizes):
        return Own(dim=2, **sizes)

ready = partial(halved, total_steps=3)
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two packages that do not belong to the toolkit; the user allows one of them."""
    for package, text in {
        "my_package": OWN,
        "other_people": "from lasasr.attend.content import DotAttention\nclass Theirs(DotAttention): pass\n",
    }.items():
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
        (tmp_path / package / "parts.py").write_text(text)
    (tmp_path / "my_package" / "broken.py").write_text("import nothing_of_this_name\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LASASR_ALLOW", "my_package")
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("my_package", "other_people")]:
        del sys.modules[name]


@pytest.mark.usefixtures("own")
def test_parts_of_a_package_that_the_user_allows_are_built() -> None:
    sizes = {"encoded_dim": 3, "query_dim": 3}
    attention = factory.build({**GOOD, "_target_": "my_package.parts.Own"}, "attend", **sizes)
    assert type(attention).__name__ == "Own"
    block = {"_target_": "my_package.parts.MarkedBlock"}
    attention = factory.build({**GOOD, "_target_": "my_package.parts.Own", "block": block}, "attend", **sizes)
    assert type(attention.block).__name__ == "MarkedBlock"
    small = factory.build({"_target_": "my_package.parts.Factory.small", "_partial_": True}, "attend", **sizes)
    assert type(small).__name__ == "Own"
    letters = {"_target_": "my_package.parts.Letters.train", "_partial_": True, "extra": "z"}
    assert "z" in factory.train_tokenizer(letters, ["ab"]).tokens
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    halved = {"_target_": "my_package.parts.halved", "_partial_": True, "total_steps": 3}
    assert factory.build(halved, "schedule", optimizer=optimizer).get_last_lr() == [0.5]
    assert factory.build({"_target_": "my_package.parts.Never"}, "sampling")(1) == 0.0


@pytest.mark.usefixtures("own")
def test_its_tokenizer_is_read_back(tmp_path: Path) -> None:
    letters = factory.train_tokenizer({"_target_": "my_package.parts.Letters.train", "_partial_": True}, ["ab"])
    letters.save(tmp_path)
    assert type(factory.load_tokenizer(tmp_path)) is type(letters)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("target", "place", "message"),
    [
        ("my_package.parts.unmarked", "schedule", r"marked @configurable\(\"schedule\"\)"),
        ("my_package.parts.Block", "attend", "takes a subclass of lasasr.attend.base.Attention"),
        ("my_package.parts.Never", "attend", "takes a subclass of lasasr.attend.base.Attention"),
        ("my_package.parts.Block", "attend.block", "nothing is built at attend.block but"),
        ("my_package.parts.MarkedBlock", "listen.block", "nothing is built at listen.block but"),
        ("my_package.parts.Own", "spell", "takes a subclass of lasasr.spell.base.Decoder"),
        ("my_package.parts.Owm", "attend", r"does not exist; nearest: my_package\.parts\.Own"),
        ("my_package.part.Own", "attend", r"does not exist; nearest: my_package\.parts"),
        ("my_package.parts.ready", "schedule", "is the object of class functools.partial"),
        ("my_package.parts.Theirs", "attend", "if you trust other_people: export LASASR_ALLOW=my_package,other_people"),
        ("my_package.parts.nn.Linear", "attend", "to the module torch.nn, which is only used there"),
        ("my_package.broken.Own", "attend", "cannot be imported .*nothing_of_this_name"),
        ("my_packages.parts.Own", "attend", "if you trust it: export LASASR_ALLOW=my_packages"),
        ("other_people.parts.Theirs", "attend", "if you trust it: export LASASR_ALLOW=other_people"),
        ("lasasr.attend.content.DotAtention", "attend", r"nearest: lasasr\.attend\.content\.DotAttention"),
        ("lasasr.atend.content.DotAttention", "attend", r"nearest: lasasr\.attend"),
        ("lasasr.training.schedules.linaer", "schedule", r"nearest: lasasr\.training\.schedules\.linear"),
        ("torch.optim.Adma", "optimizer", r"nearest: torch\.optim\."),
        ("lasasr.artifacts.files.write_text", "attend", "lies in lasasr.artifacts, which holds no parts"),
    ],
)
def test_the_message_says_what_it_is_and_the_way_out(target: str, place: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        gate.resolve(target, place)
    assert str(raised.value).startswith(f"{place}._target_={target} ")


@pytest.mark.usefixtures("own")
def test_a_user_may_allow_one_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASASR_ALLOW", "my_package.parts.Own")
    assert gate.resolve("my_package.parts.Own", "attend").__name__ == "Own"
    with pytest.raises(UsageError, match="LASASR_ALLOW"):
        gate.resolve("my_package.parts.Never", "sampling")


# ---- how parts are made


@pytest.mark.parametrize(
    ("directive", "value"),
    [
        ("_partial_", 1),
        ("_partial_", "true"),
        ("_recursive_", 0),
        ("_args_", {}),
        ("_args_", "x"),
        ("_convert_", "none"),
    ],
)
def test_a_directive_of_another_kind_is_refused(directive: str, value: object) -> None:
    with pytest.raises(UsageError, match=rf"^attend\.{directive} is "):
        factory.build({**GOOD, directive: value}, "attend", encoded_dim=3, query_dim=3)


def test_positional_arguments_and_parts_among_the_arguments() -> None:
    assert factory.build({"_target_": "lasasr.loss.Annealed", "_args_": [0.5, 0.25, 3]}, "loss.ctc_weight")(3) == 0.25
    limits = {"_target_": "lasasr.search.limits.Limits", "max_length": 7}
    search = {"_target_": "lasasr.search.greedy.GreedySearch", "limits": limits}
    assert factory.build(search, "validation.search").limits.max_length == 7
    assert factory.build({**search, "_recursive_": False}, "search").limits == limits


def test_what_is_called_is_what_the_gate_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the text looked up again, another object could have taken its place."""
    found = gate.resolve(str(GOOD["_target_"]), "attend")
    monkeypatch.setattr(gate, "resolve", lambda target, place: found)
    config = {**GOOD, "_target_": "nothing.of_this_name"}
    assert type(factory.build(config, "attend", encoded_dim=3, query_dim=3)) is found


# ---- moved classes


@pytest.fixture
def a_move(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"lasasr.looks.Dot": "lasasr.attend.content.DotAttention", "lasasr.letters": "lasasr.text.character"}
    monkeypatch.setattr(moved, "MOVED", table)


@pytest.mark.usefixtures("a_move")
def test_a_moved_class_is_found_by_its_old_path(tmp_path: Path) -> None:
    old = {**GOOD, "_target_": "lasasr.looks.Dot"}
    assert type(factory.build(old, "attend", encoded_dim=3, query_dim=3)).__name__ == "DotAttention"
    tokenizer = factory.train_tokenizer(
        {"_target_": "lasasr.letters.CharacterTokenizer.train", "_partial_": True}, ["ab"]
    )
    assert type(tokenizer) is CharacterTokenizer
    Recognizer.build(tiny_parts(0.3, attend=old), tokenizer, "english/1").save(tmp_path)
    stored = json.loads((tmp_path / "tokenizer.json").read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps({**stored, "type": "lasasr.letters.CharacterTokenizer"}))
    read = Recognizer.load(tmp_path)
    assert read.parts.attend is not None
    assert read.parts.attend["_target_"] == "lasasr.attend.content.DotAttention"
    composed = compose("synthetic/las_char", ["attend=dot", "attend._target_=lasasr.looks.Dot"])
    assert composed["attend"]["_target_"] == "lasasr.attend.content.DotAttention"


def test_a_class_that_moved_twice_is_found_at_its_last_place() -> None:
    new = [*moved.MOVED.values()]
    assert [path for path in new if moved.current_path(path) != path] == []


def test_the_lazy_attribute_of_the_package_is_no_part() -> None:
    assert lasasr.Recognizer is Recognizer
    with pytest.raises(UsageError, match="does not exist"):
        gate.resolve("lasasr.Recognizer", "listen")
