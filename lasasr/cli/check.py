"""`lasasr check`: the conformance suite on one attention, shipped or of the user's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lasasr.cli.arguments import Parser, usable
from lasasr.errors import UsageError

EPILOG = """\
examples:
  lasasr check attend=location                     a shipped variant
  lasasr check attend=location attend.dim=256      with other options
  LASASR_ALLOW=mine PYTHONPATH=. lasasr check _target_=mine.MyAttention width=64

Exit status 0: every promise is kept; 1: one is broken."""


def run(arguments: list[str]) -> int:
    """Print one line per promise and device; 1 if a promise is broken."""
    parser = Parser("check", "Try every promise of the contract on one attention.", EPILOG)
    parser.add_argument("what", metavar="attend=NAME", nargs="+", help="or _target_=module.Class; then its options")
    parser.add_argument("--device", help="cpu or cuda (default: cpu, and cuda where there is one)")
    options = parser.read(arguments)

    config = attention(options.what)
    broken = sum(_report(config, device) for device in _devices(options.device))
    return int(broken > 0)


def attention(what: Sequence[str]) -> dict[str, Any]:
    """The plain configuration that `attend=NAME attend.key=value` or `_target_=module.Class key=value` describes.

    Raises:
        UsageError: it describes no attention, or an unknown one.
    """
    from lasasr.cli import session
    from lasasr.cli.compose import composed

    own = not any(one.startswith("attend=") for one in what) and any("_target_=" in one for one in what)
    if own:
        what = ["+attend._partial_=true", *(f"+attend.{one.removeprefix('attend.')}" for one in what)]
    with session.on_stored({"seed": 1}, {} if own else {"attend": None}, "check") as opened:
        config = composed(opened, what, "check").get("attend")
    if not isinstance(config, dict) or "_target_" not in config:
        raise UsageError(f"{' '.join(what)} names no attention; write attend=NAME or _target_=module.Class")
    return config


def _devices(asked: str | None) -> Iterator[str]:
    import torch

    if asked:
        yield usable(asked)
        return
    yield "cpu"
    if torch.cuda.is_available():
        yield "cuda"


def _report(config: dict[str, Any], device: str) -> int:
    """Print the findings on one device; the number of broken promises."""
    from functools import partial

    from lasasr.attend.conformance import check
    from lasasr.build import build

    make = partial(build, config, "attend")
    make(encoded_dim=6, query_dim=5)  # options without a meaning are a usage error, not a broken promise
    print(f"{config['_target_']} on {device}")
    broken = 0
    for finding in check(make, device):
        print(f"  {'kept  ' if finding.kept else 'BROKEN'}  {finding.promise:<74}  {finding.number}", flush=True)
        broken += not finding.kept
    return broken
