"""`lasasr check`: the conformance suite of a contract on one implementation, shipped or of the user's own."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lasasr.cli.arguments import Parser, usable
from lasasr.errors import UsageError

if TYPE_CHECKING:
    from lasasr.nn.conformance import Finding
    from lasasr.search.base import Scorer

SUITES: Final = {
    "attend": "lasasr.attend.conformance",
    "listen": "lasasr.listen.conformance",
    "frontend": "lasasr.audio.conformance",
    "spell": "lasasr.spell.conformance",
    "loss": "lasasr.losses.conformance",
    "scorer": "lasasr.search.conformance",
}
GROUPS: Final = tuple(SUITES)  # the first one is meant where `_target_=` stands without a group
FINISHED: Final = ("attend", "listen", "spell")  # by what the model knows: their yaml says `_partial_`
# A scorer is an entry of `search.scorers`; `scorer` is short for one called `mine`.
ENTRY: Final = re.compile(r"(?P<sign>[+~]*)(?:scorer@)?(?:scorer|search\.scorers\.(?P<name>\w+))(?P<rest>[.=].*)")
EPILOG = """\
examples:
  lasasr check attend=location                     a shipped variant
  lasasr check attend=location attend.dim=256      with other options
  lasasr check listen=pyramid                      an encoder
  lasasr check listen=pyramid +listen.input_dim=40    for features of another width than 80
  lasasr check frontend=fbank80                    a front end
  lasasr check spell=lstm                          a decoder
  lasasr check loss=joint                          a loss
  lasasr check scorer=coverage                     a scorer of beam search
  lasasr check scorer=lm scorer.lm=LMRUN           a language model as one
  LASASR_ALLOW=mine PYTHONPATH=. lasasr check attend._target_=mine.MyAttention attend.width=64
  LASASR_ALLOW=mine PYTHONPATH=. lasasr check search.scorers.mine._target_=mine.MyScorer

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

    subject = part(options.what)
    broken = sum(_report(subject, device) for device in _devices(options.device))
    return int(broken > 0)


class Part(NamedTuple):
    """What is tried."""

    group: str
    config: dict[str, Any]  # plain values
    place: str  # in the configuration


def part(what: Sequence[str]) -> Part:
    """The part that `GROUP=NAME GROUP.key=value` or `GROUP._target_=...` describes.

    A scorer may be written as an entry of `search.scorers`, as for `lasasr evaluate`.

    Raises:
        UsageError: it describes no part of such a group, parts of several, or an unknown one.
    """
    from lasasr.cli import session
    from lasasr.cli.compose import composed

    group = _group(what)
    what, place = _as_entry(what) if group == "scorer" else (list(what), group)
    own = any("_target_=" in word for word in what) and not any(_chooses(word, group) for word in what)
    if own:
        partial = [f"+{group}._partial_=true"] if group in FINISHED else []
        what = [*partial, *(word if word.startswith("hydra.") else _added(word, place) for word in what)]
    base: dict[str, Any] = {"seed": 1, "search": {"scorers": {}}} if group == "scorer" else {"seed": 1}
    # an encoder may choose the front end that it needs, which stands before it
    groups = {"frontend": None, "listen": None} if group == "listen" else {group: None}
    with session.on_stored(base, {} if own or group == "scorer" else groups, "check") as opened:
        config: Any = composed(opened, what, "check")
    for key in place.split("."):
        config = config.get(key) if isinstance(config, dict) else None
    if not isinstance(config, dict) or "_target_" not in config:
        raise UsageError(f"{' '.join(what)} names nothing to check; write GROUP=NAME or GROUP._target_=module.Class")
    return Part(group, config, place)


def _added(word: str, place: str) -> str:
    return f"+{place}.{word.lstrip('+').removeprefix(f'{place}.')}"


def _chooses(word: str, group: str) -> bool:
    return word.startswith((f"{group}=", "+scorer@"))


def _as_entry(what: Sequence[str]) -> tuple[list[str], str]:
    """The same as overrides of one entry of `search.scorers`, and the entry's place."""
    matches = [ENTRY.fullmatch(word) for word in what]
    names = sorted({match["name"] for match in matches if match and match["name"]}) or ["mine"]
    if len(names) > 1:
        raise UsageError(f"{', '.join(f'search.scorers.{name}' for name in names)}: check one part at a time")
    place = f"search.scorers.{names[0]}"
    return [_entry(word, match, place) for word, match in zip(what, matches, strict=True)], place


def _entry(word: str, match: re.Match[str] | None, place: str) -> str:
    if match is None:
        return word
    chooses = match["rest"].startswith("=")
    return f"+scorer@{place}{match['rest']}" if chooses else f"{match['sign']}{place}{match['rest']}"


