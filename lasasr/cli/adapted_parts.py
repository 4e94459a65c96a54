"""With `adapt=` the parts of a recognizer are those of the bundle that is trained on; no override says otherwise.

What is resolved here stands in config.yaml, so that a run says by itself what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hydra.core.override_parser.types import Override

from lasasr.artifacts import bundle_config, run_paths
from lasasr.artifacts.runs import Run
from lasasr.cli.session import Session
from lasasr.configuration import sections, settings
from lasasr.configuration.sections import Plain
from lasasr.configuration.signature_defaults import same, without_defaults
from lasasr.errors import LasasrError, UsageError

PARTS: Final = ("frontend", "listen", "attend", "spell")
# Options of parts that change how they are trained, and nothing of what they compute afterwards
OF_TRAINING: Final = (
    *("dropout", "noise", "layer_drop", "recompute", "lstm", "compile"),
    *("freeze", "thaw_after", "thaw_layers", "learning_rate", "bundle"),
)
TOKENIZER: Final = "lasasr.models.factory.tokenizer_of_run"
GROWN: Final = "lasasr.models.factory.grown_tokenizer"
OWN_SPEECH: Final = "lasasr.corpora.own_speech.OwnSpeechCorpus"
_OF_ENCODER: Final = "lasasr.audio.base.of_encoder"
_ABSENT: Final = object()


def with_adapted_parts(opened: Session, overrides: Sequence[str], plain: Plain) -> dict[str, Any]:
    """The configuration with the parts of the bundle that is adapted; as it is where nothing is.

    Args:
        opened: on the recipe.

    Raises:
        UsageError: an override disagrees with the bundle, or what adapt needs is missing.
        LasasrError: there is no such bundle.
    """
    if not isinstance(adapt := plain.get("adapt"), Mapping):
        return dict(plain)
    methods = [name for name, part in adapt.items() if isinstance(part, Mapping) and "_target_" in part]
    run = (plain.get("warm_start") or {}).get("run")
    if not methods:
        _refuse_idle(adapt)
        return dict(plain)
    if run is None:
        named = ",".join(methods)
        raise UsageError(f"adapt={named} needs what it trains on: warm_start.run=RUN, a run folder or bundle")
    folder = run_paths.bundle_folder(run)
    stored = bundle_config.read_config(folder, bundle_config.SCHEMA, ())
    if settings.kind_of(stored) is not settings.Recognition:
        raise LasasrError(f"warm_start.run={run} is a language model: adapt is for recognizers")
    stored = bundle_config.read_config(folder, bundle_config.SCHEMA, PARTS)
    adapted: dict[str, Any] = {**plain, **{name: stored[name] for name in PARTS}}
    for override in opened.parse(overrides):
        _compare(override, opened, plain, stored, adapted, str(run))
    adapted["adapt"] = _with_replayed(adapt, folder)
    adapted["corpus"] = _of_speaker(plain["corpus"], adapt)
    grows = _grows(plain)
    of_run = {"_target_": TOKENIZER, "run": str(run)}
    adapted["tokenizer"] = {**plain["tokenizer"], "run": str(run)} if grows else of_run
    called = "grown" if grows else "of_run"
    adapted["choices"] = {**plain["choices"], **_choices(folder, plain, stored), "tokenizer": called}
    return adapted


def _of_speaker(corpus: Plain, adapt: Plain) -> dict[str, Any]:
    """The corpus, or what one speaker says in it.

    Raises:
        UsageError: there are minutes of nobody.
    """
    speaker, minutes = adapt.get("speaker"), adapt.get("minutes")
    if speaker is None:
        if minutes is not None:
            raise UsageError(f"adapt.minutes={minutes} needs whose speech it is: adapt.speaker=ID")
        return dict(corpus)
    return {"_target_": OWN_SPEECH, "corpus": dict(corpus), "speaker": str(speaker), "minutes": minutes}


def _with_replayed(adapt: Plain, folder: Path) -> dict[str, Any]:
    """The section with the corpus that adapt=replay goes back to: that of the run whose bundle is adapted.

    Raises:
        UsageError: none is named, and there is no run beside the bundle.
    """
    replay = sections.replay_of(adapt)
    if replay is None or adapt[replay].get("corpus") is not None:
        return dict(adapt)
    run = Run(folder.parent)
    if not run_paths.is_run(run.folder):
        raise UsageError(
            f"adapt={replay}: {folder} lies in no run, so that it is not known what it was trained on: name a corpus, "
            f"as +corpus@adapt.{replay}.corpus=librispeech"
        )
    return {**adapt, replay: {**adapt[replay], "corpus": run.config()["corpus"]}}


def _refuse_idle(adapt: Plain) -> None:
    defaults = settings.section_defaults(settings.Recognition)["adapt"]
    for name, default in defaults.items():
        if name in adapt and not same(adapt[name], default):
            raise UsageError(f"adapt.{name} is set, but no method is chosen: add adapt=full, freeze, lora, ...")


def _compare(
    override: Override, opened: Session, plain: Plain, stored: Plain, adapted: dict[str, Any], run: str
) -> None:
    """Take what an override changes of training alone, and refuse what disagrees with the bundle."""
    key = str(override.key_or_group)
    name, *path = key.partition("@")[0].split(".")
    if override.is_hydra_override() or name not in (*PARTS, "tokenizer", "warm_start"):
        return
    way_out = f"with adapt= all parts come from warm_start.run={run}: leave it out"
    if name == "warm_start":
        if path == ["parts"]:
            raise UsageError(f"{override.input_line}: {way_out}")
        return
    if name == "tokenizer":
        if not _is_tokenizer_of(plain["tokenizer"], run):
            raise UsageError(f"{override.input_line} is another tokenizer than the bundle's; {way_out}")
        return
    if path and path[-1] in OF_TRAINING and not opened.chooses(override):
        adapted[name] = _with_value(adapted[name], path, _at(plain[name], path))
        return
    given, bundles = _comparable(plain[name]), _comparable(stored[name])
    if given is not None and given.get("_target_") == _OF_ENCODER:
        return
    if path and not opened.chooses(override):
        values = _at(given, path), _at(bundles, path)
        if not _alike(*values):
            raise UsageError(f"{override.input_line}: the bundle has {_shown(_at(stored[name], path))}; {way_out}")
    elif not _alike(given, bundles):
        differing = [own for own in dict.fromkeys((*(given or ()), *(bundles or ()))) if _differs(given, bundles, own)]
        raise UsageError(f"{override.input_line} is not what the bundle has ({', '.join(differing)} differ); {way_out}")


def _grows(plain: Plain) -> bool:
    part = plain["tokenizer"]
    return isinstance(part, Mapping) and bool(part.get("_target_") == GROWN)


def _is_tokenizer_of(part: Any, run: str) -> bool:
    if not isinstance(part, Mapping) or part.get("_target_") not in (TOKENIZER, GROWN):
        return False
    if part.get("run") is None:
        return bool(part["_target_"] == GROWN)
    return run_paths.bundle_folder(part["run"]).resolve() == run_paths.bundle_folder(run).resolve()


def _comparable(part: Any) -> dict[str, Any] | None:
    """A part without what is at its default or is of training alone."""
    if part is None:
        return None
    return {name: value for name, value in without_defaults(part).items() if name not in (*OF_TRAINING, "_partial_")}


def _at(part: Any, path: Sequence[str]) -> Any:
    for name in path:
        part = part.get(name, _ABSENT) if isinstance(part, Mapping) else _ABSENT
    return part


def _alike(first: Any, second: Any) -> bool:
    if first is _ABSENT or second is _ABSENT:
        return first is second
    return same(first, second)


def _differs(first: Plain | None, second: Plain | None, name: str) -> bool:
    return not _alike((first or {}).get(name, _ABSENT), (second or {}).get(name, _ABSENT))


def _shown(value: Any) -> str:
    return "its default" if value is _ABSENT else f"{value!r:.60}"


def _with_value(part: Any, path: Sequence[str], value: Any) -> dict[str, Any]:
    """A copy of a part with one value changed, or taken out."""
    name, *below = path
    changed = dict(part or {})
    if below:
        changed[name] = _with_value(changed.get(name), below, value)
    elif value is _ABSENT:
        changed.pop(name, None)
    else:
        changed[name] = value
    return changed


def _choices(folder: Path, plain: Plain, stored: Plain) -> dict[str, Any]:
    """What the bundle's parts are called: as its run or an equal recipe calls them, else their class."""
    run = Run(folder.parent)
    own = run.config().get("choices", {}) if run_paths.is_run(run.folder) else {}
    names = {}
    for name in PARTS:
        if stored[name] is None:
            continue
        same_part = _alike(_comparable(plain[name]), _comparable(stored[name]))
        called = plain["choices"].get(name) if same_part else str(stored[name].get("_target_")).rpartition(".")[2]
        names[name] = own.get(name) or called
    return names
