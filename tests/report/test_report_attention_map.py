import itertools
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lasasr.metrics.alignment_reference import TimedLabel
from lasasr.report import figures
from lasasr.report.attention_map import attention_map

FRAME_S = 0.04
SENTENCE = "the quick brown fox doesn't jump over a lazy dog " * 5


def draw(characters: int, frames: int, heads: int = 1, **changes: object) -> Figure:
    """A diagonal, its words with their times, and noise for a spectrogram."""
    generator = np.random.default_rng(0)
    text = SENTENCE[:characters]
    tokens = [*text.replace(" ", "▁"), "<eos>"]
    centres = np.linspace(0.05, 0.95, len(tokens)) * frames
    weights = np.exp(-((np.arange(frames) - centres[:, None, None]) ** 2)) + np.zeros((1, heads, 1)) + 1e-6
    seconds = centres * FRAME_S
    starts = [i for i in range(characters) if text[i] != " " and (i == 0 or text[i - 1] == " ")]
    words = [TimedLabel(w, seconds[i], seconds[i + len(w) - 1]) for i, w in zip(starts, text.split(), strict=True)]
    options = {"boundaries": words, "title": "some-id", "reference": text, "hypothesis": text[3:]} | changes
    return attention_map(
        weights / weights.sum(2, keepdims=True),
        tokens,
        generator.normal(size=(4 * frames - 2, 80)),
        FRAME_S,
        0.01,
        **options,
    )


def spectrograms(figure: Figure) -> list[Axes]:
    return [axis for axis in figure.axes if axis.get_ylabel() == "log-mel"]


def maps(figure: Figure) -> list[Axes]:
    return [axis for axis in figure.axes if axis.images and axis not in spectrograms(figure)]


@pytest.mark.parametrize(
    ("characters", "frames", "heads"), [(0, 1, 1), (1, 5, 2), (60, 200, 1), (110, 200, 4), (230, 250, 2)]
)
def test_labels_neither_overlap_nor_leave_the_figure(characters: int, frames: int, heads: int) -> None:
    figure = draw(characters, frames, heads)
    figure.canvas.draw()
    whole, heading = figure.bbox, figure._suptitle.get_window_extent()
    assert heading.x1 <= whole.x1
    for axis in maps(figure):
        rows = [label.get_window_extent() for label in axis.get_yticklabels()]
        assert all(above.y0 >= below.y1 for above, below in itertools.pairwise(rows))
        assert all(row.x0 >= 0 and row.y0 >= 0 for row in rows)
    for axis in spectrograms(figure):
        words = [text.get_window_extent() for text in axis.texts]
        assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(words))
        assert all(word.y1 <= heading.y0 for word in words)


def test_every_token_is_labelled_where_labels_fit_and_every_word_where_not() -> None:
    (axis,) = maps(draw(50, 200))
    assert "".join(label.get_text() for label in axis.get_yticklabels()) == SENTENCE[:50].replace(" ", "␣") + "<eos>"
    (axis,) = maps(draw(200, 400))
    named = [label.get_text() for label in axis.get_yticklabels()]
    assert named[:5] == SENTENCE.split()[:5]
    assert axis.get_yticks()[1] == pytest.approx(np.mean([SENTENCE.index("quick"), SENTENCE.index(" brown")]))


@pytest.mark.parametrize("heads", [1, 3, 5])
def test_each_head_is_drawn_as_it_is_on_the_time_axis_in_seconds(heads: int) -> None:
    generator = np.random.default_rng(1)
    weights = generator.dirichlet(np.ones(30), size=(4, heads))
    features = generator.normal(size=(118, 40))
    figure = attention_map(weights, [*list("abc"), "<eos>"], features, FRAME_S, 0.01)
    assert len(maps(figure)) == heads
    assert len(spectrograms(figure)) == min(heads, 4)
    for head, axis in enumerate(maps(figure)):
        (image,) = axis.images
        assert np.array_equal(image.get_array(), weights[:, head])
        assert tuple(image.get_extent()) == pytest.approx((0, 30 * FRAME_S, 4, 0))
        assert axis.get_xlim() == pytest.approx((0, 30 * FRAME_S))
    for axis in spectrograms(figure):
        (image,) = axis.images
        assert np.array_equal(image.get_array(), features.T)
        assert tuple(image.get_extent()[:2]) == pytest.approx((0, 1.18))
        assert axis.get_xlim() == pytest.approx((0, 30 * FRAME_S))


def test_boundaries_are_lines_in_every_panel() -> None:
    figure = draw(9, 40, boundaries=[TimedLabel("the", 0.1, 0.5), TimedLabel("quick", 0.5, 1.2)])
    for axis in (*maps(figure), *spectrograms(figure)):
        assert sorted(line.get_xdata()[0] for line in axis.lines) == [0.1, 0.5, 1.2]
    assert not maps(draw(9, 40, boundaries=()))[0].lines


def test_the_heading_names_the_utterance_and_its_errors() -> None:
    heading = draw(9, 40, reference="the quick", hypothesis="a quick").get_suptitle()
    assert heading == "some-id\nREF: THE quick\nHYP: A   quick"


def test_signs_of_typesetting_are_text() -> None:
    weights = np.full((3, 1, 5), 0.2)
    figure = attention_map(
        weights,
        ["$x$", r"\frac", "<eos>"],
        np.zeros((20, 8)),
        FRAME_S,
        0.01,
        "a$b$_c",
        "$",
        boundaries=[TimedLabel("$^$", 0, 0.1)],
    )
    figure.canvas.draw()
    assert maps(figure)[0].get_yticklabels()[0].get_text() == "$x$"


def test_no_weight_at_all_can_be_drawn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attention_map(np.zeros((1, 2, 3)), ["<eos>"], np.zeros((9, 8)), FRAME_S, 0.01).canvas.draw()


def test_it_is_written_as_png(tmp_path: Path) -> None:
    figure = draw(5, 20)
    figures.save(figure, tmp_path / "plots" / "map.png")
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["map.png"]
    image = matplotlib.image.imread(tmp_path / "plots" / "map.png")
    assert image.shape[:2] == figure.canvas.get_width_height()[::-1]
    assert image.std() > 0.1


def test_tensorboard_takes_it(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as board:
        board.add_figure("attention/some-id", draw(5, 20), 7)
    events = EventAccumulator(str(tmp_path)).Reload()
    (image,) = events.Images("attention/some-id")
    assert image.step == 7
    assert image.width > 500


def test_drawing_leaves_pyplot_alone() -> None:
    program = "import lasasr.report.attention_map, sys; assert not {'matplotlib.pyplot', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_what_does_not_fit_is_refused() -> None:
    features = np.zeros((20, 8))
    with pytest.raises(ValueError, match=r"U = 2 tokens, got \(3, 1, 5\)"):
        attention_map(np.ones((3, 1, 5)), ["a", "b"], features, FRAME_S, 0.01)
    with pytest.raises(ValueError, match=r"got \(0, 1, 5\)"):
        attention_map(np.ones((0, 1, 5)), [], features, FRAME_S, 0.01)
    with pytest.raises(ValueError, match=r"features must be .* got \(20,\)"):
        attention_map(np.ones((1, 1, 5)), ["a"], features[:, 0], FRAME_S, 0.01)
