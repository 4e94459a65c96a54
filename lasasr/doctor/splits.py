"""What the splits share that they should not; no audio is read."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lasasr.data import digests
from lasasr.data.manifest import Utterances
from lasasr.doctor.finding import Finding, Severity, about, overall
from lasasr.remaining import duration
from lasasr.training import data_check

Place = tuple[str, str]  # audio file, channel
Interval = tuple[float, float]  # start and end, seconds
FEWEST_UTTERANCES, LEAST_S = 200, 180.0  # ten digits are learnt from 240 utterances, 0.08 h: docs/tutorial.md
SAME = 0.5  # of an utterance: so much of it heard in training makes it known


def absent(splits: Iterable[str], evaluated: Sequence[str]) -> list[Finding]:
    """Splits that are to be decoded when training ends, but do not exist."""
    advice = data_check.absent(evaluated, splits)
    return [overall("missing split", "error", advice)] if advice else []


def shared(splits: Mapping[str, Utterances]) -> list[Finding]:
    """Audio, ids, speakers and texts of train that are in another split too.

    Audio trained on and tested on makes an error rate worthless: an error (for dev, which only chooses a checkpoint, a
    warning). Known speakers or texts make it the answer to another question, which may be the one that is asked (one's
    own voice, read prompts): warnings.
    """
    train = splits["train"]
    trained_intervals = _intervals(train)
    ids, speakers, texts = set(train.ids), set(train.speakers) - {""}, set(train.texts)
    findings: list[Finding] = []
    for split, other in splits.items():
        if split == "train":
            continue
        of = len(other)
        trained_on = {
            name
            for name, cut in zip(other.ids, other.cuts, strict=True)
            if _is_trained_on(json.loads(cut), trained_intervals)
        }
        findings += about("audio of train", _severity(split), split, sorted(trained_on), of, LEAK)
        same_id = [name for name in other.ids if name in ids and name not in trained_on]
        advice = "the same id names other audio in train: one of the two is mislabelled, or ids need a prefix"
        findings += about("id of train", "warning", split, same_id, of, advice)
        voices = [name for name, speaker in zip(other.ids, other.speakers, strict=True) if speaker in speakers]
        known = len(speakers & set(other.speakers))
        counted = "1 speaker is" if known == 1 else f"{known} speakers are"
        advice = f"{counted} in train too: the error rate is that of known voices"
        findings += about("speaker of train", "warning", split, voices, of, advice)
        read = [name for name, text in zip(other.ids, other.texts, strict=True) if text in texts]
        advice = "train has the same sentences: the decoder may know them by heart"
        findings += about("text of train", "warning", split, read, of, advice)
    return findings


def too_little(train: Utterances) -> list[Finding]:
    """Far less speech than a recognizer can learn from, even of a few words."""
    utterances, seconds = len(train), float(train.durations_s.sum())
    if utterances >= FEWEST_UTTERANCES and seconds >= LEAST_S:
        return []
    advice = (
        f"{utterances} utterances, {duration(seconds)}, are far too little to learn from: usual are "
        f"{FEWEST_UTTERANCES} utterances or more, and {LEAST_S / 60:g} min, of several speakers for a task of ten "
        "words, hours of speech for sentences; record more, or train on a recognizer that is trained already "
        "(warm_start.run)"
    )
    return [Finding("too little speech", "warning", "train", 0, None, (), advice)]


LEAK = "training hears what is tested: take it out of train (debug=overfit learns and tests on the same few)"


def _severity(split: str) -> Severity:
    return "warning" if split == "dev" else "error"


def _intervals(utterances: Utterances) -> dict[Place, list[Interval]]:
    """Where train listens, per file and channel."""
    trained_intervals: dict[Place, list[Interval]] = defaultdict(list)
    for line in utterances.cuts:
        for place, interval in _places(json.loads(line)):
            trained_intervals[place].append(interval)
    return trained_intervals


def _is_trained_on(cut: Mapping[str, Any], trained_intervals: Mapping[Place, list[Interval]]) -> bool:
    return any(
        min(end, stop) - max(start, begin) > SAME * (end - start)
        for place, (start, end) in _places(cut)
        for begin, stop in trained_intervals.get(place, ())
    )


def _places(cut: Mapping[str, Any]) -> Iterator[tuple[Place, Interval]]:
    """Where a cut listens; nowhere, if it is a mixture, which may share its noise with any other."""
    if "tracks" not in cut:
        start = float(cut.get("start", 0.0))
        for path in digests.sources(cut):
            yield (path, json.dumps(cut.get("channel"))), (start, start + float(cut["duration"]))


def copies(splits: Mapping[str, Utterances]) -> list[Finding]:
    """Files of another split that are copies of one in train under another name, by their digests."""
    files = {split: digests.recorded(utterances.path) for split, utterances in splits.items()}
    train = {digest: path for path, digest in files["train"].items()}
    findings: list[Finding] = []
    for split, utterances in splits.items():
        copies = {
            path: train[digest]
            for path, digest in files[split].items()
            if digest in train and path not in files["train"]
        }
        if split == "train" or not copies:
            continue
        of_ids = {
            name: copies[path]
            for name, cut in zip(utterances.ids, utterances.cuts, strict=True)
            for path in digests.sources(json.loads(cut))
            if path in copies
        }
        advice = f"the file is a copy of {next(iter(of_ids.values()))}: {LEAK}" if of_ids else ""
        findings += about("copy of train", _severity(split), split, of_ids, len(utterances), advice)
    return findings
