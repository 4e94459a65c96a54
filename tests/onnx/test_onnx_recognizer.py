"""Graphs run by onnxruntime and numpy against torch: the same text, scores within 1e-4, random weights."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from shipped_parts import names, part
from tiny_recognizer import parts

from lasasr.audio.silence import without_silent_ends
from lasasr.errors import LasasrError, UsageError
from lasasr.models.recognizer import Recognizer
from lasasr.onnx import OnnxRecognizer
from lasasr.onnx.silence import without_silent_ends as numpy_without_silent_ends
from lasasr.text.character import CharacterTokenizer

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("onnx", reason="the extra onnx is not installed")

from lasasr.models import onnx_export

RATE = 16_000
FAST = ("location", "forward_ta", "mocha", "none")  # the others take a minute together
LIMITS = {"_target_": "lasasr.search.limits.Limits", "min_length": 2, "max_ratio": 0.4}
SEARCHES: dict[str, dict[str, Any]] = {
    "greedy": {"_target_": "lasasr.search.greedy.GreedySearch", "limits": LIMITS},
    "joint": {"_target_": "lasasr.search.beam.BeamSearch", "limits": LIMITS, "beam": 4, "ctc_weight": 0.3},
    "attention": {"_target_": "lasasr.search.beam.BeamSearch", "limits": LIMITS, "beam": 3, "length_bonus": 0.2},
    "ctc": {"_target_": "lasasr.search.beam.BeamSearch", "limits": LIMITS, "beam": 5, "ctc_weight": 1.0},
    "best path": {"_target_": "lasasr.search.ctc_greedy.CTCGreedySearch"},
}


def waveform(seed: int) -> np.ndarray[Any, Any]:
    """Noise that swells: what is steady is not decoded."""
    draw = np.random.default_rng(seed)
    seconds = np.arange(int(RATE * (0.3 + 0.2 * (seed % 6)))) / RATE
    return (0.1 * draw.normal(size=len(seconds)) * (1.3 + np.cos(6.0 * np.pi * seconds))).astype(np.float32)


def build(search: str, **changes: Any) -> Recognizer:
    torch.manual_seed(0)
    tokenizer = CharacterTokenizer.train(["ab c", "ba de"])
    made = Recognizer.build(parts(0.3, search=SEARCHES[search], **changes), tokenizer, "none/1").eval()
    with torch.no_grad():
        for parameter in made.parameters():  # so that hypotheses differ
            parameter.mul_(2.0)
    return made


def assert_same(recognizer: Recognizer, folder: Path, utterances: int = 6) -> None:
    onnx_export.export(recognizer, folder)
    exported = OnnxRecognizer.load(folder)
    for seed in range(utterances):
        samples = torch.from_numpy(waveform(seed))[None]
        ((expected, *_),) = recognizer.recognize(samples, torch.tensor([samples.shape[1]]))
        found = exported.transcribe(samples[0].numpy())
        assert found.tokens == list(expected.tokens)
        assert found.text == " ".join(expected.text.split())
        assert found.score == pytest.approx(expected.score, abs=1e-4)


def params(group: str, fast: tuple[str, ...]) -> list[Any]:
    return [pytest.param(name, marks=[] if name in fast else pytest.mark.slow) for name in names(group)]


@pytest.mark.parametrize("search", SEARCHES)
def test_every_search_finds_the_same(search: str, tmp_path: Path) -> None:
    assert_same(build(search), tmp_path / "graphs", utterances=10)


@pytest.mark.parametrize("name", params("attend", FAST))
def test_every_attention_finds_the_same(name: str, tmp_path: Path) -> None:
    assert_same(build("joint", attend=part("attend", name)), tmp_path / "graphs")


@pytest.mark.parametrize("name", params("listen", ("blstm",)))
def test_every_encoder_finds_the_same(name: str, tmp_path: Path) -> None:
    assert_same(build("joint", listen=part("listen", name)), tmp_path / "graphs")


@pytest.mark.slow
@pytest.mark.parametrize("encoder", names("listen"))
def test_every_attention_with_every_encoder_finds_the_same(encoder: str, tmp_path: Path) -> None:
    for name in names("attend"):
        recognizer = build("joint", attend=part("attend", name), listen=part("listen", encoder))
        assert_same(recognizer, tmp_path / name, utterances=20)


@pytest.mark.parametrize("name", params("spell", ("gru",)))
def test_every_decoder_finds_the_same(name: str, tmp_path: Path) -> None:
    assert_same(build("joint", spell=part("spell", name)), tmp_path / "graphs")


@pytest.mark.parametrize("cmvn", ["utterance", "none"])
def test_features_are_those_of_the_front_end(cmvn: str, tmp_path: Path) -> None:
    frontend = {"_target_": "lasasr.audio.fbank_frontend.FbankFrontend", "bins": 23, "cmvn": cmvn}
    recognizer = build("greedy", frontend=frontend)
    onnx_export.export(recognizer, tmp_path / "graphs")
    features = OnnxRecognizer.load(tmp_path / "graphs").features
    for samples in (waveform(3), waveform(1)[:100]):
        expected, _ = recognizer.frontend(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
        assert features(samples) == pytest.approx(expected[0].numpy(), abs=2e-4)


@pytest.mark.parametrize(("cmvn", "rate_hz"), [("utterance", 16_000), ("none", 8_000), ("global", 16_000)])
def test_the_graph_of_features_is_the_front_end(cmvn: str, rate_hz: int, tmp_path: Path) -> None:
    """Of batches of any size, with padding that holds anything, and of less than a window; int8 leaves it as it is."""
    import onnxruntime

    frontend = {"_target_": "lasasr.audio.fbank_frontend.FbankFrontend", "bins": 23, "cmvn": cmvn}
    recognizer = build("greedy", frontend={**frontend, "sample_rate_hz": rate_hz})
    if cmvn == "global":
        recognizer.frontend.fit([(torch.from_numpy(waveform(5))[None], torch.tensor([len(waveform(5))]))])
    onnx_export.export(recognizer, tmp_path / "graphs", int8=True)
    session = onnxruntime.InferenceSession(str(tmp_path / "graphs" / "features.onnx"))
    for seeds in ([3], [1, 4, 2, 5], [0, 0]):
        lengths = torch.tensor([len(waveform(seed)) for seed in seeds])
        padded = torch.full((len(seeds), int(lengths.max())), 9.0)
        for row, seed in enumerate(seeds):
            padded[row, : lengths[row]] = torch.from_numpy(waveform(seed))
        expected, frames = recognizer.frontend(padded, lengths)
        found = session.run(None, {"waveforms": padded.numpy(), "waveform_lengths": lengths.numpy()})
        assert found[1].tolist() == frames.tolist()
        assert found[0] == pytest.approx(expected.numpy(), abs=2e-4)
    short = {"waveforms": waveform(1)[None, :50], "waveform_lengths": np.array([50])}
    expected, _ = recognizer.frontend(torch.from_numpy(short["waveforms"]), torch.tensor([50]))
    assert session.run(None, short)[0] == pytest.approx(expected.numpy(), abs=2e-4)


@pytest.mark.parametrize("name", params("attend", ("location",)))
def test_int8_graphs_are_smaller_and_close(name: str, tmp_path: Path) -> None:
    """Against the float graphs: every weight within half a step of its own scale, the encodings near."""
    import onnx

    recognizer = build("joint", attend=part("attend", name))
    onnx_export.export(recognizer, tmp_path / "float")
    onnx_export.export(recognizer, tmp_path / "int8", int8=True)
    exact, rounded = OnnxRecognizer.load(tmp_path / "float"), OnnxRecognizer.load(tmp_path / "int8")
    features = exact.features(waveform(3))
    feed = {"features": features[None], "lengths": np.array([len(features)])}
    expected, found = (recognizer._encoder.run(["encoded"], feed)[0] for recognizer in (exact, rounded))
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()
    assert not np.array_equal(found, expected)
    assert rounded.transcribe(waveform(3)).score < 0.0
    compared = 0
    for graph in ("encoder", "step", "ctc"):
        paths = [tmp_path / kind / f"{graph}.onnx" for kind in ("float", "int8")]
        floats, ints = (
            {stored.name: onnx.numpy_helper.to_array(stored) for stored in onnx.load(str(path)).graph.initializer}
            for path in paths
        )
        for weight, values in floats.items():
            if values.ndim == 2 and f"{weight}_quantized" in ints:
                scale = ints[f"{weight}_scale"]
                restored = ints[f"{weight}_quantized"].astype(np.float32) - ints[f"{weight}_zero_point"]
                assert np.abs(restored * scale - values).max() <= 0.51 * scale
                compared += 1
    assert compared > 2
    assert json.loads((tmp_path / "int8" / "metadata.json").read_text())["weights"] == "int8"


def test_it_runs_where_torch_cannot_be_imported(tmp_path: Path) -> None:
    recognizer = build("joint")
    onnx_export.export(recognizer, tmp_path / "graphs")
    np.save(tmp_path / "waveform.npy", waveform(2))
    script = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'torchaudio', 'scipy', 'hydra', 'lightning', 'yaml',"
        "'rich', 'jiwer', 'rapidfuzz', 'safetensors', 'sentencepiece')));"
        "import numpy; from lasasr.onnx import OnnxRecognizer;"
        "print(OnnxRecognizer.load(sys.argv[1]).transcribe(numpy.load(sys.argv[2])).tokens)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "graphs"), str(tmp_path / "waveform.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    samples = torch.from_numpy(waveform(2))[None]
    ((expected, *_),) = recognizer.recognize(samples, torch.tensor([samples.shape[1]]))
    assert done.stdout.strip() == str(list(expected.tokens))


def test_what_cannot_be_exported_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    scorer = {"_target_": "lasasr.search.scorer_set.LengthBonus", "weight": 0.5}
    beyond = {**SEARCHES["joint"], "scorers": {"mine": scorer}}
    torch.manual_seed(0)
    recognizer = Recognizer.build(parts(0.3, search=beyond), CharacterTokenizer.train(["ab"]), "none/1")
    with pytest.raises(LasasrError, match=r"search\.scorers cannot be exported"):
        onnx_export.export(recognizer, tmp_path / "graphs")
    assert not (tmp_path / "graphs").exists()
    with pytest.raises(LasasrError, match=r"metadata\.json is missing"):
        OnnxRecognizer.load(tmp_path)


def test_a_pruned_search_is_not_exported_and_a_patient_end_is(tmp_path: Path) -> None:
    """What would change the result is refused; a margin only lets a search end later."""
    pruning = {"_target_": "lasasr.search.pruning.Pruning"}
    tokenizer = CharacterTokenizer.train(["ab"])
    for option in ({"end_patience": 3}, {"ctc_window": 9}, {"pre_beam": 2}, {"max_shift": 4}, {"eos_threshold": 1.5}):
        search = {**SEARCHES["joint"], "pruning": {**pruning, **option}}
        with pytest.raises(LasasrError, match=r"search\.pruning cannot be exported"):
            onnx_export.export(Recognizer.build(parts(0.3, search=search), tokenizer, "none/1"), tmp_path / "graphs")
    search = {**SEARCHES["joint"], "pruning": {**pruning, "end_margin": 2.0}}
    onnx_export.export(Recognizer.build(parts(0.3, search=search), tokenizer, "none/1"), tmp_path / "graphs")
    assert (tmp_path / "graphs" / "encoder.onnx").exists()


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx") / "graphs"
    onnx_export.export(build("joint"), folder)
    return folder


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"beem": 3}, "has no option beem"),
        ({"kind": "ctc_prefix"}, "search 'ctc_prefix' is none that lasasr.onnx has: greedy, beam, ctc_greedy"),
        ({"beam": 0}, "beam of the search must be a whole number from 1, got 0"),
        ({"beam": "10"}, "beam of the search must be a whole number from 1, got '10'"),
        ({"ctc_weight": 7.0}, r"ctc_weight of the search must be in \[0, 1\], got 7.0"),
        ({"temperature": 0.0}, "temperature of the search must be above 0, got 0.0"),
        ({"length_bonus": float("nan")}, "length_bonus of the search must be a finite number, got nan"),
        ({"limits": {"longest": 3}}, "limits have no longest"),
        ({"limits": {"max_length": 0}}, "limits of the search must be"),
        ({"limits": 3}, "limits of the search must be"),
    ],
)
def test_an_option_that_the_search_cannot_have_is_named(graphs: Path, search: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        OnnxRecognizer.load(graphs, search=search)


def test_options_of_a_search_can_be_set(graphs: Path) -> None:
    assert OnnxRecognizer.load(graphs, search={"beam": 1}).transcribe(waveform(1)).tokens
    assert OnnxRecognizer.load(graphs, search={"kind": "ctc_greedy"}).options["kind"] == "ctc_greedy"
    shorter = OnnxRecognizer.load(graphs, search={"limits": {"max_length": 2}}, threads=2)
    assert len(shorter.transcribe(waveform(3)).tokens) == 2
    with pytest.raises(UsageError, match="threads must be a whole number from 1, got 0"):
        OnnxRecognizer.load(graphs, threads=0)


def changed_metadata(folder: Path, **changes: Any) -> None:
    metadata = json.loads((folder / "metadata.json").read_text())
    (folder / "metadata.json").write_text(json.dumps({**metadata, **changes}))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "tokens.txt").unlink(), r"tokens\.txt is missing: lasasr export RUN --onnx"),
        (lambda folder: (folder / "tokens.txt").write_text("a\n"), r"tokens\.txt has 1 tokens, the graphs score"),
        (lambda folder: (folder / "tokens.txt").write_bytes(b"\xff"), r"tokens\.txt is no UTF-8 text"),
        (lambda folder: (folder / "ctc.onnx").unlink(), r"ctc\.onnx is missing: lasasr export RUN --onnx"),
        (lambda folder: (folder / "step.onnx").unlink(), r"step\.onnx is missing"),
        (lambda folder: (folder / "step.onnx").write_bytes(b"x"), r"step\.onnx cannot be loaded"),
        (lambda folder: changed_metadata(folder, search=5), "search is missing or damaged"),
        (lambda folder: changed_metadata(folder, memory=None), "memory is missing or damaged"),
        (lambda folder: changed_metadata(folder, frontend={"bins": 23}), "frontend is damaged"),
        (lambda folder: changed_metadata(folder, schema=99), "none of schema 1"),
        (lambda folder: (folder / "metadata.json").write_text("{"), "is no JSON"),
    ],
)
def test_a_damaged_folder_is_named(graphs: Path, tmp_path: Path, damage: Any, words: str) -> None:
    folder = tmp_path / "graphs"
    shutil.copytree(graphs, folder)
    damage(folder)
    with pytest.raises(LasasrError, match=words):
        OnnxRecognizer.load(folder)


def test_a_ctc_head_alone_takes_no_weight_of_a_decoder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    made = Recognizer.build(parts(1.0, search=SEARCHES["ctc"]), CharacterTokenizer.train(["ab c"]), "none/1")
    onnx_export.export(made, tmp_path / "graphs")
    assert OnnxRecognizer.load(tmp_path / "graphs").options["ctc_weight"] == 1.0
    with pytest.raises(UsageError, match=r"a CTC head alone: ctc_weight must be 1, got 0\.5"):
        OnnxRecognizer.load(tmp_path / "graphs", search={"ctc_weight": 0.5})


def test_silent_ends_are_left_out_as_by_torch(graphs: Path) -> None:
    recognizer, exported = build("joint"), OnnxRecognizer.load(graphs)
    for before, after in ((0, 0), (3_199, 0), (3_200, 3_201), (5_000, 9_999), (40, 3_333)):
        samples = np.concatenate([np.zeros(before, np.float32), waveform(2), np.full(after, 1e-5, np.float32)])
        _, expected = without_silent_ends(torch.from_numpy(samples), RATE)
        assert np.array_equal(numpy_without_silent_ends(samples, RATE), expected.numpy())
        (found,) = recognizer.transcribe(samples)
        assert exported.transcribe(samples).text == " ".join(found.text.split())
    silent = np.full(9_999, 1e-5, np.float32)
    assert numpy_without_silent_ends(silent, RATE) is silent


@pytest.mark.parametrize(
    ("audio", "words"),
    [
        (["a.wav"], "not a list"),
        (np.zeros(16_000, np.int16), r"\(16000,\) of int16; give \(S,\) floats"),
        (np.zeros((2, 16_000), np.float32), r"\(2, 16000\) of float32"),
        (np.array([0.1, np.nan], np.float32), "NaN or infinite"),
    ],
)
def test_what_is_no_waveform_is_refused(tmp_path: Path, audio: Any, words: str) -> None:
    onnx_export.export(build("joint"), tmp_path / "graphs")
    with pytest.raises(LasasrError, match=words):
        OnnxRecognizer.load(tmp_path / "graphs").transcribe(audio)
