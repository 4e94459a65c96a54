"""A missing path that is relative: every reader says from which folder it was looked up."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lasasr.artifacts import bundle, bundle_config, files, run_paths
from lasasr.audio import perturb
from lasasr.audio import read as audio_read
from lasasr.cli import adapted_decoding, recipes
from lasasr.corpora import audio_files, import_rows, shar, table_files, text
from lasasr.corpora.folder import FolderCorpus
from lasasr.corpora.kaldi import KaldiCorpus
from lasasr.corpora.librispeech import LibriSpeechCorpus
from lasasr.corpora.librispeech_speakers import LibriSpeechSpeakersCorpus
from lasasr.corpora.table import TableCorpus
from lasasr.corpora.timit import TIMITCorpus
from lasasr.errors import LasasrError, looked_up
from lasasr.listen.pretrained import folder as weights_folder
from lasasr.models import language_model
from lasasr.onnx import folder as onnx_folder
from lasasr.search import hotwords
from lasasr.text import dictionary
from lasasr.transcripts import formats
from lasasr.transcripts.lines import numbered_lines

READERS: dict[str, Callable[[str], Any]] = {
    "run": run_paths.find_run,
    "bundle": lambda path: bundle_config.read_config(Path(path), 1, ()),
    "weights": lambda path: bundle.read_header(Path(path)),
    "json": lambda path: files.read_json(Path(path)),
    "audio": audio_read.opened,
    "audio of a table": lambda path: audio_files.size(Path(path)),
    "noise": lambda path: perturb.recordings(Path(path), "noise"),
    "recipe": lambda path: recipes.find(f"{path}.yaml"),
    "table": lambda path: TableCorpus(f"{path}.tsv").identity(),
    "any table": lambda path: table_files.read_lines(Path(path)),
    "source of a table": lambda path: import_rows.format_of(f"{path}/more"),
    "kaldi": lambda path: KaldiCorpus(path).identity(),
    "folder": lambda path: FolderCorpus(path).identity(),
    "shar": lambda path: shar.SharCorpus(root=path).identity(),
    "train shar": lambda path: shar.SharCorpus(root=None, train=path).identity(),
    "text": lambda path: text.PlainText(path, path).identity(),
    "librispeech": lambda path: LibriSpeechCorpus(path).identity(),
    "speakers": lambda path: LibriSpeechSpeakersCorpus(
        path, {"train": {"dev-clean": [1]}, "dev": {"dev-clean": [2]}}
    ).identity(),
    "timit": lambda path: TIMITCorpus(path).identity(),
    "test set": lambda path: adapted_decoding.test_set(f"{path}.tsv", "target", None, None),  # type: ignore[arg-type]
    "weights folder": weights_folder.find,
    "language model": lambda path: language_model.refuse_missing({"lm": f"{path}.arpa"}),
    "onnx": lambda path: onnx_folder.metadata(Path(path)),
    "hot words": lambda path: hotwords.read_phrases(Path(path)),
    "dictionary": lambda path: dictionary.read(Path(path)),
    "transcripts": lambda path: formats.read(Path(path)),
    "columns": lambda path: formats.read_columns(Path(path), {}),
    "lines": lambda path: list(numbered_lines(Path(path))),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_missing_path_says_from_where_it_was_looked_up(
    read: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LasasrError) as relative:
        read("no/such")
    assert re.findall("; looked up from (.+): call lasasr in the folder", str(relative.value)) == [str(tmp_path)]
    assert str(relative.value).endswith(", or give an absolute path")
    with pytest.raises(LasasrError) as absolute:
        read(f"{tmp_path}/no/such")
    assert "looked up from" not in str(absolute.value)


@pytest.mark.parametrize("reader", ["run", "noise", "table", "folder", "text", "librispeech", "speakers", "timit"])
def test_a_tilde_is_the_home_folder_wherever_no_shell_writes_it_out(
    reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of `corpus.root=~/data`, which a shell leaves as it is."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    with pytest.raises(LasasrError, match=f"{tmp_path}/home/no/such"):
        READERS[reader]("~/no/such")
    with pytest.raises(LasasrError, match="~nobody-of-this-name/no/such"):
        READERS[reader]("~nobody-of-this-name/no/such")


def test_a_path_leads_from_where_it_was_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (start,) = re.findall("looked up from (.+): call", looked_up("../mine/a.tsv"))
    (tmp_path / "mine").mkdir()
    (Path(start) / "../mine/a.tsv").touch()
    assert Path("../mine/a.tsv").is_file()
    assert looked_up("~/a.tsv") == looked_up("/a.tsv") == ""
    shutil.rmtree(tmp_path / "here")
    assert looked_up("a.tsv") == "; looked up from a folder that was deleted: call lasasr in another"
