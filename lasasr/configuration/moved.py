"""Class paths of earlier versions: they stand in bundles, runs, recipes and tokenizers, which are read for ever."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

# What stood there → where it is now. A class, or a module with all it holds; what was moved twice has two rows that
# both name the last place.
MOVED: Final[dict[str, str]] = {
    "lasasr.artifacts.bundle.Stored": "lasasr.artifacts.bundle.StoredTensor",
    "lasasr.artifacts.result_names.named": "lasasr.artifacts.result_names.other_result_name",
    "lasasr.artifacts.result_names.parsed": "lasasr.artifacts.result_names.parse_result_name",
    "lasasr.artifacts.results.Stored": "lasasr.artifacts.results.StoredResult",
    "lasasr.artifacts.results.listed": "lasasr.artifacts.results.list_results",
    "lasasr.artifacts.runs.RUN_ID": "lasasr.artifacts.run_card.RUN_ID",
    "lasasr.artifacts.runs.bundle_folder": "lasasr.artifacts.run_paths.bundle_folder",
    "lasasr.artifacts.runs.find_run": "lasasr.artifacts.run_paths.find_run",
    "lasasr.artifacts.runs.known": "lasasr.artifacts.run_paths.list_runs",
    "lasasr.artifacts.runs.place": "lasasr.artifacts.run_choice.run_for",
    "lasasr.artifacts.runs.placed": "lasasr.artifacts.run_choice.choose_run",
    "lasasr.artifacts.runs.read_sweep": "lasasr.artifacts.sweep_file.read",
    "lasasr.artifacts.runs.root": "lasasr.artifacts.run_paths.root",
    "lasasr.artifacts.sweeps.Planned": "lasasr.artifacts.sweeps.PlannedRun",
    "lasasr.artifacts.sweeps.place_sweep": "lasasr.artifacts.sweeps.choose_sweep_folder",
    "lasasr.attend.weights.Previous": "lasasr.attend.weights.PreviousWeights",
    "lasasr.audio.frontend.Frontend": "lasasr.audio.fbank_frontend.FbankFrontend",
    "lasasr.build": "lasasr.models.factory",
    "lasasr.bundle": "lasasr.artifacts.bundle",
    "lasasr.cli.known": "lasasr.cli.recipe_keys",
    "lasasr.cli.tell": "lasasr.cli.print_results",
    "lasasr.comparison_maps": "lasasr.evaluation.comparison_maps",
    "lasasr.concurrent": "lasasr.nn.concurrent",
    "lasasr.files": "lasasr.artifacts.files",
    "lasasr.gathered": "lasasr.nn.shared_steps",
    "lasasr.host": "lasasr.nn.host_mirror",
    "lasasr.language_model": "lasasr.models.language_model",
    "lasasr.launch": "lasasr.distributed.launch",
    "lasasr.lengths": "lasasr.nn.lengths",
    "lasasr.loss": "lasasr.losses.joint",
    "lasasr.model": "lasasr.models.network",
    "lasasr.perplexity": "lasasr.evaluation.perplexity",
    "lasasr.prepare": "lasasr.preparation.speech",
    "lasasr.prepare_text": "lasasr.preparation.text",
    "lasasr.provenance": "lasasr.artifacts.provenance",
    "lasasr.ranks": "lasasr.distributed.ranks",
    "lasasr.recognizer": "lasasr.models.recognizer",
    "lasasr.results": "lasasr.artifacts.results",
    "lasasr.runs": "lasasr.artifacts.runs",
    "lasasr.search.base.Renamed": "lasasr.search.base.ScorerAlias",
    "lasasr.search.base.Seen": "lasasr.search.base.StepContext",
    "lasasr.search.frontier": "lasasr.search.beam_state",
    "lasasr.search.frontier.Frontier": "lasasr.search.beam_state.BeamState",
    "lasasr.search.fusion": "lasasr.search.scorer_set",
    "lasasr.search.fusion.Fusion": "lasasr.search.scorer_set.ScorerSet",
    "lasasr.special": "lasasr.text.special",
    "lasasr.training.console": "lasasr.training.progress_printer",
    "lasasr.training.console.Console": "lasasr.training.progress_printer.ProgressPrinter",
    "lasasr.training.lm_meter": "lasasr.training.lm_metric_logger",
    "lasasr.training.lm_meter.LMMeter": "lasasr.training.lm_metric_logger.LMMetricLogger",
    "lasasr.training.maps": "lasasr.training.attention_map_logger",
    "lasasr.training.maps.Maps": "lasasr.training.attention_map_logger.AttentionMapLogger",
    "lasasr.training.meter": "lasasr.training.metric_logger",
    "lasasr.training.meter.Meter": "lasasr.training.metric_logger.MetricLogger",
    "lasasr.training.refusals": "lasasr.training.non_finite_guard",
    "lasasr.training.refusals.Refusals": "lasasr.training.non_finite_guard.NonFiniteGuard",
    "lasasr.training.updates": "lasasr.training.token_normalized",
    "lasasr.training.updates.Updates": "lasasr.training.token_normalized.TokenNormalizedModule",
    "lasasr.transcription": "lasasr.models.transcription",
    "lasasr.tree": "lasasr.nn.tree",
}

# Keys of earlier versions, dotted → what they are called now; a section moves with all it holds.
RENAMED_KEYS: Final[dict[str, str]] = {}

# Values that never did what they were called: dotted key → value → what it is called now, and what is said of it.
RENAMED_VALUES: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "loss.prior": {
        "uniform": ("unigram", "what was called uniform always followed token frequencies: unigram; evenly is even")
    }
}


def current_path(path: str) -> str:
    """The path of today for one that a file or a command line names; `Class.method` moves with its class."""
    old = max((old for old in MOVED if f"{path}.".startswith(f"{old}.")), key=len, default=None)
    return path if old is None else MOVED[old] + path[len(old) :]


def import_hint(error: BaseException) -> str:
    """Where that is now which a user's own module imports from its place of an earlier version; else nothing."""
    if not isinstance(error, ImportError):
        return ""
    missing = re.fullmatch(r"cannot import name '(\w+)' from '([\w.]+)' .*", str(error))
    path = f"{missing[2]}.{missing[1]}" if missing else str(error.name)
    current = current_path(path)
    return "" if current == path else f"; it is now {current}"


