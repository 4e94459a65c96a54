"""The page: one file, safe from its contents, small; its script is tried in a browser where there is one."""

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comparison_runs import line, lines, write_run

from lasasr.comparison.details import details, opening
from lasasr.comparison.document import document
from lasasr.comparison.entries import find
from lasasr.comparison.grouping import SystemRuns, groups
from lasasr.metrics.significance.verdict import Rules
from lasasr.report import charts
from lasasr.report.comparison_markdown import comparison_markdown
from lasasr.report.page import LARGEST, page
from lasasr.report.pictures import LEVELS, picture, sound

EVIL = "</script><script>alert(1)</script> <img src=x onerror=alert(2)> \" ' & {{ 7*7 }}"
VOID = {"meta", "link", "br", "img", "input", "line", "polygon", "polyline"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def compared(
    root: Path, systems: dict[str, float], seeds: int, **options: Any
) -> tuple[dict[str, Any], list[SystemRuns]]:
    folders = [
        write_run(root, attend, seed, rate, **options).folder
        for attend, rate in systems.items()
        for seed in range(1, seeds + 1)
    ]
    selection = find(folders)
    grouped, notes = groups(selection)
    return document(selection, grouped, notes, None, Rules(resamples=100)), grouped


def rendered(root: Path, systems: dict[str, float], seeds: int, **options: Any) -> str:
    comparison, grouped = compared(root, systems, seeds, **options)
    drawing = {
        "spectrogram": picture(np.eye(4), "magma", 0, 1),
        "duration_s": 1.0,
        "audio": sound(np.zeros(160), 16000),
    }
    contents = details(grouped)
    map_ = {"image": drawing["spectrogram"], "darkest": 0.5, "begin_s": 0.0, "end_s": 1.0, "tokens": 4}
    map_of_run = {f"{system['name']} 1": map_ for system in comparison["systems"]}
    # not of the first utterance: it must come first because it has maps
    maps = {contents["utterances"][3]["id"]: {**drawing, "maps": map_of_run}} if contents["utterances"] else {}
    return page(comparison, contents, maps, ["No maps of x."])


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return rendered(tmp_path_factory.mktemp("runs"), {"dot": 0.5, "additive": 0.1, "none": 0.9}, 2)


class Tree(HTMLParser):
    """Checks that tags close in order, and collects what they name."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: list[tuple[str, str]] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.names += [(key, value or "") for key, value in attrs if key in ("src", "href", "action", "srcset")]
        self.names += [("on", key) for key, _ in attrs if key.startswith("on")]
        self.ids += [value or "" for key, value in attrs if key == "id"]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, f"</{tag}> closes another tag at {self.getpos()}"


def read(page: str) -> Tree:
    tree = Tree()
    tree.feed(page)
    assert tree.open == []
    return tree


def test_it_is_whole_and_needs_nothing_else(text: str) -> None:
    tree = read(text)
    assert len(set(tree.ids)) == len(tree.ids)
    for kind, name in tree.names:
        assert kind in ("href", "src")
        assert name.startswith(("#", "data:"))
        if name.startswith("#"):
            assert name[1:] in tree.ids
    assert not re.search(r"https?://", text)
    assert "@import" not in text


def test_the_verdict_comes_first(text: str) -> None:
    body = re.sub(r"<[^>]+>", " ", text.partition("<body>")[2])
    words = html.unescape(" ".join(body.split()))
    assert words.index("are better than") < words.index("Systems")


@pytest.mark.parametrize("seeds", [1, 2])
def test_page_and_markdown_begin_with_what_cannot_be_decided(seeds: int, tmp_path: Path) -> None:
    comparison, grouped = compared(tmp_path, {"dot": 0.5, "additive": 0.5}, seeds)
    (pair,) = comparison["pairs"]
    assert pair["verdict"] == "cannot decide"
    text = page(comparison, details(grouped), {}, [])
    title = html.unescape(text.partition("<title>")[2].partition("</title>")[0])
    shown = html.unescape(text.partition('<p class="verdict">')[2].partition("</p>")[0])
    for first in (title, shown, comparison_markdown(comparison).replace("\\", "")):
        assert first.startswith("The data cannot decide")
        assert pair["why"] in first


def test_what_was_said_is_text_and_nothing_else(tmp_path: Path) -> None:
    result_lines = [line(f"u{i}", f"s{i % 4} {EVIL}", f"said {EVIL} {i}", "heard this") for i in range(8)]
    first = write_run(tmp_path, "dot", result_lines=result_lines).folder
    second = write_run(
        tmp_path, "additive", result_lines=[line(m["id"], m["speaker"], m["reference"], EVIL) for m in result_lines]
    ).folder
    selection = find([first, second])
    grouped, notes = groups(selection)
    text = page(document(selection, grouped, [*notes, EVIL], None, Rules(resamples=100)), details(grouped), {}, [EVIL])
    tree = read(text)
    assert not [name for kind, name in tree.names if kind == "on"]
    assert text.count("<script") == 2
    source = re.search(r'id="utterance-data">(.*?)</script>', text, re.DOTALL)
    assert source is not None
    assert json.loads(source[1])["utterances"][0]["reference"].startswith("said </script>")


def test_one_system_and_no_difference_have_a_page_too(tmp_path: Path) -> None:
    read(rendered(tmp_path / "one", {"dot": 0.3}, 1))
    read(rendered(tmp_path / "same", {"dot": 0.3, "additive": 0.3}, 1, result_lines=lines(0.3, 1)))


def test_five_systems_of_three_seeds_stay_small(tmp_path: Path) -> None:
    lines_of_seed = {seed: lines(0.3, seed, speakers=40, each=5) for seed in range(15)}
    paths = [
        write_run(tmp_path, attend, seed, result_lines=lines_of_seed[3 * index + seed]).folder
        for index, attend in enumerate(("dot", "additive", "location", "gmm", "none"))
        for seed in range(3)
    ]
    selection = find(paths)
    grouped, notes = groups(selection)
    text = page(document(selection, grouped, notes, None, Rules(resamples=50)), details(grouped), {}, [])
    assert len(text.encode()) < LARGEST / 2  # the other half is for pictures and sounds


def words(page: str) -> str:
    """The visible text of the page."""
    body = re.sub(r"<script.*?</script>", " ", page.partition("<body>")[2], flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", body).split()))


def test_the_column_that_decides_is_named(tmp_path: Path) -> None:
    comparison, grouped = compared(tmp_path, {"dot": 0.5, "additive": 0.1}, 2)
    assert comparison["about"] == "runs"  # two seeds against two cannot decide
    for scope in ("runs", "systems"):
        text = words(page({**comparison, "about": scope}, details(grouped), {}, []))
        assert f"The verdict is that of the column p {scope} (Holm)" in text
        assert f"p {scope} " in text.partition("All tests of every pair")[2].partition("detectable")[0]


def test_more_is_needed_only_where_nothing_is_shown(tmp_path: Path) -> None:
    comparison, grouped = compared(tmp_path, {"dot": 0.9, "additive": 0.3, "location": 0.31}, 2)
    shown = [pair["verdict_of_runs"] in ("better", "worse") for pair in comparison["pairs"]]
    assert sorted(shown) == [False, True, True]
    for pair in comparison["pairs"]:
        pair["runs"]["needed"]["utterances"] = 9999  # for four of five such tests to show it; these have shown it
    text = words(page(comparison, details(grouped), {}, []))
    assert text.count("enough as it is") == 2
    assert text.count("9,999 utterances") == 1


def test_a_curve_is_nowhere_cut() -> None:
    def point(step: float, value: float) -> dict[str, float]:
        return {"step": step, "mean": value, "least": value, "most": value, "seeds": 1}

    curves = charts.curves({"one": [point(1, 100.0), point(2, 120.0), point(3, 140.0)]}, ["one"])
    assert curves is not None
    heights = [float(point.split(",")[1]) for point in curves["lines"][0]["line"].split()]
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.2)
    assert heights[0] > heights[1]
    assert float(curves["y"][-1]["text"]) >= 140.0


def test_curves_say_whose_they_are(text: str) -> None:
    assert "WER of the dev split over training steps, by which the best checkpoint was chosen" in words(text)
    assert "as the validations decoded it (greedy)" in words(text)
    assert "WER %, dev" in words(text)


def test_the_four_verdicts_are_explained(text: str) -> None:
    explained = words(text).partition("What the columns are")[2].partition("Budgets:")[0]
    assert all(word in explained for word in ("better", "worse", "no difference shown", "cannot decide"))
    assert "it is not said that the two are equal" in explained


def test_shades_are_told_for_light_and_dark(text: str) -> None:
    assert '<span class="by-day">darker</span><span class="by-night">brighter</span>' in text


def test_local_folders_are_not_shown(tmp_path: Path) -> None:
    comparison, grouped = compared(tmp_path, {"dot": 0.5, "additive": 0.1}, 1)
    comparison["command"] = "lasasr compare /secret/place/one /secret/place/two --html /secret/page.html"
    text = page(comparison, details(grouped), {}, [])
    assert "/secret" not in text
    assert "lasasr compare one two --html page.html" in words(text)


def test_a_diverged_seed_stands_beside_its_system(tmp_path: Path) -> None:
    comparison, grouped = compared(tmp_path, {"dot": 0.5, "additive": 0.1}, 1)
    assert "dot seed 7 diverged" not in words(page(comparison, details(grouped), {}, []))
    comparison["systems"][0]["diverged"] = ["7"]
    assert "dot seed 7 diverged" in words(page(comparison, details(grouped), {}, []))


def test_a_young_seed_is_called_young_and_nothing_else(tmp_path: Path) -> None:
    comparison, grouped = compared(tmp_path, {"dot": 0.1, "none": 0.4}, 1)
    comparison["systems"][0]["young"] = ["1"]
    text = words(page(comparison, details(grouped), {}, []))
    assert "dot seed 1 young" in text
    assert "1 (young)" in text
    assert "seed 1 diverged" not in text
    assert "1 (diverged)" not in text
    del comparison["systems"][0]["young"]  # documents of 0.1.0
    assert "seed 1 young" not in words(page(comparison, details(grouped), {}, []))


def test_the_runs_of_older_cards_are_listed_by_seed(tmp_path: Path) -> None:
    comparison, _ = compared(tmp_path, {"dot": 0.1, "none": 0.4}, 11)
    expected = page(comparison, None, {}, [])
    for system in comparison["systems"]:
        system["runs"].sort(key=lambda run: str(run["seed"]))  # 1, 10, 11, 2, ...
    assert page(comparison, None, {}, []) == expected
    rows = re.findall(r'<tr><th scope="row">dot</th><td>(\d+)', expected)
    assert rows == [str(seed) for seed in range(1, 12)]


def test_it_opens_at_the_baseline_and_the_best(tmp_path: Path) -> None:
    _, grouped = compared(tmp_path, {"dot": 0.3, "additive": 0.2, "none": 0.9}, 1)

    def pair(baseline: str | None) -> list[str]:
        return [system.name for system in opening(grouped, baseline)]

    assert pair(None) == pair("attend=additive") == ["attend=additive", "attend=dot"]
    assert pair("attend=none") == ["attend=none", "attend=additive"]
    contents = details(grouped)  # on most utterances it is none that differs most, but the page opens at the other two
    dot, additive, _ = range(3)
    changes = [
        abs(utterance["runs"][dot]["errors"] - utterance["runs"][additive]["errors"])
        for utterance in contents["utterances"]
    ]
    assert changes[:6] == sorted(changes, reverse=True)[:6]


def test_parts_that_are_rounded_alike_are_one(tmp_path: Path) -> None:
    result_lines = [{**line(f"u{i}", f"s{i}", "one two", "one"), "duration_s": 1.0 + i / 1000} for i in range(10)]
    _, grouped = compared(tmp_path, {"dot": 0.5}, 1, result_lines=result_lines)
    by_duration, by_length, _ = details(grouped)["breakdowns"]
    assert (by_duration["parts"], by_duration["lengths"]) == (["1.0 s"], [20])
    assert by_length["parts"] == ["2"]


def test_a_picture_shows_its_values() -> None:
    import base64
    import io

    from PIL import Image

    address = picture(np.array([[0.0, 0.5, 1.0], [2.0, -1.0, 1.0]]), "gray", 0.0, 1.0)
    image = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("L")
    values = np.asarray(image) / 255.0
    np.testing.assert_allclose(values, [[0, 0.5, 1], [1, 0, 1]], atol=1.0 / LEVELS)
    wide = picture(np.tile([0.0, 1.0], (1, 1000)), "gray", 0.0, 1.0)
    image = Image.open(io.BytesIO(base64.b64decode(wide.partition(",")[2]))).convert("L")
    assert image.width <= 900
    assert abs(float(np.asarray(image).mean()) / 255.0 - 0.5) < 0.05


CLICKS = """
const observed = {};
const rates = () => [...document.querySelectorAll("#systems tbody tr")].map((row) => row.cells[1].textContent);
const heads = [...document.querySelectorAll("#systems th button")];
const click = (text) => heads.find((one) => one.textContent === text).click();
const say = (name, value) => { observed[name] = value; };
try {
  const regions = [...document.querySelectorAll(".scroll")];
  say("wider", regions.filter((region) => region.classList.contains("wider")).map((region) => region.ariaLabel));
  say("cut", regions.filter((region) => region.scrollWidth > region.clientWidth).map((region) => region.ariaLabel));
  say("first", rates());
  click("WER %"); say("up", rates());
  click("WER %"); say("down", rates());
  say("sorted", document.querySelector('#systems th[aria-sort]').getAttribute("aria-sort"));
  const list = document.getElementById("list");
  say("listed", list.children.length);
  say("opened", [...document.querySelectorAll("#panel h4")].map((one) => one.textContent.split(":")[0]));
  say("mapped", [...list.querySelectorAll("small")].map((one) => one.textContent.endsWith("with maps")));
  say("drawn", document.querySelectorAll("#panel .attention").length);
  const button = list.children[2].querySelector("button");
  button.click();
  say("current", list.children[2].querySelector("button").getAttribute("aria-current"));
  say("panel", document.querySelector("#panel h3").textContent);
  say("words", document.querySelector("#panel .words").textContent);
  say("said", button.firstChild.textContent);
  const second = document.getElementById("second");
  second.value = "4"; second.dispatchEvent(new Event("change"));
  say("other", document.querySelectorAll("#panel h4")[1].textContent);
  const filter = document.getElementById("filter");
  filter.value = "s1-u0"; filter.dispatchEvent(new Event("input"));
  say("filtered", [...list.querySelectorAll("small")].map((one) => one.textContent.split(":")[0]));
  const legend = document.querySelector(".legend button");
  legend.click();
  say("hidden", document.getElementById(legend.getAttribute("aria-controls")).style.display);
  say("wide", document.documentElement.scrollWidth <= window.innerWidth);
} catch (error) { say("error", String(error)); }
const box = document.createElement("pre");
box.id = "observed"; box.textContent = JSON.stringify(observed); document.body.append(box);
"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: the page's script is not tried")
@pytest.mark.parametrize("width", [500, 1280])  # headless Chromium makes no window narrower than 500
def test_a_browser_sorts_and_browses(text: str, tmp_path: Path, width: int) -> None:
    tried = tmp_path / "page.html"
    assert "Made by <code>" in text
    long_command = text.replace("Made by <code>", "Made by <code>lasasr compare sweep-" + 40 * "attend=none,")
    tried.write_text(long_command.replace("</body>", f"<script>{CLICKS}</script></body>"), encoding="utf-8")
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'browser'}"]
    done = subprocess.run(
        [*command, f"--window-size={width},900", "--dump-dom", tried.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    box = re.search(r'<pre id="observed">(.*?)</pre>', done.stdout, re.DOTALL)
    assert box is not None, done.stderr[-2000:]
    observed = json.loads(html.unescape(box[1]))
    assert "error" not in observed, observed
    rates = sorted(map(float, observed["first"]))
    assert list(map(float, observed["up"])) == rates
    assert list(map(float, observed["down"])) == rates[::-1]
    assert observed["wider"] == observed["cut"]
    assert ("Table of systems" in observed["wider"]) == (width == 500)
    assert observed["sorted"] == "descending"
    assert observed["listed"] > 3
    assert observed["opened"] == ["additive, seed 1", "dot, seed 1"]
    assert observed["mapped"] == [True] + [False] * (observed["listed"] - 1)
    assert observed["drawn"] == 2
    assert observed["current"] == "true"
    assert observed["said"].split()[0] in observed["words"]
    assert observed["other"].startswith("dot, seed 1") or ", seed 1: " in observed["other"]
    assert observed["filtered"] == ["s1-u0"]
    assert observed["hidden"] == "none"
    assert observed["wide"], "the page is wider than its window"
