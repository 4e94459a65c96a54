"""The keys that a recipe may set; one that nothing reads is a slip of the pen, and would be passed over in silence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lasasr.errors import UsageError, nearest


def refuse_unknown(
    config: DictConfig, base: DictConfig, choices: Iterable[str], added: Collection[str], name: str
) -> None:
    """Refuse keys that `base` does not have, in it and in those of its sections that are no groups.

    What stands inside a group is an argument of its part, which refuses others when it is built.

    Args:
        config: composed, interpolations not resolved: a key that another one reads is the recipe's own.
        base: /base or /lm_base, composed alone.
        choices: the config groups of `config`, as `search` or `search@validation.search`.
        added: keys that the command line adds by +.
        name: what messages call the recipe.

    Raises:
        UsageError: a key is unknown.
    """
    groups = {group.rpartition("@")[2] for group in choices} | {one.partition(".")[0] for one in added}
    text = OmegaConf.to_yaml(config)
    plain = OmegaConf.to_container(base, resolve=False)
    assert isinstance(plain, dict)
    for key in _unknown(OmegaConf.to_container(config, resolve=False), plain, groups):
        if f"${{{key}" not in text:
            section = key.rpartition(".")[0]
            known = [f"{section}.{one}" for one in plain[section]] if section else sorted(map(str, plain))
            raise UsageError(f"recipe {name} sets {key}, which nothing reads; {nearest(key, known)}")


def _unknown(config: Any, base: Mapping[Any, Any], groups: Collection[str]) -> Iterator[str]:
    for key, value in config.items():
        if key in groups:
            continue
        if key not in base:
            yield str(key)
        elif isinstance(value, dict) and isinstance(base[key], dict) and "_target_" not in base[key]:
            yield from (f"{key}.{one}" for one in value if one not in base[key] and f"{key}.{one}" not in groups)
