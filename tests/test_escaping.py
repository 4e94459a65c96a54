"""What acts on a terminal is written out, whatever is shown and wherever; nothing else is changed or lost."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasasr.escaping import EscapingStream, acting, escaped, escaping_output, lines_escaped, one_line

DIRECTIONS = {chr(code) for code in range(0x110000) if unicodedata.bidirectional(chr(code)) in
              ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")}  # fmt: skip
CONTROLS = {chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in ("Cc", "Zl", "Zp", "Cs")}


def test_every_control_and_every_override_of_direction_is_written_out() -> None:
    for character in DIRECTIONS | CONTROLS:
        assert escaped(f"a{character}b") == f"a\\u{ord(character):04x}b"
        assert acting(f"a{character}b") == character


@given(st.text())
def test_the_rest_stays_and_json_strings_keep_their_meaning(text: str) -> None:
    assert escaped(escaped(text)) == escaped(text)
    assert not any(character in CONTROLS | DIRECTIONS for character in escaped(text))
    if not acting(text):
        assert escaped(text) == text
    assert json.loads(escaped(json.dumps(text, ensure_ascii=False))) == text


@pytest.mark.parametrize("text", ["café", "नमस्ते क्ष", "語", "नि‍", "👩‍👧", "a\u00a0b", "\\u001b"])
def test_letters_joiners_and_wide_spaces_stay(text: str) -> None:
    assert escaped(text) == text


def test_lines_keep_their_ends() -> None:
    assert lines_escaped("a\tb\nc\x1b\r") == "a\tb\nc\\u001b\\u000d"


def test_a_bar_may_go_back_and_up_but_a_text_may_not() -> None:
    stream = io.StringIO()
    guarded = EscapingStream(stream)
    for text in ("\r50 %", "\n\n\x1b[A\x1b[A", "id \x1b[A\x1b[2J\x07"):
        guarded.write(text)
    assert stream.getvalue() == "\r50 %\n\n\x1b[A\x1b[Aid \\u001b[A\\u001b[2J\\u0007"


def test_the_output_is_what_it_was_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    with escaping_output(), escaping_output():
        sys.stdout.write("a\u202eb\n")
        sys.stderr.write("c\x1b\n")
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr() == ("a\\u202eb\n", "c\\u001b\n")


@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}, {"PYTHONIOENCODING": "latin-1"}])
def test_an_output_without_unicode_loses_nothing_and_fails_on_nothing(variables: dict[str, str]) -> None:
    script = "from lasasr.escaping import escaping_output\nwith escaping_output(): print('caf\\xe9 \\u8a9e \\x1b[2J')"
    environment = {**os.environ, **variables}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
    text = done.stdout.decode("latin-1" if "latin-1" in variables.values() else "utf-8").strip()
    assert text.replace("\\xe9", "é").replace("\\u8a9e", "語") == "café 語 \\u001b[2J"


@given(st.text())
def test_an_error_is_one_line_that_acts_on_nothing(message: str) -> None:
    assert acting(one_line(message)) == ""
    assert one_line(message) == " ".join(lines_escaped(message).split())


def test_an_error_that_quotes_a_whole_file_keeps_its_beginning_and_its_end() -> None:
    said = one_line(f"tokenizer.json is damaged ({'x' * 1_000_000}); prepare it again")
    assert said.startswith("tokenizer.json is damaged (xxx")
    assert said.endswith("xxx); prepare it again")
    assert "characters left out" in said
    assert len(said) < 2_100
