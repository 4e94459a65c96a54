"""Recipes, and what lies beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hostile_ground as ground
from hostile_case import PREPARE_MINE, RECIPE_HEAD, Case, at, both


def recipes() -> Iterator[Case]:
    """A yaml file that is given as RECIPE, and what lies beside it."""
    for name, damage in {**ground.NOT_FILES, **ground.NOT_YAML}.items():
        if name not in ("date", "binary"):  # which are then refused where they stand
            yield Case(f"recipe-{name}", (), at("mine.yaml", damage), PREPARE_MINE, "mine")
    doubled = "".join(f"b{n}: '${{b{n - 1}}}${{b{n - 1}}}'\n" for n in range(1, 40))
    nodes = "".join(f"c{n}: ['${{c{n - 1}}}', '${{c{n - 1}}}']\n" for n in range(1, 40))
    relative = "d:\n  e0: lol\n" + "".join(f"  e{n}: '${{.e{n - 1}}}${{.e{n - 1}}}'\n" for n in range(1, 40))
    computed = "one: 1\n" + "".join(f"f{n}: '${{f${{one}}}}${{f${{one}}}}'\n" for n in range(1, 40))
    texts = {
        "doubled": f"b0: lol\n{doubled}",
        "doubled-nodes": f"c0: [1, 2]\n{nodes}",
        "doubled-relative": relative,
        "computed": computed,
        "circle-of-names": "b: ${c}\nc: ${b}\n",
        "circle-of-itself": "b: {c: '${b}'}\n",
        "callbacks": "hydra: {callbacks: {x: {_target_: os.system, command: touch MARK}}}\n",
        "env-set": "hydra: {job: {env_set: {LASASR_ALLOW: os}}}\n",
        "logging": "hydra: {job_logging: {handlers: {x: {'()': os.system, command: touch MARK}}}}\n",
        "hydra-logging": "hydra: {hydra_logging: {filters: {x: {'()': os.system}}}}\n",
        "sweeper": "hydra: {sweeper: {sampler: {_target_: os.system, command: touch MARK}}}\n",
        "searchpath": "hydra: {searchpath: [file:///dev/zero]}\nnonsense: 1\n",
        "environment": "note: ${oc.env:NONSENSE_THAT_IS_NOT_SET}\n",
        "resolver": "note: ${nonsense:1}\n",
    }
    for name, text in texts.items():
        yield Case(f"recipe-{name}", (), at("mine.yaml", ground.written(RECIPE_HEAD + text)), PREPARE_MINE, "mine|note")
    for name in ("callbacks", "env-set", "logging", "sweeper"):
        swept = ("train", "mine.yaml", "-m", "seed=1,2")
        yield Case(f"swept-{name}", (), at("mine.yaml", ground.written(RECIPE_HEAD + texts[name])), swept, "hydra")
    beside = RECIPE_HEAD.replace("_self_", "{override /attend: mine}, _self_")
    for name in ("laughs", "deep", "call", "twice", "fifo"):
        damage = {**ground.NOT_FILES, **ground.NOT_YAML}[name]
        group = both(_attend, at("attend/mine.yaml", damage), at("mine.yaml", ground.written(beside)))
        yield Case(f"recipe-group-{name}", (), group, PREPARE_MINE, "mine")


def _attend(work: Path) -> None:
    (work / "attend").mkdir()
