"""The parts of LibriSpeech (www.openslr.org/12), of Mini LibriSpeech (/31) and the text for language models (/11)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from lasasr.artifacts.temporary import flush_folder
from lasasr.corpora.base import Progress
from lasasr.corpora.download import Archive, fetch, unpack
from lasasr.errors import UsageError, nearest

OPENSLR: Final = "https://www.openslr.org/resources"

# MD5 from the md5sum.txt beside the archives; bytes
PARTS: Final[Mapping[str, Archive]] = {
    "dev-clean": Archive("12/dev-clean.tar.gz", "42e2234ba48799c1f50f24a7926300a1", 337_926_286),
    "dev-other": Archive("12/dev-other.tar.gz", "c8d0bcc9cca99d4f8b62fcc847357931", 314_305_928),
    "test-clean": Archive("12/test-clean.tar.gz", "32fa31d27d2e1cad72775fee3f4849a9", 346_663_984),
    "test-other": Archive("12/test-other.tar.gz", "fb5a50374b501bb3bac4815ee91d3135", 328_757_843),
    "train-clean-100": Archive("12/train-clean-100.tar.gz", "2a93770f6d5c6c964bc36631d331a522", 6_387_309_499),
    "train-clean-360": Archive("12/train-clean-360.tar.gz", "c0e676e450a7ff2f54aeade5171606fa", 23_049_477_885),
    "train-other-500": Archive("12/train-other-500.tar.gz", "d1a0fd59409feb2c614ce4d30c387708", 30_593_501_606),
    "train-clean-5": Archive("31/train-clean-5.tar.gz", "5df7d4e78065366204ca6845bb08f490", 332_954_390),
    "dev-clean-2": Archive("31/dev-clean-2.tar.gz", "6d7ab67ac6a1d2c993d050e16d61080d", 126_046_265),
}
# no checksum is published for it: this one is of a copy
LM_TEXT: Final = Archive("11/librispeech-lm-norm.txt.gz", "c83c64c726a1aedfe65f80aa311de402")


def download_librispeech(
    parts: Sequence[str],
    root: Path,
    progress: Progress,
    source: str = OPENSLR,
    archives: Mapping[str, Archive] = PARTS,
) -> None:
    """Make `<root>/LibriSpeech/<part>` of every part that is not there; a folder that is there is left alone.

    Args:
        parts: as LibriSpeech names them: dev-clean, ..., and train-clean-5 and dev-clean-2 of Mini LibriSpeech.
        root: folder; the archives lie in it until they are unpacked.
        source: address that the archives' are relative to; OpenSLR's mirrors have others.
        archives: what there is to download.

    Raises:
        UsageError: LibriSpeech has no such part.
        LasasrError: see `fetch` and `unpack`.
    """
    missing = [part for part in parts if not (root / "LibriSpeech" / part).is_dir()]
    for part in missing:
        if part not in archives:
            raise UsageError(f"LibriSpeech has no part {part}; {nearest(part, archives)}")
    for part in missing:
        archive = archives[part]
        path = root / f"{part}.tar.gz"
        fetch(archive._replace(url=f"{source.rstrip('/')}/{archive.url}"), path, progress)
        unpack(path, partial(_move, root=root, part=part), progress)
        path.unlink()


def download_lm_text(folder: Path, progress: Progress, source: str = OPENSLR, archive: Archive = LM_TEXT) -> Path:
    """The normalised text of LibriSpeech's language models (about 800 M words, capitals, gzipped) in `folder`.

    Raises:
        LasasrError: see `fetch`.
    """
    path = folder / Path(archive.url).name
    fetch(archive._replace(url=f"{source.rstrip('/')}/{archive.url}"), path, progress)
    return path


def _move(folder: Path, root: Path, part: str) -> None:
    """The part, by one rename, and the corpus's own documents (licence, speakers), where they are not there yet.

    Raises:
        FileNotFoundError: the archive holds no such part.
    """
    unpacked, corpus = folder / "LibriSpeech", root / "LibriSpeech"
    corpus.mkdir(exist_ok=True)
    for document in (path for path in unpacked.iterdir() if path.is_file() and not (corpus / path.name).exists()):
        shutil.move(document, corpus / document.name)
    (unpacked / part).rename(corpus / part)
    flush_folder(corpus)
    flush_folder(root)