def current_config(config: Any) -> Any:
    """A copy of plain values in which every `_target_`, at any depth, has its path of today."""
    if isinstance(config, Mapping):
        return {
            key: current_path(value) if key == "_target_" and isinstance(value, str) else current_config(value)
            for key, value in config.items()
        }
    return [current_config(value) for value in config] if isinstance(config, list | tuple) else config


def current_keys(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Plain values in which every key and value has its name of today; a value that has that already stays."""
    renamed = deepcopy(dict(config))
    for key, (value, _) in renamed_values(config).items():
        *sections, name = key.split(".")
        section: Any = renamed
        for part in sections:
            section = section[part]
        section[name] = value
    for old, new in RENAMED_KEYS.items():
        is_there, value = _taken(renamed, old.split("."))
        if is_there:
            *above, name = new.split(".")
            section = renamed
            for part in above:
                section = section.setdefault(part, {})
            section.setdefault(name, value)
    return renamed


def renamed_values(config: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Dotted key → (what its value is called now, what is said of the old name), of values with an old name."""
    renamed = {}
    for key, values in RENAMED_VALUES.items():
        value: Any = config
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if isinstance(value, str) and value in values:
            renamed[key] = values[value]
    return renamed


def _taken(section: Any, path: Sequence[str]) -> tuple[bool, Any]:
    """Whether there is a value, and the value, which is there no more; nor is a section that held nothing else."""
    if not isinstance(section, dict) or path[0] not in section:
        return False, None
    if len(path) == 1:
        return True, section.pop(path[0])
    is_there, value = _taken(section[path[0]], path[1:])
    if is_there and not section[path[0]]:
        del section[path[0]]
    return is_there, value
