"""What the results of a split are called, before it is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from lasasr.artifacts.run_results import Decoding, RunResults
from lasasr.artifacts.runs import Run
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import Prepared
from lasasr.text import transcript


def result_names(
    run: Run, decodings: Sequence[Decoding], prepared: Prepared, split: str, recognizer: Recognizer
) -> list[str]:
    """One for each search; what another search wrote to results/<split>.json makes way first.

    Raises:
        LasasrError: there is no such split, results that are there are damaged, or its name cannot be a result's.
    """
    of_run, data = RunResults(run), prepared.content(split)
    of_run.make_way(split)
    references = partial(_references, prepared, split, recognizer)
    return [str(of_run.name(split, decoding, data, references)) for decoding in decodings]


def _references(prepared: Prepared, split: str, recognizer: Recognizer) -> dict[str, str]:
    """As they stand in results/<split>.jsonl."""
    scored, utterances = transcript.from_name(recognizer.normalizer).scored, prepared.utterances(split)
    return dict(zip(utterances.ids, map(scored, utterances.texts), strict=True))
