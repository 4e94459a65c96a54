"""Shards hold what the files held, bit by bit; Lhotse reads ours and we read Lhotse's; what is not whole is named."""

import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
from pathlib import Path

import fsspec
import numpy as np
import pytest
import soundfile
import torch
from corpora_tiny import silent
from lhotse import CutSet, MonoCut, MultiCut, Recording, SupervisionSegment
from lhotse.shar.utils import to_shar_placeholder
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy

from lasasr.audio.perturb import AdditiveNoise, SpeedPerturb
from lasasr.corpora.manifest import read_cuts, write_cuts
from lasasr.corpora.manifest import utterance as as_cut
from lasasr.corpora.shar import SharCorpus
from lasasr.corpora.shar_files import LIST, shards
from lasasr.corpora.shar_writer import write_shards
from lasasr.data import digests, remote
from lasasr.data.content import of_utterances
from lasasr.data.datamodule import SpeechDataModule
from lasasr.data.dataset import SpeechDataset
from lasasr.data.loader import Loader
from lasasr.data.manifest import read_manifest
from lasasr.data.sampler import Batching, BucketBatches, Request
from lasasr.data.times import read_times
from lasasr.errors import LasasrError, UsageError
from lasasr.text import special

ABOUT = {"corpus": "tiny", "fingerprint": "0123456789ab", "transcript": "none"}
SUBTYPES = {
    "a.wav": "PCM_16",
    "b.flac": "PCM_16",
    "c.flac": "PCM_24",
    "d.wav": "FLOAT",
    "e.wav": "PCM_U8",
    "f.wav": "ULAW",
}


class Bytes:
    """A tokenizer whose vocabulary has every letter."""

    def encode_inside(self, text: str) -> list[int]:
        return self.encode(text)

    def encode(self, text):
        return [special.FIRST_TEXT + byte for byte in text.encode()]


def supervision(name, duration, channel=0, words=()):
    alignment = {"word": [AlignmentItem(*word) for word in words]} if words else None
    text = " ".join(word for word, *_ in words) or name
    return SupervisionSegment(name, name, 0.0, duration, channel, text, speaker=f"of {name}", alignment=alignment)


def utterance(path, name, start=0.0, duration=None, words=()):
    recording = Recording.from_file(path, recording_id=path.stem)
    duration = recording.duration - start if duration is None else duration
    return MonoCut(name, start, duration, 0, [supervision(name, duration, 0, words)], recording=recording)


@pytest.fixture(scope="module")
def cuts(tmp_path_factory):
    """Whole files and parts of files, of all depths; a name that needs a long header; two channels; another rate."""
    folder, random = tmp_path_factory.mktemp("audio"), np.random.default_rng(0)
    all_cuts = []
    for number, (name, subtype) in enumerate(SUBTYPES.items()):
        rate = 8000 if name == "b.flac" else 16_000
        soundfile.write(folder / name, random.uniform(-0.99, 0.99, 4000 + 177 * number), rate, subtype)
        all_cuts += [
            utterance(folder / name, f"whole-{name}"),
            utterance(folder / name, f"part/of-{name}", 0.0625, 0.11),
        ]
    soundfile.write(folder / "both.wav", random.uniform(-0.99, 0.99, (3200, 2)), 16_000)
    both = Recording.from_file(folder / "both.wav")
    all_cuts.append(
        MultiCut("both", 0.0, both.duration, [0, 1], [supervision("both", both.duration, [0, 1])], recording=both)
    )
    all_cuts.append(MonoCut("right", 0.05, 0.1, 1, [supervision("right", 0.1, 1)], recording=both))
    all_cuts.append(utterance(folder / "a.wav", f"ünï-{'long' * 40}"))
    return all_cuts


@pytest.fixture(scope="module")
def manifest(cuts, tmp_path_factory):
    path = tmp_path_factory.mktemp("prepared") / "train.jsonl.gz"
    write_cuts(cuts, path)
    return path


def sharded(manifest, folder, **options):
    write_shards({"train": manifest, "dev": manifest}, folder, ABOUT, silent, **{"shard_size": 4, **options})
    return folder


