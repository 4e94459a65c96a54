"""`lasasr check`: the conformance suite of a contract on one implementation, shipped or of the user's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from lasasr.cli.arguments import Parser, usable
from lasasr.errors import UsageError

if TYPE_CHECKING:
    from lasasr.nn.conformance import Finding

GROUPS: Final = ("attend", "listen", "frontend")  # the first is meant where `_target_=` stands without a group
EPILOG = """\
examples:
  lasasr check attend=location                     a shipped variant
  lasasr check attend=location attend.dim=256      with other options
  lasasr check listen=pyramid                      an encoder
  lasasr check frontend=fbank80                    a front end
  LASASR_ALLOW=mine PYTHONPATH=. lasasr check attend._target_=mine.MyAttention attend.width=64
  LASASR_ALLOW=mine PYTHONPATH=. lasasr check listen._target_=mine.MyEncoder

Exit status 0: every promise is kept; 1: one is broken."""


def run(arguments: list[str]) -> int:
    """Print one line per promise and device; 1 if a promise is broken."""
    parser = Parser("check", "Try every promise of a contract on one implementation of it.", EPILOG)
    parser.add_argument(
        "what",
        metavar="GROUP=NAME",
        nargs="+",
        help=f"{', '.join(GROUPS)}; or GROUP._target_=module.Class; then options",
    )
    parser.add_argument("--device", help="cpu or cuda (default: cpu, and cuda where there is one)")
    options = parser.read(arguments)

    group, config = part(options.what)
    broken = sum(_report(group, config, device) for device in _devices(options.device))
    return int(broken > 0)


def part(what: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The group, and the plain configuration that `GROUP=NAME GROUP.key=value` or `GROUP._target_=...` describes.

    Raises:
        UsageError: it describes no part of such a group, parts of several, or an unknown one.
    """
    from lasasr.cli import session
    from lasasr.cli.compose import composed

    group = _group(what)
    own = not any(one.startswith(f"{group}=") for one in what) and any("_target_=" in one for one in what)
    if own:
        partial = [f"+{group}._partial_=true"] if group != "frontend" else []
        what = [*partial, *(f"+{group}.{one.removeprefix(f'{group}.')}" for one in what)]
    with session.on_stored({"seed": 1}, {} if own else {group: None}, "check") as opened:
        config = composed(opened, what, "check").get(group)
    if not isinstance(config, dict) or "_target_" not in config:
        raise UsageError(f"{' '.join(what)} names nothing to check; write GROUP=NAME or GROUP._target_=module.Class")
    return group, config


def _group(what: Sequence[str]) -> str:
    keys = [one.partition("=")[0] for one in what]
    named = {group for group in GROUPS for key in keys if key == group or key.startswith(f"{group}.")}
    if len(named) > 1:
        raise UsageError(f"{', '.join(sorted(named))}: check one part at a time")
    if named:
        return named.pop()
    if "_target_" not in keys:
        raise UsageError(f"{' '.join(what)} names nothing to check; write GROUP=NAME with GROUP of {', '.join(GROUPS)}")
    return GROUPS[0]


def _devices(asked: str | None) -> Iterator[str]:
    import torch

    if asked:
        yield usable(asked)
        return
    yield "cpu"
    if torch.cuda.is_available():
        yield "cuda"


def _report(group: str, config: dict[str, Any], device: str) -> int:
    """Print the findings on one device; the number of broken promises."""
    print(f"{config['_target_']} on {device}")
    broken = 0
    for finding in _findings(group, config, device):
        print(f"  {'kept  ' if finding.kept else 'BROKEN'}  {finding.promise:<74}  {finding.number}", flush=True)
        broken += not finding.kept
    return broken


def _findings(group: str, config: dict[str, Any], device: str) -> Iterator[Finding]:
    """The findings on one device; options without a meaning are a usage error, not a broken promise."""
    from functools import partial

    from lasasr.models import factory

    make = partial(factory.build, config, group)
    if group == "attend":
        from lasasr.attend.conformance import check

        make(encoded_dim=6, query_dim=5)
        return check(make, device)
    if group == "listen":
        from lasasr.listen.conformance import check as check_encoder

        make(input_dim=80)
        return check_encoder(make, device)
    from lasasr.audio.conformance import check as check_frontend

    return check_frontend(partial(factory.frontend, config, seed=1), device)
