"""The task of a configuration."""

from __future__ import annotations

from typing import Any

from lasasr.configuration.settings import Language, Recognition, Settings
from lasasr.tasks.base import Task


def task_of(settings: Settings) -> Task[Any, Any, Any]:
    """What does the work on it; only the modules of that task are loaded."""
    if isinstance(settings, Language):
        from lasasr.tasks.language import LanguageTask

        return LanguageTask(settings)
    assert isinstance(settings, Recognition)
    from lasasr.tasks.recognition import RecognitionTask

    return RecognitionTask(settings)