def prepared(root, to=None):
    return SharCorpus(str(root)).prepare(to or root.parent / "prepared", silent)["train"]


def dataset(manifest, **options):
    return SpeechDataset(read_manifest(manifest, str), Bytes(), **options)


@pytest.mark.parametrize("audio_format", ["copy", "flac", "wav"])
def test_no_sample_and_no_batch_changes(manifest, tmp_path, audio_format):
    files, tars = dataset(manifest), dataset(prepared(sharded(manifest, tmp_path / "s", audio_format=audio_format)))
    for field in ("ids", "speakers", "texts"):
        assert getattr(tars.utterances, field) == getattr(files.utterances, field)
    assert np.array_equal(tars.durations_s, files.durations_s)  # of which alone batches, resume and ranks are made
    for index, name in enumerate(files.utterances.ids):
        if audio_format == "flac" and "d.wav" in name:  # float samples have more than 24 bits
            torch.testing.assert_close(tars.waveform(index), files.waveform(index), atol=2**-23, rtol=0)
        else:
            assert torch.equal(tars.waveform(index), files.waveform(index)), name


def test_workers_seeds_and_epochs_see_the_same(manifest, tmp_path):
    noisy = {"perturbations": (SpeedPerturb(), AdditiveNoise(colour="pink")), "seed": 3}
    files = dataset(manifest, **noisy)
    tars = dataset(prepared(sharded(manifest, tmp_path / "shards")), **noisy)
    for rank in range(2):
        seen = []
        for source, workers in ((files, 0), (tars, 2)):
            batches = BucketBatches(source.durations_s, Batching(3, buckets=2), 3, True, 2, 2, rank)
            batches.start_from(1, 1)  # as a resumed run begins
            seen.append(list(Loader(source, batches, workers)))
        for batch, other in zip(*seen, strict=True):
            assert batch.ids == other.ids
            assert torch.equal(batch.waveforms, other.waveforms)


def test_lhotse_reads_what_we_write(cuts, manifest, tmp_path):
    folder = sharded(manifest, tmp_path / "shards") / "train"
    read = list(CutSet.from_shar(in_dir=str(folder)))
    assert [cut.id for cut in read] == [cut.id for cut in cuts]
    for ours, cut in zip(cuts, read, strict=True):
        assert (cut.duration, cut.channel, cut.sampling_rate) == (ours.duration, ours.channel, ours.sampling_rate)
        assert np.array_equal(cut.load_audio(), ours.load_audio())
        assert cut.supervisions[0].text == ours.supervisions[0].text


@pytest.mark.parametrize(("kind", "size"), [("flac", 4), ("wav", None), ("original", 1000)])
def test_we_read_what_lhotse_writes(cuts, tmp_path, kind, size):
    plain = [cut for cut in cuts if cut.recording.sources[0].source.endswith(("a.wav", "b.flac", "both.wav"))]
    CutSet(plain).to_shar(tmp_path, fields={"recording": kind}, shard_size=size)
    manifests = SharCorpus(train=str(tmp_path), dev=str(tmp_path)).prepare(tmp_path.parent / f"{kind}-{size}", silent)
    read = dataset(manifests["train"])
    assert read.utterances.ids == tuple(cut.id for cut in plain)
    rates = {cut.sampling_rate for cut in plain}
    assert rates == {8000, 16_000}
    for index, cut in enumerate(plain):
        if cut.sampling_rate == 16_000:
            assert np.array_equal(read.waveform(index).numpy(), cut.load_audio().mean(axis=0)), cut.id


def test_word_times_count_from_the_beginning_of_the_utterance(cuts, tmp_path):
    path = Path(cuts[0].recording.sources[0].source)
    words = (("one", 0.1, 0.05), ("two", 0.16, 0.02))  # in the time of the recording, as Lhotse has them
    write_cuts([utterance(path, "part", 0.0625, 0.15, words)], tmp_path / "train.jsonl.gz")
    here = prepared(sharded(tmp_path / "train.jsonl.gz", tmp_path / "shards"))
    before, after = (read_times(manifest, "word", str) for manifest in (tmp_path / "train.jsonl.gz", here))
    assert [word for word, *_ in after["part"]] == ["one", "two"]
    assert np.allclose([times[1:] for times in before["part"]], [times[1:] for times in after["part"]])


