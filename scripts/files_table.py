"""Tables of docs/files.md: columns of tables, keys of results and sweeps, made from what reads and checks these files.

python scripts/files_table.py            print them
python scripts/files_table.py --write    put them into docs/files.md

What is read stands in the code; what it means stands here, and a key without a meaning, or a meaning without a key,
ends the script.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from generated import ROOT, GeneratedPage, Row, cell, table

from lasasr.artifacts import race_file, results, sweep_file
from lasasr.artifacts.kinds import NUMBER
from lasasr.configuration.typed import described
from lasasr.corpora.columns import NEMO, Columns
from lasasr.corpora.rows import REQUIRED
from lasasr.metrics.triage import FLAGS

COLUMNS: Final = {
    "id": "of the utterance, each one once; where no line has one, the names of the audio files are the ids",
    "audio": "a path, absolute or relative to the table",
    "text": "the transcript as it was written; the transcript rule is applied later",
    "speaker": "who speaks; intervals, tests and divisions go by speaker",
    "start_s": "seconds in the audio file where the utterance begins",
    "end_s": "seconds in the audio file where it ends; NeMo's `duration` counts from its `offset`",
}
SUMMARY: Final = {
    "split": "which split was decoded",
    "metric": "what is counted: `wer`, `cer` or `per`",
    "percent": "100 × errors / reference_length",
    "ci95": "the 95 % interval of `percent`, in percent; null where one utterance shows no spread",
    "ci_method": "how the interval was made, and whether it is over speakers or utterances",
    "errors": "substitutions + deletions + insertions of the whole split",
    "substitutions": "units of the reference that were recognized as others",
    "deletions": "units of the reference that were left out",
    "insertions": "units that the reference does not have",
    "reference_length": "units of all references: words, characters or phones",
    "utterances": "how many were decoded",
    "cer_percent": "the character error rate beside the word error rate",
    "audio_s": "length of the audio, seconds",
    "decode_s": "time that decoding took, seconds",
    "rtf": "decode_s / audio_s",
    "normalizer": "the transcript rule that both sides went through, and its version",
    "recipe": "of the run",
    "corpus": "fingerprint of the corpus's configuration",
    "attend": "the attention",
    "protocol": "how errors are counted, where the corpus has a rule of its own (TIMIT)",
    "alignment": "how attention moved, and how far its word times are off",
    "alignment.boundaries": "errors of word boundaries, ms, against a reference",
    "alignment.boundaries.combined": "those of attention and CTC together",
    "alignment.boundaries.attention": "those of attention",
    "alignment.boundaries.ctc": "those of CTC",
    "alignment.correlation": "of the attended frame with the step, -1 to 1; 1 is an even diagonal",
    "alignment.focus": "mean of the largest weight of each step, 0 to 1",
    "alignment.skipped": "share of the frames that were not attended to at any step",
    "alignment.reread": "share of the frames that were attended to again later",
    "triage": "flags counted, error rates by duration and speaker",
    "confidence": "how far the confidence of words can be believed, after `lasasr calibrate`",
    "search": "the search, with all its options",
    "outside_vocabulary": "what the tokenizer does not know of the references",
    "outside_vocabulary.utterances": "utterances with such characters",
    "outside_vocabulary.symbols": "how many of these characters there are",
    "outside_vocabulary.most_frequent": "character → how often",
    "search_id": "eight hexadecimal digits that tell searches apart",
    "data": "digest of what the split holds",
    "seed": "of the run",
    "speakers": "how many speakers the utterances have; null where they are not known",
    "parameters": "of the model",
}
UTTERANCE: Final = {
    "id": "of the utterance",
    "reference": "what was said, after the transcript rule",
    "hypothesis": "what was recognized",
    "substitutions": "of this utterance",
    "deletions": "of this utterance",
    "insertions": "of this utterance",
    "speaker": "who spoke; null where that is not known",
    "duration_s": "length, seconds",
    "flags": f"{', '.join(f'`{flag}`' for flag in FLAGS)}",
    "words": "the words with `start_s`, `end_s` and, after `lasasr calibrate`, `confidence`",
}
SWEEP: Final = {
    "recipe": "of all its runs",
    "overrides": "as they were typed, the swept ones with their commas",
    "runs": "the folders of the runs, relative to that of the sweep",
    "jobs": "of each run: its overrides and its whole configuration",
}
RACE: Final = {
    "recipe": "of all its runs",
    "overrides": "as they were typed",
    "design": "what was declared beforehand: seeds at each look, relevant difference, level",
    "systems": "system → its jobs in sweep.json, by seed",
    "looks": "of each look: seeds, when, error rates, p, seeds that were lost",
    "found": "worse, better, level: the smallest level, for all looks, at which this was found",
    "left": "system → why it left, against which one, at which look",
    "finished": "whether there will be no other look",
}


def columns() -> str:
    """The columns of a table."""
    roles = list(Columns().by_role)
    rows = [
        (f"`{role}`", f"`{NEMO.get(role, role)}`" if role in NEMO or role == "text" else "", _needed(role), meaning)
        for role, meaning in meanings(roles, COLUMNS)
    ]
    return table([("column", "in NeMo's manifests", "must be there", "meaning"), *rows])


def _needed(role: str) -> str:
    return "yes, or made of file names" if role == "id" else "yes" if role in REQUIRED else "no"


def summary() -> str:
    """results/<split>.json."""
    return keys_table({**results.OPTIONAL, **results.SUMMARY}, SUMMARY, results.SUMMARY)


def utterance() -> str:
    """A line of results/<split>.jsonl."""
    return keys_table({**results.LINE_OPTIONAL, **results.LINE}, UTTERANCE, results.LINE)


def sweep() -> str:
    """sweep.json."""
    return keys_table(sweep_file.SWEEP_KINDS, SWEEP)


def race() -> str:
    """race.json."""
    return keys_table(race_file.KINDS, RACE)


def keys_table(kinds: Mapping[str, Any], said: Mapping[str, str], always: Mapping[str, Any] | None = None) -> str:
    """A row for each key; those of `always` are in every file."""
    rows: list[Row] = [("key", "type", "meaning")]
    for key, meaning in meanings(list(kinds), said):
        optional = "" if always is None or key in always else "; may be absent"
        kind = described(kinds[key]).replace(described(NUMBER), described(float))
        rows.append((f"`{key}`", f"{kind}{optional}", cell(meaning)))
    return table(rows)


def meanings(keys: list[str], said: Mapping[str, str]) -> list[tuple[str, str]]:
    """Key and meaning, in the order in which the meanings stand.

    Raises:
        ValueError: a key has no meaning, or what has one is no key.
    """
    if set(keys) != set(said):
        raise ValueError(f"keys and meanings differ: {sorted(set(keys) ^ set(said))}")
    return list(said.items())


PARTS: Final = {"columns": columns, "summary": summary, "utterance": utterance, "sweep": sweep, "race": race}
PAGE: Final = GeneratedPage(ROOT / "docs" / "files.md", "scripts/files_table.py", PARTS)

if __name__ == "__main__":
    PAGE.main(__doc__)
