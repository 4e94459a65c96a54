"""Answers as HTML, with nothing that a page would have to fetch: pictures are part of it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Final

from lasasr.app.answer import Answer, Map
from lasasr.app.recording import Recording
from lasasr.escaping import escaped
from lasasr.search.hypothesis import Hypothesis, Word

UNSURE: Final = 0.5  # a word that is right less often is underlined, too: colour alone does not reach everyone
_NO_TEXT: Final = "no text: silence, steady noise, or nothing recognized"


def page(recording: Recording, answers: Sequence[Answer]) -> str:
    """All answers to a recording, side by side where there is place."""
    heading = f"{_shown(recording.name)}, {recording.duration_s:.1f} s"
    columns = "".join(_column(answer) for answer in answers)
    return f'<div class="lasasr"><p class="heard">{heading}</p><div class="systems">{columns}</div></div>'


def problem(message: str) -> str:
    """One line that says what is wrong."""
    return f'<div class="lasasr"><p class="problem" role="alert">{_shown(message)}</p></div>'


def _column(answer: Answer) -> str:
    heading = f"<h3>{_shown(answer.system)}</h3>"
    if answer.transcript is None:
        return f'<section>{heading}<p class="problem" role="alert">{_shown(answer.error)}</p></section>'
    best = answer.transcript.hypothesis
    parts = [heading, _text(best), _facts(answer, best), *map(_picture, answer.maps), _words(best), _readings(best)]
    return f"<section>{''.join(parts)}</section>"


def _text(best: Hypothesis) -> str:
    if not best.text:
        return f'<p class="text none">{_NO_TEXT}</p>'
    sure = all(word.confidence is None for word in best.words)
    said = _shown(best.text) if sure else " ".join(map(_word, best.words))
    return f'<p class="text">{said}</p>'


def _word(word: Word) -> str:
    """A word, the darker the less sure."""
    if word.confidence is None:
        return _shown(word.word)
    unsure = ' class="unsure"' if word.confidence < UNSURE else ""
    doubt = round(100 * (1.0 - word.confidence))
    title = f"{word.confidence:.2f}, {word.start_s:.2f} to {word.end_s:.2f} s"
    return f'<mark{unsure} style="--doubt:{doubt}%" title="{title}">{_shown(word.word)}</mark>'


def _facts(answer: Answer, best: Hypothesis) -> str:
    assert answer.transcript is not None
    factor = answer.seconds / answer.transcript.duration_s
    facts = [f"{answer.seconds:.2f} s, real-time factor {factor:.2f}"]
    if best.confidence is not None:
        facts.append(f"confidence {best.confidence:.2f}")
    elif best.text:
        facts.append("confidence is not calibrated (lasasr calibrate RUN)")
    facts += [*(f"flag {flag}" for flag in best.flags if flag != "empty"), *answer.notes]
    return f'<p class="facts">{_shown("; ".join(facts))}</p>'


def _picture(drawn: Map) -> str:
    title = f"attention over the spectrogram, {drawn.start_s:.1f} to {drawn.end_s:.1f} s"
    source = f"data:image/png;base64,{base64.b64encode(drawn.png).decode('ascii')}"
    return f'<figure><img src="{source}" alt="{title}"><figcaption>{title}</figcaption></figure>'


def _words(best: Hypothesis) -> str:
    if not best.words:
        return ""
    rows = "".join(
        f"<tr><td>{_shown(word.word)}</td><td>{word.start_s:.2f}</td><td>{word.end_s:.2f}</td>"
        f"<td>{'' if word.confidence is None else f'{word.confidence:.2f}'}</td></tr>"
        for word in best.words
    )
    head = "<tr><th>word</th><th>start (s)</th><th>end (s)</th><th>confidence</th></tr>"
    summary = f"words and times, from {_shown(str(best.times_from))}"
    return _details(summary, f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>")


def _readings(best: Hypothesis) -> str:
    if not best.alternatives:
        return ""
    rows = "".join(
        f"<li><span>{reading.score:.2f}</span> {_shown(reading.text) or '(no text)'}</li>"
        for reading in (best, *best.alternatives)
    )
    return _details(f"the {1 + len(best.alternatives)} best, with their scores", f"<ol>{rows}</ol>")


def _details(summary: str, content: str) -> str:
    return f'<details open><summary>{summary}</summary><div class="wide">{content}</div></details>'


def _shown(text: str) -> str:
    """Text of others: no markup, no character that acts on the page."""
    return escape(escaped(text))