def test_shards_of_shards(manifest, tmp_path):
    first = prepared(sharded(manifest, tmp_path / "first"), tmp_path / "a")
    second = prepared(sharded(first, tmp_path / "second", shard_size=3), tmp_path / "b")
    files, tars = dataset(manifest), dataset(second)
    assert all(torch.equal(files.waveform(index), tars.waveform(index)) for index in range(len(files)))


@pytest.mark.parametrize("count", [1, 4, 5, 1000])
def test_every_shard_is_full_but_the_last(cuts, manifest, tmp_path, count):
    full_shards = shards(sharded(manifest, tmp_path / "shards", shard_size=count) / "train")
    sizes = [len(gzip.decompress(shard.cuts.read_bytes()).splitlines()) for shard in full_shards]
    assert sizes == [min(count, len(cuts) - start) for start in range(0, len(cuts), count)]
    for shard, size in zip(full_shards, sizes, strict=True):
        with tarfile.open(shard.recordings) as opened:
            assert len(opened.getnames()) == 2 * size


def test_an_interrupted_making_leaves_whole_splits_only_and_goes_on(manifest, tmp_path):
    def interrupting(task, done, total):
        if task == "shards of dev":
            raise KeyboardInterrupt

    splits = {"train": manifest, "dev": manifest}
    with pytest.raises(KeyboardInterrupt):
        write_shards(splits, tmp_path, ABOUT, interrupting)
    assert sorted(path.name for path in tmp_path.iterdir()) == [LIST, "train"]
    before = (tmp_path / "train" / "recording.000000.tar").stat()
    with pytest.raises(UsageError, match="has no folder dev with shards"):
        SharCorpus(str(tmp_path)).prepare(tmp_path.parent, silent)
    write_shards(splits, tmp_path, ABOUT, silent)
    after = (tmp_path / "train" / "recording.000000.tar").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert len(read_manifest(prepared(tmp_path, tmp_path / "prepared"), str)) == len(read_cuts(manifest))


def test_shards_of_something_else_are_not_mixed(manifest, tmp_path):
    sharded(manifest, tmp_path / "shards")
    for changed in ({"fingerprint": "ba9876543210"}, {"corpus": "other"}):
        with pytest.raises(LasasrError, match=rf"holds shards with {next(iter(changed))} .*delete it or name another"):
            write_shards({"train": manifest}, tmp_path / "shards", {**ABOUT, **changed}, silent, shard_size=4)
    with pytest.raises(LasasrError, match="holds shards with shard_size 4, not 5"):
        write_shards({"train": manifest}, tmp_path / "shards", ABOUT, silent, shard_size=5)
    (tmp_path / "mine" / "train").mkdir(parents=True)
    with pytest.raises(LasasrError, match=r"mine/train is not in .*shards\.json"):
        write_shards({"train": manifest}, tmp_path / "mine", ABOUT, silent)


def test_audio_that_cannot_be_stored_is_named(tmp_path):
    soundfile.write(tmp_path / "lost.wav", np.array([0.1, np.nan, 0.1] * 800, dtype=np.float32), 16_000, "FLOAT")
    write_cuts([utterance(tmp_path / "lost.wav", "lost", 0.01)], tmp_path / "train.jsonl.gz")
    with pytest.raises(LasasrError, match="utterance lost: holds NaN or infinite samples"):
        sharded(tmp_path / "train.jsonl.gz", tmp_path / "shards")
    (tmp_path / "lost.wav").unlink()
    with pytest.raises(LasasrError, match=r"utterance lost: .*lost\.wav is missing"):
        sharded(tmp_path / "train.jsonl.gz", tmp_path / "shards")
    assert list((tmp_path / "shards").iterdir()) == []


def cut_short(path, by):
    path.write_bytes(path.read_bytes()[:-by])


