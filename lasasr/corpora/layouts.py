"""Writes prepared cuts as the directories in which TIMIT and LibriSpeech are distributed.

So the code that reads those two corpora runs on true layouts without the corpora themselves.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from lhotse import MonoCut
from numpy.typing import NDArray

from lasasr.artifacts.files import replacing, write_text
from lasasr.corpora.audio_files import write_flac
from lasasr.corpora.timing import Segment
from lasasr.corpora.timit_phones import timit_phones

_HEADER_BYTES = 1024
_REGIONS = 8  # DR1 to DR8


def write_librispeech(cuts: Iterable[MonoCut], root: Path, split: str, first_speaker: int = 1) -> None:
    """Write `<root>/LibriSpeech/<split>/<speaker>/1/<speaker>-1-<number>.flac` and `.trans.txt` in capitals.

    Args:
        first_speaker: number of the first speaker; the others follow in the order of their names.
    """
    for number, (_, spoken) in enumerate(_by_speaker(cuts), start=first_speaker):
        folder = root / "LibriSpeech" / split / str(number) / "1"
        lines = []
        for index, cut in enumerate(spoken):
            name = f"{number}-1-{index:04d}"
            write_flac(folder / f"{name}.flac", _samples(cut), cut.sampling_rate)
            lines.append(f"{name} {_text(cut).upper()}\n")
        write_text(folder / f"{number}-1.trans.txt", "".join(lines))


def write_timit(
    cuts: Iterable[MonoCut], root: Path, part: str, speakers: Sequence[str] | None = None, first_speaker: int = 0
) -> None:
    """Write `<root>/<part>/DR1/FCJF0/SX37.WAV` (NIST SPHERE), `.PHN`, `.WRD` and `.TXT`; times in samples.

    Args:
        cuts: with the alignments "word" and "phone" of the synthetic corpus.
        part: TRAIN or TEST.
        speakers: names to give out in turn, as `DR1/FELC0` (a test set has fixed ones); by default invented ones ...
        first_speaker: ... counted from here, so that two calls do not invent the same.
    """
    number = 0
    for index, (_, spoken) in enumerate(_by_speaker(cuts), start=first_speaker):
        speaker = speakers[index % len(speakers)] if speakers else _timit_speaker(index)
        for cut in spoken:
            number += 1
            _write_timit_utterance(cut, root / part / speaker / f"{'SX' if number % 2 else 'SI'}{number}")


def _by_speaker(cuts: Iterable[MonoCut]) -> list[tuple[str, list[MonoCut]]]:
    ordered = sorted(cuts, key=lambda cut: (_speaker(cut), cut.id))
    return [(speaker, list(spoken)) for speaker, spoken in groupby(ordered, _speaker)]


def _speaker(cut: MonoCut) -> str:
    return str(cut.supervisions[0].speaker)


def _text(cut: MonoCut) -> str:
    return str(cut.supervisions[0].text)


def _samples(cut: MonoCut) -> NDArray[np.int16]:
    samples: NDArray[np.float32] = cut.load_audio()[0]
    return np.round(samples * 32768).clip(-32768, 32767).astype(np.int16)


def _timit_speaker(index: int) -> str:
    """A name of TIMIT's form: dialect region, sex, three letters, a digit."""
    letters = string.ascii_uppercase
    initials = "".join(letters[index // 26**power % 26] for power in (2, 1, 0))
    return f"DR{index % _REGIONS + 1}/{'FM'[index % 2]}{initials}0"


def _write_timit_utterance(cut: MonoCut, base: Path) -> None:
    samples = _samples(cut)
    alignment: Mapping[str, Sequence[Segment]] = {
        kind: [Segment(item.symbol, item.start, item.end) for item in items]
        for kind, items in cut.supervisions[0].alignment.items()
    }
    sphere = _sphere(samples, cut.sampling_rate, f"{base.parent.name}_{base.name}".lower())
    with replacing(base.with_suffix(".WAV")) as temporary:
        temporary.write_bytes(sphere)
    phones = [symbol for phone in alignment["phone"] for symbol in timit_phones(phone)]
    write_text(base.with_suffix(".PHN"), _times(_with_pauses(phones, cut.duration), cut.sampling_rate))
    write_text(base.with_suffix(".WRD"), _times(alignment["word"], cut.sampling_rate))
    write_text(base.with_suffix(".TXT"), f"0 {len(samples)} {_text(cut).capitalize()}.\n")


def _with_pauses(phones: Sequence[Segment], duration_s: float) -> list[Segment]:
    """Fill the gaps: h# at both ends, pau between words."""
    filled = [Segment("h#", 0.0, phones[0].start_s)]
    for phone in phones:
        if phone.start_s - filled[-1].end_s > 1e-6:
            filled.append(Segment("pau", filled[-1].end_s, phone.start_s))
        filled.append(phone)
    return [*filled, Segment("h#", phones[-1].end_s, duration_s)]


def _times(segments: Sequence[Segment], sampling_rate: int) -> str:
    return "".join(
        f"{round(segment.start_s * sampling_rate)} {round(segment.end_s * sampling_rate)} {segment.symbol}\n"
        for segment in segments
    )


def _sphere(samples: NDArray[np.int16], sampling_rate: int, utterance_id: str) -> bytes:
    """NIST SPHERE: a header of 1024 bytes, then little-endian 16-bit samples."""
    fields = [
        "NIST_1A",
        f"{_HEADER_BYTES:7d}",
        "database_id -s5 TIMIT",
        "database_version -s3 1.0",
        f"utterance_id -s{len(utterance_id)} {utterance_id}",
        "channel_count -i 1",
        f"sample_count -i {len(samples)}",
        f"sample_rate -i {sampling_rate}",
        f"sample_min -i {samples.min()}",
        f"sample_max -i {samples.max()}",
        "sample_n_bytes -i 2",
        "sample_byte_format -s2 01",
        "sample_sig_bits -i 16",
        "end_head",
    ]
    header = ("\n".join(fields) + "\n").encode("ascii")
    return header.ljust(_HEADER_BYTES) + samples.astype("<i2").tobytes()
