"""`lasasr ngram`: text -> word n-grams, which a search reads beside the recognizer."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import get_args

from lasasr.artifacts import files
from lasasr.cli.arguments import Parser
from lasasr.errors import LasasrError, UsageError

MOST_ORDER = 20  # more words in a row repeat only where text is copied
EPILOG = """\
examples:
  lasasr ngram books/ --layout prose --words cmudict --out books.arpa
  lasasr ngram train.txt --dev dev.txt --out 3-gram.arpa                its perplexity on dev, too
  lasasr evaluate RUN search=beam_ctc search.lm=books.arpa search.lm_weight=0.5 search.lm_unknown=-8"""


def run(arguments: list[str]) -> int:
    """Estimate n-grams of the text, write them, say how large and how good they are."""
    options = _parser().read(arguments)
    if not 1 <= options.order <= MOST_ORDER:
        raise UsageError(f"--order must be 1 to {MOST_ORDER}, got {options.order}")
    if options.most_words < 1:
        raise UsageError(f"--most-words must be at least 1, got {options.most_words}")
    if options.out.suffix != ".arpa":
        raise UsageError(f"--out must end in .arpa, got {options.out}")
    out = files.expanded(options.out)
    if out.is_dir():
        raise UsageError(f"--out names the file that is written, but {options.out} is a folder")

    from lasasr.lm import kneser_ney
    from lasasr.text.transcript import rule

    words = rule(options.transcript)
    dev = _text_files([options.dev], "--dev") if options.dev else []
    texts = [path for path in dict.fromkeys(_text_files(options.texts, "TEXT")) if path not in dev]
    if not texts:
        raise UsageError(f"--dev={options.dev} is all the text that is given; it is left out, so nothing remains")
    further = () if options.words is None else _further(options.words, words)
    try:
        model = kneser_ney.estimate(_sentences(texts, options, words), options.order, further)
    except ValueError as error:
        raise LasasrError(f"{', '.join(map(str, options.texts))}: {error}") from None
    held_out = list(_sentences(dev, options, words))
    if dev and not any(held_out):
        raise LasasrError(f"--dev: {options.dev} holds no word")
    try:
        kneser_ney.write(out, model)
    except OSError as error:
        raise LasasrError(f"{options.out} cannot be written: {error.strerror}") from None
    sizes = ", ".join(f"{len(order.words):,} {n}-grams" for n, order in enumerate(model.orders, start=1))
    print(f"{model.sentences:,} sentences, {model.tokens:,} words: {sizes}")
    if len(model.orders) < options.order:
        print(f"note: no sentence is long enough for {len(model.orders) + 1}-grams")
    if model.guessed:
        lengths = ", ".join(map(str, model.guessed))
        print(f"note: too little text to estimate the discounts of length {lengths}: {kneser_ney.FALLBACK} are taken")
    if dev:
        _print_perplexity(out, [sentence for sentence in held_out if sentence])
    print(options.out)
    return 0


def _parser() -> Parser:
    from lasasr.corpora.text import Layout

    parser = Parser("ngram", "Estimate word n-grams (modified Kneser-Ney) from text, for search.lm.", EPILOG)
    parser.add_argument("texts", metavar="TEXT", type=Path, nargs="+", help=".txt or .txt.gz, or a folder of them")
    parser.add_argument("--out", metavar="FILE.arpa", type=Path, required=True, help="is written")
    parser.add_argument(
        "--order", metavar="N", type=int, default=3, help=f"words of the longest n-grams, 1 to {MOST_ORDER} (3)"
    )
    parser.add_argument(
        "--layout", choices=get_args(Layout), default="lines", help="sentences per line, or prose (lines)"
    )
    parser.add_argument(
        "--most-words", metavar="N", type=int, default=40, help="longer sentences of prose are cut (40)"
    )
    parser.add_argument(
        "--transcript", metavar="RULE", default="english", help="that of the recognizer's corpus (english)"
    )
    parser.add_argument(
        "--words", metavar="FILE", type=Path, help="further words that can be said: one per line, or a dictionary"
    )
    parser.add_argument("--dev", metavar="TEXT", type=Path, help="left out of the text; the perplexity on it is said")
    return parser


def _text_files(roots: Sequence[Path], key: str) -> list[Path]:
    from lasasr.corpora.text import text_files

    return [path for root in roots for path in text_files(files.expanded(root), key)]


def _sentences(paths: Sequence[Path], options: Namespace, words: Callable[[str], str]) -> Iterator[list[str]]:
    from lasasr.corpora.text import sentences

    return (words(sentence).split() for sentence in sentences(paths, options.layout, options.most_words))


def _further(path: Path, words: Callable[[str], str]) -> list[str]:
    from lasasr.text.dictionary import listed_words

    return [word for listed in listed_words(files.expanded(str(path))) for word in words(listed).split()]


def _print_perplexity(path: Path, sentences: Sequence[Sequence[str]]) -> None:
    from lasasr.lm.arpa import BackOffModel
    from lasasr.lm.perplexity import Perplexity

    model, nats, unknown = BackOffModel(path), 0.0, 0
    for sentence in sentences:
        context = model.begin()
        for word in sentence:
            score, context = model.word(context, word)
            nats -= score
            unknown += not model.has(word)
        nats -= model.end(context)
    words, characters = sum(map(len, sentences)), sum(len(" ".join(sentence)) for sentence in sentences)
    per_word = Perplexity(nats, words, words, characters, len(sentences)).per_word
    print(f"dev: {words:,} words, {100 * unknown / words:.2f} % unknown, perplexity per word {per_word:.1f}")