def foreign(manifest, folder):
    """Shards without a list, as Lhotse leaves them."""
    sharded(manifest, folder)
    (folder / LIST).unlink()
    return folder / "train"


def drop_member(path, number):
    """All but the last `number` members of a tar file."""
    with tarfile.open(path) as opened:
        kept = [(member, opened.extractfile(member)) for member in opened.getmembers()[:-number]]
        with tarfile.open(path.with_suffix(".new"), "w") as out:
            for info, content in kept:
                out.addfile(info, content)
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "recording.000001.tar").unlink(), r"shard .*train/recording.000001.tar is missing"),
        (lambda f: (f / "cuts.000001.jsonl.gz").unlink(), r"shard .*train/cuts.000001.jsonl.gz is missing"),
        (lambda f: [path.unlink() for path in f.glob("*.000001.*")], r"shard .*train/cuts.000001.jsonl.gz is missing"),
        (lambda f: [path.unlink() for path in f.glob("*.tar")], r"train holds no recording.\*.tar"),
        (lambda f: [path.unlink() for path in f.iterdir()], r"has no folder train with shards"),
        (
            lambda f: cut_short(f / "recording.000001.tar", 12_000),
            r"shard .*recording.000001.tar (cannot be read|has no)",
        ),
        (lambda f: cut_short(f / "cuts.000001.jsonl.gz", 20), r"cuts.000001.jsonl.gz is not a readable cut manifest"),
        (lambda f: drop_member(f / "recording.000001.tar", 1), r"recording.000001.tar has no description behind"),
        (
            lambda f: drop_member(f / "recording.000001.tar", 2),
            r"cuts.000001.* has more utterances than .*recording.0000",
        ),
        (lambda f: (f / "recording.000001.tar").write_bytes(b"x" * 2048), r"recording.000001.tar cannot be read"),
        (lambda f: (f / "recording.000000.tar").rename(f / "recording.000001.tar"), r"recording.000000.tar is missing"),
        (
            lambda f: (f / "recording.000001.tar").write_bytes((f / "recording.000000.tar").read_bytes()),
            r"cuts.000001.jsonl.gz, line 1: cut .* is .* in .*recording.000001.tar: not of one making",
        ),
    ],
)
def test_what_is_not_whole_is_named_when_it_is_prepared(manifest, tmp_path, damage, message):
    damage(foreign(manifest, tmp_path / "shards"))
    with pytest.raises(LasasrError, match=message) as caught:
        prepared(tmp_path / "shards")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "prepared" / "train.jsonl.gz").exists()


def test_our_list_knows_more_than_the_files_show(manifest, tmp_path):
    folder = sharded(manifest, tmp_path / "shards") / "train"
    last = sorted(folder.iterdir())[-1]
    cut_short(last, 512)  # of the padding behind the last utterance: the tar file still reads
    with pytest.raises(LasasrError, match=rf"shard {last} has \d+ bytes instead of \d+; copy or make the shards again"):
        prepared(tmp_path / "shards")
    for path in folder.glob(f"*.{last.name.split('.')[1]}.*"):
        path.unlink()
    with pytest.raises(LasasrError, match=r"train/(cuts|recording)\.\d+\.\S+ is missing"):
        prepared(tmp_path / "shards")


@pytest.mark.parametrize("name", ["../train", "a/b", ".train", "/tmp", ""])
@pytest.mark.parametrize("position", ["split", "file"])
def test_a_list_cannot_lead_elsewhere(tmp_path, position, name):
    split, file = (name, "cuts.000000.jsonl.gz") if position == "split" else ("train", name)
    content = {"schema": 1, "splits": {split: {"utterances": 1, "files": {file: [1, "0"]}}}}
    for written in (
        content,
        {"schema": 1, "splits": []},
        {"schema": 2, "splits": {}},
        [],
        {"schema": 1, "splits": {"a": 1}},
    ):
        (tmp_path / LIST).write_text(json.dumps(written))
        with pytest.raises(LasasrError, match=r"shards\.json is not what this version of lasasr writes"):
            SharCorpus(str(tmp_path)).prepare(tmp_path / "prepared", silent)


