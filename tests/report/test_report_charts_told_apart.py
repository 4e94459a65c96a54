"""Lines are told apart by more than colour."""

from lasasr.report.charts import MARKS, style


def test_systems_differ_in_dash_or_mark_without_their_colour() -> None:
    shapes = [(style(index)["dash"], style(index)["mark"]) for index in range(4 * len(MARKS))]
    assert len(set(shapes)) == len(shapes)


def test_the_first_eight_differ_in_colour_too() -> None:
    assert len({style(index)["hue"] for index in range(8)}) == 8
