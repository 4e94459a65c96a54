"""The page: whole in one file, safe from what it shows, small; its script is tried in a browser where there is one."""

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

from lasasr.comparison.details import details
from lasasr.comparison.document import document
from lasasr.comparison.entries import find
from lasasr.comparison.grouping import groups
from lasasr.metrics.significance.verdict import Rules
from lasasr.report.page import LARGEST, page
from lasasr.report.pictures import LEVELS, picture, sound

EVIL = "</script><script>alert(1)</script> <img src=x onerror=alert(2)> \" ' & {{ 7*7 }}"
VOID = {"meta", "link", "br", "img", "input", "line", "polygon", "polyline"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def rendered(root: Path, systems: dict[str, float], seeds: int, **options: Any) -> str:
    made = [
        write_run(root, attend, seed, rate, **options).folder
        for attend, rate in systems.items()
        for seed in range(1, seeds + 1)
    ]
    found = find(made)
    grouped, notes = groups(found)
    compared = document(found, grouped, notes, None, Rules(resamples=100))
    drawing = {
        "spectrogram": picture(np.eye(4), "magma", 0, 1),
        "duration_s": 1.0,
        "audio": sound(np.zeros(160), 16000),
    }
    told = details(grouped)
    maps = {told["utterances"][0]["id"]: {**drawing, "maps": {}}} if told["utterances"] else {}
    return page(compared, told, maps, ["No maps of x."])


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


def test_what_was_said_is_text_and_nothing_else(tmp_path: Path) -> None:
    made = [line(f"u{i}", f"s{i % 4} {EVIL}", f"said {EVIL} {i}", "heard this") for i in range(8)]
    one = write_run(tmp_path, "dot", made=made).folder
    other = write_run(
        tmp_path, "additive", made=[line(m["id"], m["speaker"], m["reference"], EVIL) for m in made]
    ).folder
    found = find([one, other])
    grouped, notes = groups(found)
    told = page(document(found, grouped, [*notes, EVIL], None, Rules(resamples=100)), details(grouped), {}, [EVIL])
    tree = read(told)
    assert not [name for kind, name in tree.names if kind == "on"]
    assert told.count("<script") == 2
    source = re.search(r'id="utterance-data">(.*?)</script>', told, re.DOTALL)
    assert source is not None
    assert json.loads(source[1])["utterances"][0]["reference"].startswith("said </script>")


def test_one_system_and_no_difference_have_a_page_too(tmp_path: Path) -> None:
    read(rendered(tmp_path / "one", {"dot": 0.3}, 1))
    read(rendered(tmp_path / "same", {"dot": 0.3, "additive": 0.3}, 1, made=lines(0.3, 1)))


def test_five_systems_of_three_seeds_stay_small(tmp_path: Path) -> None:
    made = {seed: lines(0.3, seed, speakers=40, each=5) for seed in range(15)}
    paths = [
        write_run(tmp_path, attend, seed, made=made[3 * place + seed]).folder
        for place, attend in enumerate(("dot", "additive", "location", "gmm", "none"))
        for seed in range(3)
    ]
    found = find(paths)
    grouped, notes = groups(found)
    told = page(document(found, grouped, notes, None, Rules(resamples=50)), details(grouped), {}, [])
    assert len(told.encode()) < LARGEST / 2  # the other half is for pictures and sounds


def test_a_picture_shows_its_values() -> None:
    import base64
    import io

    from PIL import Image

    address = picture(np.array([[0.0, 0.5, 1.0], [2.0, -1.0, 1.0]]), "gray", 0.0, 1.0)
    image = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("L")
    found = np.asarray(image) / 255.0
    np.testing.assert_allclose(found, [[0, 0.5, 1], [1, 0, 1]], atol=1.0 / LEVELS)
    wide = picture(np.tile([0.0, 1.0], (1, 1000)), "gray", 0.0, 1.0)
    image = Image.open(io.BytesIO(base64.b64decode(wide.partition(",")[2]))).convert("L")
    assert image.width <= 900
    assert abs(float(np.asarray(image).mean()) / 255.0 - 0.5) < 0.05


CLICKS = """
const told = {};
const rates = () => [...document.querySelectorAll("#systems tbody tr")].map((row) => row.cells[1].textContent);
const heads = [...document.querySelectorAll("#systems th button")];
const click = (text) => heads.find((one) => one.textContent === text).click();
const say = (name, value) => { told[name] = value; };
try {
  say("first", rates());
  click("WER %"); say("up", rates());
  click("WER %"); say("down", rates());
  say("sorted", document.querySelector('#systems th[aria-sort]').getAttribute("aria-sort"));
  const list = document.getElementById("list");
  say("listed", list.children.length);
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
box.id = "told"; box.textContent = JSON.stringify(told); document.body.append(box);
"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: the page's script is not tried")
@pytest.mark.parametrize("width", [500, 1280])  # headless Chromium makes no window narrower than 500
def test_a_browser_sorts_and_browses(text: str, tmp_path: Path, width: int) -> None:
    tried = tmp_path / "page.html"
    tried.write_text(text.replace("</body>", f"<script>{CLICKS}</script></body>"), encoding="utf-8")
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'browser'}"]
    done = subprocess.run(
        [*command, f"--window-size={width},900", "--dump-dom", tried.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    box = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    assert box is not None, done.stderr[-2000:]
    told = json.loads(html.unescape(box[1]))
    assert "error" not in told, told
    rates = sorted(map(float, told["first"]))
    assert list(map(float, told["up"])) == rates
    assert list(map(float, told["down"])) == rates[::-1]
    assert told["sorted"] == "descending"
    assert told["listed"] > 3
    assert told["current"] == "true"
    assert told["said"].split()[0] in told["words"]
    assert told["other"].startswith("dot, seed 1") or ", seed 1: " in told["other"]
    assert told["filtered"] == ["s1-u0"]
    assert told["hidden"] == "none"
    assert told["wide"], "the page is wider than its window"