@pytest.fixture
def served(manifest, tmp_path):
    """(shards, their address, what was asked for)."""
    folder, requests = sharded(manifest, tmp_path / "shards"), []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def do_GET(self):
            requests.append(self.path)
            super().do_GET()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}", requests
        server.shutdown()
        thread.join()


def mirrored(address, folder, **options):
    """The corpus of an address, its manifest of training."""
    corpus = SharCorpus(address, cache_dir=str(folder / "cache"), **options)
    corpus.fetch(silent)
    return corpus, corpus.prepare(folder / "prepared", silent)["train"]


def tars(requests):
    return [path for path in requests if path.endswith(".tar")]


def test_shards_of_an_address_are_fetched_when_they_are_read(manifest, served, tmp_path):
    folder, address, requests = served
    _, shard_manifest = mirrored(address, tmp_path)
    everything = sorted(f"/{path.relative_to(folder)}" for path in folder.rglob("*.*"))
    assert sorted(requests) == [path for path in everything if not path.endswith(".tar")]
    read, files = dataset(shard_manifest), dataset(manifest)
    for _ in range(2):
        assert all(torch.equal(read.waveform(index), files.waveform(index)) for index in range(len(files)))
    assert tars(requests) == [path for path in everything if path.startswith("/train/recording")]
    _, again = mirrored(f"{address}/", tmp_path)
    assert again == shard_manifest
    assert len(requests) == len(set(requests))


def test_an_address_of_another_kind(manifest, tmp_path):
    """In a store that is no web server, and beside shards in a folder of this disk."""
    local = dataset(prepared(sharded(manifest, tmp_path / "shards")))
    store = fsspec.filesystem("memory")
    store.put(str(tmp_path / "shards"), "/bucket/shards", recursive=True)
    try:
        fetched = dataset(mirrored("memory://bucket/shards", tmp_path / "here")[1])
        for field in ("ids", "speakers", "texts"):
            assert getattr(fetched.utterances, field) == getattr(local.utterances, field)
        assert all(torch.equal(fetched.waveform(index), local.waveform(index)) for index in range(len(local)))
    finally:
        store.rm("/bucket", recursive=True)


def test_digests_of_audio_that_is_not_there_are_left_to_the_list(served, tmp_path):
    _, shard_manifest = mirrored(served[1], tmp_path)
    digests.record(shard_manifest, read_manifest(shard_manifest, str).cuts, silent)
    assert digests.recorded(shard_manifest) == {}
    assert tars(served[2]) == []


def test_the_content_of_audio_that_is_not_there_is_what_the_list_says(served, tmp_path):
    _, shard_manifest = mirrored(served[1], tmp_path)
    utterances = read_manifest(shard_manifest, str)
    before = of_utterances(utterances, {}, ordered=True)
    assert before.without_digest == 0
    assert tars(served[2]) == []
    path = next(tmp_path.rglob("mirror.json"))
    listed = json.loads(path.read_text())
    name = sorted(name for name in listed["files"] if name.startswith("train/"))[0]
    listed["files"][name][1] = "0" * 32
    path.write_text(json.dumps(listed))
    after = of_utterances(utterances, {}, ordered=True)
    assert after.fingerprint != before.fingerprint
    changed = [id for id in utterances.ids if after.rows[id] != before.rows[id]]
    in_shard = [id for index, id in enumerate(utterances.ids) if utterances.shard(index).name in name]
    assert changed == in_shard
    assert 0 < len(changed) < len(utterances)


def test_whole_files_are_the_same_content_in_shards(tmp_path):
    """A corpus of files that each are one utterance, and its shards."""
    cuts = []
    for number in range(5):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, np.random.default_rng(number).uniform(-0.5, 0.5, 3000 + number), 16_000)
        recording = Recording.from_file(path, recording_id=f"u{number}")
        cuts.append(as_cut(f"u{number}", "a b", "s", recording))
    files = tmp_path / "train.jsonl.gz"
    write_cuts(cuts, files)
    tars = prepared(sharded(files, tmp_path / "shards"))
    contents = []
    for source in (files, tars):
        utterances = read_manifest(source, str)
        digests.record(source, utterances.cuts, silent)
        contents.append(of_utterances(utterances, digests.recorded(source), ordered=True))
    assert contents[0] == contents[1]
    assert contents[0].without_digest == 0


