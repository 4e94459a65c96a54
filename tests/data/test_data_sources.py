"""What Lhotse itself writes passes; what would make it run, fetch or unpickle something does not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_corpus import cut, write_corpus
from lhotse import Fbank, MonoCut, Recording
from lhotse.audio import AudioSource
from lhotse.features.io import MemoryRawWriter, NumpyFilesWriter
from lhotse.utils import fastcopy

from lasasr.data import sources
from lasasr.data.tar import KIND
from lasasr.errors import LasasrError


def plain(lhotse_object: Any) -> dict[str, Any]:
    """As it stands in a manifest."""
    return dict(json.loads(json.dumps(lhotse_object.to_dict())))


@pytest.fixture
def first(tmp_path: Path) -> MonoCut:
    write_corpus(tmp_path, 16_000, 8000)
    return cut(tmp_path / "u0.wav", "u0", "a b")


def test_what_lhotse_writes_of_files_passes(first: MonoCut, tmp_path: Path) -> None:
    second = cut(tmp_path / "u1.wav", "u1", "c")
    with NumpyFilesWriter(tmp_path / "features") as writer:
        featured = first.compute_and_store_features(Fbank(), writer)
    with NumpyFilesWriter(tmp_path / "arrays") as writer:
        with_array = fastcopy(first, custom={"vector": writer.store_array("v", np.zeros((3, 2), dtype=np.float32))})
    impulse = Recording.from_file(tmp_path / "u1.wav")
    for lhotse_cut in (
        first,
        featured,
        with_array,
        first.perturb_speed(0.9),
        first.resample(8000),
        first.perturb_volume(2.0),
        first.reverb_rir(impulse),
        first.append(second),
        first.mix(second, snr=10.0).pad(duration=3.0),
        fastcopy(first, custom={"target": second.recording, "note": {"sources": ["web"]}}),
    ):
        sources.check("", plain(lhotse_cut))


def test_what_is_kept_elsewhere_is_refused_wherever_it_stands(first: MonoCut, tmp_path: Path) -> None:
    bad = fastcopy(first.recording, sources=[AudioSource("command", [0], "touch mark")])
    with MemoryRawWriter("x") as writer:
        features = fastcopy(first.compute_and_store_features(Fbank(), writer), recording=first.recording)
    second = cut(tmp_path / "u1.wav", "u1", "c")
    features.features.storage_key = "x"  # bytes are no JSON
    for lhotse_cut in (
        fastcopy(first, recording=bad),
        fastcopy(first, custom={"target": bad}),
        first.reverb_rir(bad),
        second.append(fastcopy(first, recording=bad)),
        second.mix(fastcopy(first, custom={"target": bad})),
        features,
        fastcopy(first, supervisions=[fastcopy(first.supervisions[0], custom={"x": bad.to_dict()})]),
    ):
        with pytest.raises(LasasrError, match=r"cut .* (in a command, not in a file|in memory_raw, not in a file)"):
            sources.check("", plain(lhotse_cut))


def test_a_place_in_a_tar_file_is_for_those_that_expect_it(first: MonoCut) -> None:
    shard_cut = plain(
        fastcopy(first, recording=fastcopy(first.recording, sources=[AudioSource(KIND, [0], "x.tar?0+1")]))
    )
    sources.check("", shard_cut)
    sources.check("", shard_cut, (KIND,))
    with pytest.raises(LasasrError, match="in a shar, not in a file"):
        sources.check("", shard_cut, (sources.FILE,))
    with pytest.raises(LasasrError, match="in a file, not in its shard"):
        sources.check("", plain(first), (KIND,))


def test_every_cut_that_is_handed_to_lhotse_is_looked_at_again(first: MonoCut, tmp_path: Path) -> None:
    sources.refuse_unreadable("", first.perturb_speed(1.1).append(first))
    marked = tmp_path / "x;touch mark;.sph"
    (tmp_path / "u0.wav").rename(marked)
    renamed = fastcopy(first.recording, sources=[AudioSource("file", [0], str(marked))])
    with pytest.raises(LasasrError, match="signs that act in a shell"):
        sources.refuse_unreadable("", fastcopy(first, recording=renamed))
    with pytest.raises(LasasrError, match=r"u0\.wav is missing"):
        sources.refuse_unreadable("", first.append(first))
