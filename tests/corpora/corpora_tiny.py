"""A synthetic corpus of half a minute."""

from typing import Any

from lasasr.corpora.synthetic import SyntheticCorpus


def tiny(**options: Any) -> SyntheticCorpus:
    return SyntheticCorpus(**{"hours": 0.006, "dev_utterances": 5, "test_utterances": 7, "workers": 1, **options})


def silent(*_progress: object) -> None:
    """Progress that nobody watches."""