@pytest.fixture
def many(tmp_path_factory):
    """120 utterances of many lengths."""
    folder, random = tmp_path_factory.mktemp("many"), np.random.default_rng(1)
    all_cuts = []
    for number in range(120):
        soundfile.write(folder / f"{number}.wav", random.uniform(-0.9, 0.9, random.integers(400, 4000)), 16_000)
        all_cuts.append(utterance(folder / f"{number}.wav", f"u{number}"))
    write_cuts(all_cuts, folder / "train.jsonl.gz")
    return folder / "train.jsonl.gz"


@pytest.mark.parametrize("workers", [0, 1])
def test_an_epoch_fetches_each_shard_once_into_little_room(many, tmp_path, workers, monkeypatch):
    """Batch by batch what shards on this disk give, while only two windows of them are here."""
    write_cuts(list(read_cuts(many))[:30], tmp_path / "dev.jsonl.gz")
    write_shards({"train": many, "dev": tmp_path / "dev.jsonl.gz"}, tmp_path / "shards", ABOUT, silent, shard_size=12)
    local = dataset(prepared(tmp_path / "shards"))
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "shards/train").glob("*.tar")}
    room = 4 * max(sizes.values())
    _, shard_manifest = mirrored(f"file://{tmp_path}/shards", tmp_path / "here", cache_gb=room / 1e9, shards_at_once=2)
    here = dataset(shard_manifest)
    assert np.array_equal(here.utterances.shards(), np.arange(120) // 12)
    log, real = tmp_path / "fetched", remote.fetch

    def noting(url, path, *size_and_md5):
        real(url, path, *size_and_md5)
        with log.open("a") as lines:
            present = sum(tar.stat().st_size for tar in path.parent.glob("*.tar"))
            lines.write(f"{path.name} {present}\n")

    monkeypatch.setattr(remote, "fetch", noting)
    batching = Batching(3, buckets=3, shards_at_once=2)
    for source in (local, here):
        source.batches = BucketBatches(source.durations_s, batching, 5, True, 1, 1, 0, source.shards())
    for batch, other in zip(Loader(local, local.batches), Loader(here, here.batches, workers), strict=True):
        assert batch.ids == other.ids
        assert torch.equal(batch.waveforms, other.waveforms)
    fetched = [line.split() for line in log.read_text().splitlines()]
    assert sorted(name for name, _ in fetched) == sorted(sizes)
    assert max(int(present) for _, present in fetched) <= room < sum(sizes.values())


def test_a_resumed_epoch_goes_on_with_the_same_batches(many, tmp_path):
    sharded(many, tmp_path / "shards", shard_size=6)
    here = dataset(mirrored(f"file://{tmp_path}/shards", tmp_path / "here", cache_gb=1.0)[1])
    seen = []
    for start in (0, 7):
        batches = BucketBatches(here.durations_s, Batching(4, shards_at_once=3), 2, True, 2, 2, 1, here.shards())
        batches.start_from(1, start)
        seen.append([batch.ids for batch in Loader(here, batches)])
    assert seen[0][7:] == seen[1]
    assert len(seen[1]) > 0


def test_training_takes_the_windows(many, tmp_path):
    """The module of data that Lightning trains from."""
    shard_manifest = prepared(sharded(many, tmp_path / "shards", shard_size=12))
    batching = Batching(5, shards_at_once=2)
    module = SpeechDataModule(lambda split: read_manifest(shard_manifest, str), Bytes(), batching, seed=4)
    module.setup("fit")
    wanted = BucketBatches(dataset(shard_manifest).durations_s, batching, 4, shards=np.arange(120) // 12)
    assert list(module.train_dataloader().sampler) == list(wanted)
    plain = BucketBatches(dataset(shard_manifest).durations_s, Batching(5), shuffle=False)
    assert list(module.val_dataloader().sampler) == list(plain)


def test_shards_elsewhere_cannot_come_a_few_at_a_time(manifest):
    with pytest.raises(UsageError, match=r"batching\.shards_at_once is for audio in shards .*whole-a\.wav is in none"):
        dataset(manifest).shards()


@pytest.mark.parametrize(
    ("spared", "at_once", "message"),
    [
        (
            "train",
            None,
            r"all shards of train \(\S+ GB\), which .*; raise it, or set batching\.shards_at_once$",
        ),
        ("train", 3, r"3 shards of train \(.*, or set batching\.shards_at_once lower$"),
        ("dev", 3, r"all shards of dev \(.* GB\), which batches are composed of; raise it$"),
    ],
)
def test_too_little_room_is_refused(many, tmp_path, spared, at_once, message):
    few = tmp_path / "few.jsonl.gz"
    write_cuts(list(read_cuts(many))[:12], few)
    splits = {"train": many, "dev": few} if spared == "train" else {"train": few, "dev": many}
    write_shards(splits, tmp_path / "shards", ABOUT, silent, shard_size=12)
    largest = max(path.stat().st_size for path in (tmp_path / "shards").rglob("*.tar"))
    with pytest.raises(UsageError, match=rf"corpus\.cache_gb=\S+ has no room for {message}"):
        mirrored(f"file://{tmp_path}/shards", tmp_path, cache_gb=1.5 * largest / 1e9, shards_at_once=at_once)


def test_what_is_wrong_with_an_address_is_named(served, tmp_path, monkeypatch):
    folder, address, _ = served
    monkeypatch.setattr(remote, "PAUSE_S", 0.0)
    with pytest.raises(LasasrError, match=r"http://\S+/nowhere/shards\.json cannot be fetched: it is not there"):
        mirrored(f"{address}/nowhere", tmp_path)
    with pytest.raises(LasasrError, match=r"Protocol not known: nonsense"):
        mirrored("nonsense://bucket", tmp_path)
    with pytest.raises(UsageError, match=r"corpus\.cache_gb must be positive, got -1"):
        SharCorpus(address, cache_gb=-1)
    read = dataset(mirrored(address, tmp_path)[1])
    damaged = bytearray((folder / "train" / "recording.000000.tar").read_bytes())
    damaged[700] ^= 1
    (folder / "train" / "recording.000000.tar").write_bytes(damaged)
    with pytest.raises(LasasrError, match=r"utterance whole-a\.wav: http\S+recording\.000000\.tar .* with MD5"):
        read.waveform(0)
    (folder / "train" / "recording.000001.tar").unlink()
    with pytest.raises(LasasrError, match=r"utterance whole-c\.flac: http\S+recording\.000001\.tar .*is not there"):
        read.waveform(4)
    assert list((tmp_path / "cache").rglob("*.t??")) == []


def test_shards_that_do_not_say_where_their_audio_is_are_named(manifest, tmp_path):
    """As an earlier version of lasasr wrote them."""
    folder = sharded(manifest, tmp_path / "shards")
    content = json.loads((folder / LIST).read_text())
    path = folder / "train" / "cuts.000000.jsonl.gz"
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    for line in lines:
        line["recording"]["sources"][0]["source"] = ""
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    content["splits"]["train"]["files"][path.name] = path.stat().st_size, hashlib.md5(path.read_bytes()).hexdigest()
    (folder / LIST).write_text(json.dumps(content))
    with pytest.raises(LasasrError, match=r"line 1: cut whole-a\.wav says nothing of where its audio is"):
        mirrored(f"file://{folder}", tmp_path)


def test_what_was_damaged_later_is_named_when_it_is_read(manifest, tmp_path):
    read = dataset(prepared(sharded(manifest, tmp_path / "shards")))
    tar = tmp_path / "shards" / "train" / "recording.000001.tar"
    whole, first = tar.read_bytes(), r"utterance whole-c\.flac: .*recording\.000001\.tar"
    for content, message in (
        (whole[:1500], r" \(byte 512\) ends after 988 instead of \d+"),
        (whole[:300], r" \(byte 512\) cannot be read \(truncated header\)"),
        (b"\1" * len(whole), r" \(byte 512\) cannot be read \((invalid header|bad checksum)\)"),
        (whole[5120:], r" \(byte 512\) "),
        (whole[:512] + b"\1" * 9000 + whole[9512:], r" \(byte 512\) cannot be read as audio"),
    ):
        tar.write_bytes(content)
        with pytest.raises(LasasrError, match=first + message) as caught:
            read[Request(0, (4,))]
        assert "\n" not in str(caught.value)
    tar.unlink()
    with pytest.raises(LasasrError, match=first + " is missing"):
        read[Request(0, (4,))]


def test_a_flipped_bit_changes_one_digest(manifest, tmp_path):
    here = prepared(sharded(manifest, tmp_path / "shards"))
    lines = read_manifest(here, str).cuts
    digests.record(here, lines, silent)
    digests_by_path = digests.recorded(here)
    assert len(digests_by_path) == len(lines)
    assert all(digests.digest(source) == digest for source, digest in digests_by_path.items())
    tar = tmp_path / "shards" / "train" / "recording.000000.tar"
    content = bytearray(tar.read_bytes())
    content[2000] ^= 1
    tar.write_bytes(content)
    (changed,) = [source for source, digest in digests_by_path.items() if digests.digest(source) != digest]
    assert changed == digests.sources(json.loads(lines[0]))[0]


def test_other_cuts_or_other_audio_are_another_corpus(manifest, tmp_path):
    folder = foreign(manifest, tmp_path / "shards")
    fingerprints = {SharCorpus(str(tmp_path / "shards")).fingerprint()}
    (folder / "recording.000000.tar").open("ab").write(bytes(512))
    fingerprints.add(SharCorpus(str(tmp_path / "shards")).fingerprint())
    lines = gzip.decompress((folder / "cuts.000000.jsonl.gz").read_bytes()).replace(b"whole-a", b"Whole-a")
    (folder / "cuts.000000.jsonl.gz").write_bytes(gzip.compress(lines))
    fingerprints.add(SharCorpus(str(tmp_path / "shards")).fingerprint())
    assert len(fingerprints) == 3


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, UsageError, "corpus.train is not set: corpus=shar needs corpus.root=DIR with one, or corpus.train=DIR"),
        ({"root": "absent"}, LasasrError, "corpus.root=absent is missing"),
        ({"root": "."}, UsageError, r"\. has no folder train with shards"),
        ({"train": "absent"}, LasasrError, "corpus.train=absent is missing, or no folder"),
        ({"train": ".", "dev": "."}, LasasrError, r"holds no cuts\.\*\.jsonl\.gz, so no shards"),
    ],
)
def test_a_wrong_folder_is_named(tmp_path, monkeypatch, options, error, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        SharCorpus(**options).prepare(tmp_path / "prepared", silent)


@pytest.mark.parametrize("name", ["cut", "mixture", "words"])
def test_cuts_that_are_no_utterances_are_named(cuts, tmp_path, name):
    first, second = cuts[0], cuts[2].resample(16_000)
    broken = {
        "cut": fastcopy(first, recording=None),
        "mixture": first.append(cuts[4]),
        "words": MonoCut("two", 0.0, 0.2, 0, [supervision("x", 0.1), supervision("y", 0.1)], recording=first.recording),
    }[name]
    messages = {"cut": "has no recording", "mixture": "a MixedCut is no MonoCut", "words": "has 2 supervisions, not"}
    folder = tmp_path / "shards" / "train"
    folder.mkdir(parents=True)
    write_cuts([broken], folder / "cuts.000000.jsonl.gz")
    with tarfile.open(folder / "recording.000000.tar", "w") as out:
        for suffix in ("nodata", "nometa") if name == "cut" else ("flac", "json"):
            info = tarfile.TarInfo(f"{broken.id}.{suffix}")
            recording = to_shar_placeholder(second.recording)
            content = json.dumps(recording.to_dict()).encode() if suffix == "json" else b""
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
    with pytest.raises(LasasrError, match=f"line 1: .*{messages[name]}"):
        SharCorpus(train=str(folder), dev=str(folder)).prepare(tmp_path / "prepared", silent)
