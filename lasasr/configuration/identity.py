"""What a configuration trains, in one form: equal forms are one system, and with one seed one run.

However a configuration was written and whichever version wrote it, its normal form is the same: moved classes and
renamed keys have their names of today, places (where data and runs lie) are left out, numbers are canonical, and so is
an absent key: keys at their default go (`settings` of a section, the signature of a part). docs/identity.md says what
that means to users.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from lasasr.configuration import moved, settings
from lasasr.configuration.sections import Plain
from lasasr.configuration.signature_defaults import as_text, canonical, is_default, same, without_defaults

PLACES: Final = ("data_dir", "prepared_dir", "runs_dir")  # where things lie does not change what a run is
BESIDE: Final = ("schema", "recipe", "choices")  # stands in config.yaml, but is no value of it
BUILDING: Final = ("_partial_", "_convert_", "_recursive_")  # how a part is made, whatever it is

# What is no section of `settings` and changes how training is run or watched, but not what is trained: groups, ...
IDLE_GROUPS: Final = ("loading", "logger")
# ... and options of the parts whose class path begins so; they give the same values in another time or memory
IDLE_OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "lasasr.corpora.": ("workers", "download", "source", "cache_dir", "cache_gb", "shards_at_once"),
    "lasasr.listen.": ("lstm", "recompute"),
    "lasasr.spell.": ("compile",),
    "lasasr.training.parallel.": ("timeout_s",),
    "lightning.pytorch.": (
        "accelerator",
        "benchmark",
        "default_root_dir",
        "detect_anomaly",
        "deterministic",
        "enable_autolog_hparams",
        "enable_checkpointing",
        "enable_model_summary",
        "enable_progress_bar",
        "inference_mode",
        "limit_predict_batches",
        "limit_test_batches",
        "log_every_n_steps",
        "logger",
        "model_registry",
        "num_sanity_val_steps",
        "profiler",
        "use_distributed_sampler",
    ),
}

Values = dict[str, Any]  # dotted key → value, canonical


class _Value(NamedTuple):
    key: str
    value: Any
    idle: bool


def normal_form(config: Plain) -> Values:
    """What a configuration trains: the keys that are not at their default and change it. The seed is none of them."""
    return {entry.key: entry.value for entry in _values(_reduced(current(config))) if not entry.idle}


def trained_values(config: Plain) -> Values:
    """The same with keys at their default, as far as the configuration has them."""
    return {entry.key: entry.value for entry in _values(current(config)) if not entry.idle}


def idle_values(config: Plain) -> Values:
    """The keys that are not at their default and do not change what is trained, without the seed and the places."""
    values = _values(_reduced(current(config)))
    return {entry.key: entry.value for entry in values if entry.idle and entry.key != "seed"}


def all_values(config: Plain) -> Values:
    """Every key that the configuration has, but the places."""
    return {entry.key: entry.value for entry in _values(current(config))}


def system_digest(config: Plain) -> str:
    """Eight hexadecimal digits over the normal form."""
    return digest(normal_form(config))


def whole_digest(config: Plain) -> str:
    """Eight hexadecimal digits over every value but the places: what is trained, and how it is run and looked at."""
    return digest(all_values(config))


def digest(values: Plain) -> str:
    """Eight hexadecimal digits over canonical values."""
    return hashlib.sha256(as_text(values).encode()).hexdigest()[:8]


def differing(first: Values, second: Values) -> list[str]:
    """The keys whose values are not the same in both; one that only one of them has is among them."""
    keys = dict.fromkeys((*first, *second))
    return [key for key in keys if not (key in first and key in second and same(first[key], second[key]))]


def current(config: Plain) -> Values:
    """The values of a configuration, nested, as this version would write them, without the places."""
    kept = {key: value for key, value in config.items() if key not in (*PLACES, *BESIDE)}
    renamed = moved.current_keys(moved.current_config(kept))
    places = {str(config[key]): f"<{key}>" for key in PLACES if key in config}
    longest_first = sorted(places.items(), key=lambda pair: -len(pair[0]))
    return {key: _current(value, longest_first) for key, value in renamed.items()}


def _current(value: Any, places: Sequence[tuple[str, str]]) -> Any:
    """Canonical, without what only says how parts are made; a path below a place is the same wherever that lies."""
    if isinstance(value, Mapping):
        return {str(key): _current(inner, places) for key, inner in value.items() if key not in BUILDING}
    if isinstance(value, list | tuple):
        return [_current(inner, places) for inner in value]
    if isinstance(value, str):
        for path, name in places:
            if value == path or value.startswith(f"{path}/"):
                return name + value[len(path) :]
    return canonical(value)


def _reduced(config: Values) -> Values:
    """Without the keys that are at their default, and without sections that hold nothing else."""
    defaults = _section_defaults(_kind(config))
    reduced = {}
    for name, value in config.items():
        if name in defaults and isinstance(value, Mapping) and "_target_" not in value:
            value = _without(value, defaults[name])
            if not value:
                continue
        elif isinstance(value, Mapping):
            value = without_defaults(value)
        reduced[name] = value
    return _without(reduced, defaults[""])


def _without(section: Plain, defaults: Plain) -> Values:
    inner = {key: _part(value) for key, value in section.items()}
    return {key: value for key, value in inner.items() if not (key in defaults and is_default(value, (defaults[key],)))}


def _part(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_defaults(value)
    return [_part(inner) for inner in value] if isinstance(value, list) else value


def _values(config: Values) -> Iterator[_Value]:
    """Every value with its dotted key, and whether it changes nothing of what is trained."""
    return _below(config, "", _idle_keys(_kind(config)), False)


def _kind(config: Plain) -> Any:
    return settings.kind_of(config)


@cache
def _section_defaults(kind: Any) -> dict[str, dict[str, Any]]:
    return settings.section_defaults(kind)


@cache
def _idle_keys(kind: Any) -> frozenset[str]:
    return frozenset(settings.idle_keys(kind) | set(IDLE_GROUPS))


def _below(node: Plain, place: str, idle: frozenset[str], all_idle: bool) -> Iterator[_Value]:
    options = _idle_options(node.get("_target_"))
    for name, value in node.items():
        key = f"{place}{name}"
        none_counts = all_idle or key in idle or name in options
        if isinstance(value, Mapping) and value:
            yield from _below(value, f"{key}.", idle, none_counts)
        elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
            for number, inner in enumerate(value):
                yield from _below({f"{name}[{number}]": inner}, place, idle, none_counts)
        else:
            yield _Value(key, value, none_counts)


def _idle_options(target: Any) -> tuple[str, ...]:
    return next((names for path, names in IDLE_OPTIONS.items() if str(target).startswith(path)), ())
