"""The names of a table's columns, and how they become the `id`, `audio`, `text` and `speaker` of `rows.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from lasasr.configuration.arguments import check_arguments
from lasasr.errors import UsageError, nearest

NEMO: Final = {"audio": "audio_filepath", "start_s": "offset", "end_s": "duration"}
"""Our name → the key of NeMo's manifests, whose duration counts from the offset; `text` is called so there too."""


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a table (or of the keys of its JSON lines); the same one may serve twice.

    Args:
        id: name of the column of ids.
        audio: ... of paths of audio files.
        text: ... of transcripts.
        speaker: ... of speakers, who are unknown where there is no such column.
        names: of all columns, in order, of a table without a line of names.
        separator: between the values of a line, without quoting; a .csv without tabs has commas and quotes.
        folder: where the audio lies, relative to the table.
        suffix: of the audio files, where the table leaves it out.
        start_s: ... of the begin of the utterance in its file, s.
        end_s: ... of its end, s.
    """

    id: str = "id"
    audio: str = "audio"
    text: str = "text"
    speaker: str = "speaker"
    names: Sequence[str] | None = None
    separator: str = "\t"
    folder: str = ""
    suffix: str = ""
    start_s: str = "start_s"
    end_s: str = "end_s"

    @property
    def by_role(self) -> dict[str, str]:
        """Our name → the table's."""
        roles = ("id", "audio", "text", "speaker", "start_s", "end_s")
        return {role: getattr(self, role) for role in roles}

    def required(self, roles: Sequence[str] = ("id", "audio", "text")) -> list[str]:
        """The columns of these roles; by default those without which there is no corpus."""
        return list(dict.fromkeys(self.by_role[role] for role in roles))

    def fields(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values of one line by our names; every other key stays."""
        ours = {role: values[column] for role, column in self.by_role.items() if column in values}
        named = {**values, **ours}
        if named.get("audio") and (self.folder or self.suffix):
            folder = f"{self.folder.rstrip('/')}/" if self.folder else ""
            named["audio"] = f"{folder}{named['audio']}{self.suffix}"
        return named

    def identity(self) -> dict[str, Any]:
        """The names; those of times only where they are others, as older versions had none."""
        names = asdict(self)
        return {name: value for name, value in names.items() if name not in ("start_s", "end_s") or value != name}


def columns_from(plain: Columns | Mapping[str, Any] | None) -> Columns | None:
    """`corpus.columns` as it was written: a part with its class, or our names and the table's.

    Raises:
        UsageError: a name is none of ours, or what it stands for is no name.
    """
    if plain is None or isinstance(plain, Columns):
        return plain
    known = [field.name for field in fields(Columns)]
    for name in plain:
        if name not in known:
            turned = plain[name] if plain[name] in known else "text"
            example = name if plain[name] in known else "sentence"
            raise UsageError(
                f"corpus.columns.{name}: our name comes first, as in corpus.columns={{{turned}: {example}}}; "
                f"{nearest(str(name), known)}"
            )
    check_arguments(Columns, plain, "corpus.columns")
    return Columns(**plain)
