"""The names of a table's columns, and how they become the `id`, `audio`, `text` and `speaker` of `rows.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a table (or of the keys of its JSON lines); the same one may serve twice.

    Args:
        id, audio, text, speaker: names; a table without a column `speaker` has unknown ones.
        names: of all columns, in order, of a table without a line of names.
        separator: between the values of a line; there is no quoting.
        folder: where the audio lies, relative to the table.
        suffix: of the audio files, where the table leaves it out.
    """

    id: str = "id"
    audio: str = "audio"
    text: str = "text"
    speaker: str = "speaker"
    names: Sequence[str] | None = None
    separator: str = "\t"
    folder: str = ""
    suffix: str = ""

    def required(self, fields: Sequence[str] = ("id", "audio", "text")) -> list[str]:
        """The columns of these fields; by default those without which there is no corpus."""
        names = {"id": self.id, "audio": self.audio, "text": self.text}
        return list(dict.fromkeys(names[field] for field in fields))

    def fields(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values of one line by our names; every other key stays."""
        ours = {"id": self.id, "audio": self.audio, "text": self.text, "speaker": self.speaker}
        fields = {**values, **{name: values[column] for name, column in ours.items() if column in values}}
        if fields.get("audio") and (self.folder or self.suffix):
            folder = f"{self.folder.rstrip('/')}/" if self.folder else ""
            fields["audio"] = f"{folder}{fields['audio']}{self.suffix}"
        return fields