def _group(what: Sequence[str]) -> str:
    keys = [word.partition("=")[0].lstrip("+~") for word in what]
    named = {group for group in GROUPS for key in keys if key == group or key.startswith(f"{group}.")}
    named |= {"scorer" for word in what if ENTRY.fullmatch(word)}
    if len(named) > 1:
        raise UsageError(f"{', '.join(sorted(named))}: check one part at a time")
    if named:
        return named.pop()
    if "_target_" not in keys:
        raise UsageError(f"{' '.join(what)} names nothing to check; write GROUP=NAME with GROUP of {', '.join(GROUPS)}")
    return GROUPS[0]


def _devices(device: str | None) -> Iterator[str]:
    import torch

    if device:
        yield usable(device)
        return
    yield "cpu"
    if torch.cuda.is_available():
        yield "cuda"


def _report(subject: Part, device: str) -> int:
    """Print the findings on one device; the number of broken promises."""
    print(f"{subject.config['_target_']} on {device}")
    broken = 0
    for finding in _findings(subject, device):
        print(f"  {'kept  ' if finding.kept else 'BROKEN'}  {finding.promise:<74}  {finding.number}", flush=True)
        broken += not finding.kept
    return broken


def _findings(subject: Part, device: str) -> Iterator[Finding]:
    """The findings on one device; options without a meaning are a usage error, not a broken promise."""
    said = _input_dim(subject)
    if said:
        subject = subject._replace(config={key: value for key, value in subject.config.items() if key != "input_dim"})
    make = _maker(subject)
    sizes = _sizes(subject) | said
    if subject.group in FINISHED:
        _initialised(subject.group, partial(make, **sizes))
    else:
        make(**sizes)
    of_input = sizes if subject.group == "listen" else {}
    findings: Iterator[Finding] = importlib.import_module(SUITES[subject.group]).check(make, device, **of_input)
    return findings


def _input_dim(subject: Part) -> dict[str, int]:
    """That of the front end an encoder is meant for, if it is said; an encoder with weights takes no other."""
    if subject.group != "listen" or "input_dim" not in subject.config:
        return {}
    width = subject.config["input_dim"]
    if type(width) is not int or width < 1:
        raise UsageError(f"listen.input_dim is {width!r}, not a whole number of at least 1")
    return {"input_dim": width}


def _initialised(group: str, build: Callable[[], Any]) -> None:
    """Draw initial weights as training does, which says what it would draw anew."""
    from lasasr.models.preset_weights import initialise_checked
    from lasasr.nn.initial_weights import built_by

    initialise_checked(built_by(1, group, build), 1, f"{group}.", lambda: built_by(2, group, build))


def _maker(subject: Part) -> Callable[..., Any]:
    """What builds the part, as training and decoding do; scorers score letters."""
    from lasasr.models import encoder_parts, factory, search_parts

    group, config, place = subject
    if group == "frontend":
        return partial(factory.frontend, config, 1)
    if group == "loss":
        return partial(factory.loss, config, 1)
    if group == "scorer":
        name = place.rpartition(".")[2]
        from lasasr.search.trial import V
        from lasasr.text import special

        letters = ascii_lowercase[: V - special.FIRST_TEXT - 1]
        pieces = (*special.NAMES, " ", *letters)
        return lambda weight: search_parts.scorer({**config, "weight": weight}, name, _language_model, V, pieces=pieces)
    return partial(factory.build, encoder_parts.resolved_encoder(config) if group == "listen" else config, group)


def _sizes(subject: Part) -> dict[str, Any]:
    """What a part is built with once, before its promises are tried."""
    group = subject.group
    if group == "listen":
        from lasasr.models import factory

        return {"input_dim": factory.required_input_dim(subject.config) or 80}
    if group == "spell":
        from lasasr.spell.trial import TrialAttention

        return {"attend": TrialAttention, "encoded_dim": 6, "vocabulary_size": 9}
    sizes: dict[str, dict[str, Any]] = {
        "attend": {"encoded_dim": 6, "query_dim": 5},
        "scorer": {"weight": 1.0},
    }
    return sizes.get(group, {})


@cache
def _language_model(path: str) -> Scorer:
    """The language model at `path` over its own tokens; one of words over letters."""
    from lasasr.artifacts import run_paths
    from lasasr.models import language_model
    from lasasr.text.character import CharacterTokenizer

    if Path(path).is_file() or Path(path).suffix in language_model.N_GRAM_SUFFIXES:
        return language_model.scorer(path, CharacterTokenizer.train([f"{ascii_lowercase} "]))
    return language_model.scorer(path, language_model.load_tokenizer(run_paths.bundle_folder(Path(path))))
