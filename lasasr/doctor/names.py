"""What utterances are called: ids that are hard to tell apart, columns that are not read, audio with two texts."""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from lasasr.corpora.base import Source
from lasasr.data import digests
from lasasr.data.manifest import Utterances
from lasasr.doctor.finding import Finding, about

LONGEST: Final = 200  # bytes of an id: file systems take 255 for a name, which has a split and an ending, too


def unread(corpus: Source) -> list[Finding]:
    """What the corpus's files hold that is not read."""
    return [
        Finding("columns not read", "warning", split, 0, None, (), line) for split, line in corpus.remarks().items()
    ]


def confusable(split: str, utterances: Utterances) -> list[Finding]:
    """Ids that differ in case or in Unicode form only, ids too long to be file names, and audio with two texts."""
    of = len(utterances)
    alike = _alike(utterances.ids)
    advice = "they differ in upper and lower case or in Unicode form only: other tools take them for the same"
    findings = about("ids alike", "warning", split, alike, of, advice)
    long = [name for name in utterances.ids if len(name.encode()) > LONGEST]
    advice = f"more than {LONGEST} bytes: pictures get a shortened name, other tools may fail on them"
    findings += about("long id", "warning", split, long, of, advice)
    places = [_place(json.loads(cut)) for cut in utterances.cuts]
    texts: dict[str, set[str]] = defaultdict(set)
    for place, text in zip(places, utterances.texts, strict=True):
        texts[place].add(text)
    twice = [name for name, place in zip(utterances.ids, places, strict=True) if place and len(texts[place]) > 1]
    advice = "the same audio (file, channel and times) stands with another text, too: one of the two is wrong"
    return findings + about("audio with two texts", "warning", split, twice, of, advice)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _alike(names: Iterable[str]) -> list[str]:
    """The names that are the same when folded, beside each other."""
    by_form: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_form[_folded(name)].append(name)
    return [name for same in by_form.values() if len(same) > 1 for name in same]


def _place(cut: Mapping[str, Any]) -> str:
    """Files, channel and times that a cut hears; "" of a mixture."""
    if "tracks" in cut:
        return ""
    times = [round(float(cut.get("start", 0.0)), 4), round(float(cut["duration"]), 4)]
    return json.dumps([sorted(digests.sources(cut)), cut.get("channel"), *times])
