"""Result folders of ESPnet (text, score_wer/ref.trn, score_wer/hyp.trn) and data folders of Kaldi (text, utt2spk)."""

from __future__ import annotations

from pathlib import Path

from lasasr.errors import LasasrError
from lasasr.transcripts import kaldi, trn
from lasasr.transcripts.base import Texts, Transcripts


def read(path: Path) -> Transcripts:
    """A folder. What ESPnet scored (score_wer) precedes its raw text: both sides of it are tokenised alike.

    Raises:
        LasasrError: none of the files is there, or they do not belong together.
    """
    text, scored = path / "text", path / "score_wer"
    has_text = text.is_file()
    if (scored / "hyp.trn").is_file() and (scored / "ref.trn").is_file():
        references, hypotheses = trn.texts(scored / "ref.trn"), trn.texts(scored / "hyp.trn")
        if not has_text:
            return Transcripts(path, references=references, hypotheses=hypotheses, ids_note=_sclite_ids(path))
        keys = {key: _utterance(scored, key, known) for known in [kaldi.table(text)] for key in references}
        speakers = {keys[key]: key[: -len(keys[key]) - 1] for key in references}
        return Transcripts(
            path,
            references=_renamed(scored / "ref.trn", references, keys),
            hypotheses=_renamed(scored / "hyp.trn", hypotheses, keys),
            speakers={utterance: speaker for utterance, speaker in speakers.items() if speaker},
        )
    if has_text:
        return kaldi.read(text)
    raise LasasrError(
        f"{path} is no result folder: it holds neither text nor score_wer/ref.trn and hyp.trn (a run of "
        f"lasasr is given without a name)"
    )


def _sclite_ids(path: Path) -> str:
    return (
        f"{path} has score_wer only, where ESPnet writes each id as speaker-utterance: copy a text with the "
        f"utterances' own ids (of the decoding or of the data folder) to {path / 'text'}"
    )


def _utterance(folder: Path, key: str, known: Texts) -> str:
    """The utterance that `speaker-utterance` stands for."""
    cuts = [index + 1 for index, sign in enumerate(key) if sign == "-"]
    matching = [key[cut:] for cut in (0, *cuts) if key[cut:] in known]
    if len(matching) != 1:
        several = f"means several utterances ({', '.join(matching)})" if matching else "is no utterance"
        raise LasasrError(f"{folder / 'ref.trn'}: {key} {several} of {folder.parent / 'text'}")
    return matching[0]


def _renamed(path: Path, texts: Texts, keys: Texts) -> Texts:
    if unknown := next((key for key in texts if key not in keys), None):
        raise LasasrError(f"{path} has utterance {unknown}, which ref.trn beside it has not")
    return {keys[key]: text for key, text in texts.items()}
