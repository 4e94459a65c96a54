"""`lasasr ngram`: text -> word n-grams, which a search reads beside the recognizer; or n-grams mixed."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from lasasr.artifacts import files
from lasasr.cli.arguments import Parser
from lasasr.errors import LasasrError, UsageError

if TYPE_CHECKING:
    from lasasr.lm.arpa_written import Ngrams

DEFAULT_ORDER = 3
MOST_ORDER = 20  # more words in a row repeat only where text is copied
EPILOG = """\
examples:
  lasasr ngram books/ --layout prose --words cmudict --out books.arpa
  lasasr ngram train.txt --dev dev.txt --out 3-gram.arpa                its perplexity on dev, too
  lasasr ngram books.arpa 3-gram.arpa --mix --dev dev.txt --out both.arpa   with the weights that fit dev best
  lasasr evaluate RUN search=beam_ctc search.lm=books.arpa search.lm_weight=0.5 search.lm_unknown=-8"""


def run(arguments: list[str]) -> int:
    """Estimate n-grams of the text, or mix those of files; write them, say how large and how good they are."""
    options = _parser().read(arguments)
    if options.most_words < 1:
        raise UsageError(f"--most-words must be at least 1, got {options.most_words}")
    if options.out.suffix != ".arpa":
        raise UsageError(f"--out must end in .arpa, got {options.out}")
    out = files.expanded(options.out)
    if out.is_dir():
        raise UsageError(f"--out names the file that is written, but {options.out} is a folder")
    if options.mix:
        _mix(options, out)
    else:
        _estimate(options, out)
    print(options.out)
    return 0


def _estimate(options: Namespace, out: Path) -> None:
    order = DEFAULT_ORDER if options.order is None else options.order
    if not 1 <= order <= MOST_ORDER:
        raise UsageError(f"--order must be 1 to {MOST_ORDER}, got {order}")

    from lasasr.lm import kneser_ney
    from lasasr.text.transcript import rule

    words = rule(options.transcript)
    dev = _text_files([options.dev], "--dev") if options.dev else []
    texts = [path for path in dict.fromkeys(_text_files(options.texts, "TEXT")) if path not in dev]
    if not texts:
        raise UsageError(f"--dev={options.dev} is all the text that is given; it is left out, so nothing remains")
    further = () if options.words is None else _further(options.words, words)
    try:
        model = kneser_ney.estimate(_sentences(texts, options, words), order, further)
    except ValueError as error:
        raise LasasrError(f"{', '.join(map(str, options.texts))}: {error}") from None
    held_out = _held_out(dev, options, words)
    _write(options, out, model.ngrams)
    print(f"{model.sentences:,} sentences, {model.tokens:,} words: {_sizes(model.ngrams)}")
    if len(model.ngrams.orders) < order:
        print(f"note: no sentence is long enough for {len(model.ngrams.orders) + 1}-grams")
    if model.guessed:
        lengths = ", ".join(map(str, model.guessed))
        print(f"note: too little text to estimate the discounts of length {lengths}: {kneser_ney.FALLBACK} are taken")
    if held_out:
        _print_perplexity(out, held_out)


def _mix(options: Namespace, out: Path) -> None:
    for key, value in (("--order", options.order), ("--words", options.words)):
        if value is not None:
            raise UsageError(f"{key} is for estimating n-grams from text; --mix takes those of the files as they are")
    if len(options.texts) < 2:
        raise UsageError(f"--mix takes two ARPA files or more, got {options.texts[0]} alone")
    if options.dev is None:
        raise UsageError("--mix needs --dev=TEXT: the weights are those that fit it best")

    from lasasr.lm import mixture
    from lasasr.lm.arpa import BackOffModel
    from lasasr.text.transcript import rule

    held_out = _held_out(_text_files([options.dev], "--dev"), options, rule(options.transcript))
    models = [BackOffModel(files.expanded(path)) for path in options.texts]
    weights = mixture.fitted_weights(models, held_out)
    ngrams = mixture.mixed(models, weights)
    _write(options, out, ngrams)
    print(f"weights: {', '.join(f'{path} {weight:.3f}' for path, weight in zip(options.texts, weights, strict=True))}")
    print(_sizes(ngrams))
    _print_perplexity(out, held_out)


def _write(options: Namespace, out: Path, ngrams: Ngrams) -> None:
    from lasasr.lm import arpa_written

    try:
        arpa_written.write(out, ngrams)
    except OSError as error:
        raise LasasrError(f"{options.out} cannot be written: {error.strerror}") from None


def _sizes(ngrams: Ngrams) -> str:
    return ", ".join(f"{len(order.words):,} {n}-grams" for n, order in enumerate(ngrams.orders, start=1))


def _parser() -> Parser:
    from lasasr.corpora.text import Layout

    parser = Parser(
        "ngram", "Estimate word n-grams (modified Kneser-Ney) from text, or mix those of files, for search.lm.", EPILOG
    )
    parser.add_argument("texts", metavar="TEXT", type=Path, nargs="+", help=".txt or .txt.gz, or a folder of them")
    parser.add_argument("--out", metavar="FILE.arpa", type=Path, required=True, help="is written")
    parser.add_argument(
        "--order", metavar="N", type=int, help=f"words of the longest n-grams, 1 to {MOST_ORDER} ({DEFAULT_ORDER})"
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
    parser.add_argument(
        "--mix",
        action="store_true",
        help="TEXT are ARPA files: one model of them, with the weights that fit --dev best",
    )
    return parser


def _text_files(roots: Sequence[Path], key: str) -> list[Path]:
    from lasasr.corpora.text import text_files

    if ngrams := [root for root in roots if ".arpa" in root.suffixes]:
        raise UsageError(f"{key}: {ngrams[0]} holds n-grams, not text; --mix makes one model of several such files")
    return [path for root in roots for path in text_files(files.expanded(root), key)]


def _sentences(paths: Sequence[Path], options: Namespace, words: Callable[[str], str]) -> Iterator[list[str]]:
    from lasasr.corpora.text import sentences

    return (words(sentence).split() for sentence in sentences(paths, options.layout, options.most_words))


def _held_out(dev: Sequence[Path], options: Namespace, words: Callable[[str], str]) -> list[list[str]]:
    """The sentences of --dev, of these files, that have words; none where it is not given."""
    sentences = [sentence for sentence in _sentences(dev, options, words) if sentence]
    if dev and not sentences:
        raise LasasrError(f"--dev: {options.dev} holds no word")
    return sentences


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
