"""The table of attention variants in docs/attention.md, made from the yaml files and the code.

python scripts/attention_table.py            print it
python scripts/attention_table.py --write    put it into docs/attention.md
"""

from __future__ import annotations

from typing import Any, Final

import torch
from generated import ROOT, GeneratedPage
from generated import table as markdown
from hydra import compose, initialize_config_module
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf
from torch.utils.flop_counter import FlopCounterMode

WIDTH, FRAMES = 256, 100  # E = Q, T
COSTS = f"""\
Costs for encoded frames and queries of width {WIDTH}, and {FRAMES} encoded frames: parameters, what the memory costs
once per utterance and frame, and what each step of each hypothesis costs. Matrix products and convolutions count, two
per multiplication and addition; element-wise functions do not."""

Row = tuple[str, ...]


def table() -> str:
    """Formulas and options, then costs, in Markdown; one row per shipped yaml."""
    names = sorted(path.stem for path in (ROOT / "configs" / "attend").glob("*.yaml") if path.stem[0] != "_")
    with initialize_config_module("lasasr.configs", version_base="1.3"):
        configs: dict[str, Any] = {
            name: OmegaConf.to_container(compose(overrides=[f"+attend={name}"]).attend, resolve=True) for name in names
        }
    formulas = [
        ("`attend=`", "what it is", "formula", "options of its own, or with a default of its own"),
        *(formula(name, config, shared=configs["additive"]) for name, config in configs.items()),
    ]
    prices = [
        ("`attend=`", "parameters", "kFLOP per frame, once", "MFLOP per step"),
        *((f"`{name}`", *costs(config)) for name, config in configs.items()),
    ]
    return f"{markdown(formulas)}\n\n{COSTS}\n\n{markdown(prices, numbers=3)}"


def formula(name: str, config: dict[str, Any], shared: dict[str, Any]) -> Row:
    """The yaml's first line, the first line of its class, and the options that are not those of `shared`."""
    title = (ROOT / "configs" / "attend" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    definition = str(get_class(config["_target_"]).__doc__).splitlines()[0].rstrip(".").replace("|", "\\|")
    own = {key: value for key, value in config.items() if shared.get(key) != value and key != "_target_"}
    options = ", ".join(f"{key} {str(value).lower()}" for key, value in own.items())
    return f"`{name}`", title.removeprefix("# ").rstrip("."), definition, options


def costs(config: dict[str, Any]) -> tuple[str, str, str]:
    """Parameters, kFLOP per encoded frame to make the memory, MFLOP of a step of one hypothesis over T frames."""
    attention = instantiate(config)(encoded_dim=WIDTH, query_dim=WIDTH).eval()
    parameters = sum(parameter.numel() for parameter in attention.parameters())
    with torch.no_grad():
        once, memory = counted(attention.memory, torch.zeros(1, FRAMES, WIDTH), torch.ones(1, FRAMES, dtype=torch.bool))
        step, _ = counted(attention, torch.zeros(1, 1, WIDTH), memory, attention.initial(memory, 1))
    return f"{parameters:,}", f"{once / FRAMES / 1e3:.0f}", f"{step / 1e6:.2f}"


def counted(function: Any, *inputs: Any) -> tuple[int, Any]:
    """FLOPs of a call, and what it returned."""
    products = {torch.ops.aten.mv: lambda matrix, vector, *_, **__: 2 * matrix[0] * matrix[1]}
    with FlopCounterMode(display=False, custom_mapping=products) as counter:
        result = function(*inputs)
    return counter.get_total_flops(), result


PAGE: Final = GeneratedPage(ROOT / "docs" / "attention.md", "scripts/attention_table.py", {"": table})

if __name__ == "__main__":
    PAGE.main(__doc__)
