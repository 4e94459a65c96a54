"""What was tested and how, as a paragraph of a paper, with the sources as BibTeX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lasasr import __version__
from lasasr.comparison.pairs import centre, decides, speakers_unknown

SOURCES: Final[Mapping[str, str]] = {
    "bell2002bias": (
        "@article{bell2002bias, author={Bell, Robert M. and McCaffrey, Daniel F.}, title={Bias reduction in standard "
        "errors for linear regression with multi-stage samples}, journal={Survey Methodology}, volume={28}, "
        "number={2}, pages={169--181}, year={2002}}"
    ),
    "bisani2004bootstrap": (
        "@inproceedings{bisani2004bootstrap, author={Bisani, Maximilian and Ney, Hermann}, title={Bootstrap estimates "
        "for confidence intervals in {ASR} performance evaluation}, booktitle={Proc.~ICASSP}, year={2004}}"
    ),
    "bloom1995minimum": (
        "@article{bloom1995minimum, author={Bloom, Howard S.}, title={Minimum detectable effects: a simple way to "
        "report the statistical power of experimental designs}, journal={Evaluation Review}, volume={19}, number={5}, "
        "pages={547--556}, year={1995}}"
    ),
    "clark1973language": (
        "@article{clark1973language, author={Clark, Herbert H.}, title={The language-as-fixed-effect fallacy: a "
        "critique of language statistics in psychological research}, journal={Journal of Verbal Learning and Verbal "
        "Behavior}, volume={12}, number={4}, pages={335--359}, year={1973}}"
    ),
    "holm1979simple": (
        "@article{holm1979simple, author={Holm, Sture}, title={A simple sequentially rejective multiple test "
        "procedure}, journal={Scandinavian Journal of Statistics}, volume={6}, number={2}, pages={65--70}, year={1979}}"
    ),
    "satterthwaite1946approximate": (
        "@article{satterthwaite1946approximate, author={Satterthwaite, Franklin E.}, title={An approximate "
        "distribution of estimates of variance components}, journal={Biometrics Bulletin}, volume={2}, number={6}, "
        "pages={110--114}, year={1946}}"
    ),
}

NOTHING_TESTED: Final = "No difference was tested: there are too few speakers or seeds for any answer."


def bibtex() -> str:
    """The sources that `methods` cites."""
    return "\n\n".join(SOURCES.values()) + "\n"


def methods(document: Mapping[str, Any], escaped: Callable[[str], str]) -> str:
    """The paragraph, in LaTeX.

    Args:
        document: the contents of comparison.json or of a card.
        escaped: makes text of names, whose signs then have no meaning.
    """
    sentences = [_test_set(document, escaped), _rates(document)]
    if document["pairs"]:
        tested = any(decides(pair, document["about"]) for pair in document["pairs"])
        sentences += [_test(document), _correction(document), _detectable(document)] if tested else [NOTHING_TESTED]
    sentences.append(f"Computed with lasasr {__version__}.")
    return "\n".join(sentence for sentence in sentences if sentence)


def _test_set(document: Mapping[str, Any], escaped: Callable[[str], str]) -> str:
    units = {"wer": "words", "per": "phones", "cer": "characters"}[document["metric"]]
    unknown = " (speakers are not known; each utterance counts as one)"
    alone = unknown if speakers_unknown(document) else ""
    speakers = f"{document['speakers']:,} speaker{'s' * (document['speakers'] != 1)}{alone}"
    return (
        f"Error rates are pooled over the {document['utterances']:,} utterances ({document['reference_length']:,} "
        f"{units}) of {speakers} of {escaped(str(document['split']))}, after the "
        f"normalizer {escaped(str(document['normalizer']))}."
    )


def _rates(document: Mapping[str, Any]) -> str:
    counts = sorted({len(system["seeds"]) for system in document["systems"]})
    if counts == [1]:
        return "Each system is one trained model."
    span = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"Each system was trained with {span} seeds, and its rate is their mean."


def _test(document: Mapping[str, Any]) -> str:
    level = f"{100 * document['rules']['level']:.0f}\\,\\%"
    speakers = "the cluster-robust (CR2) variance over speakers~\\cite{bell2002bias}"
    if document["about"] == "runs":
        return (
            f"Differences were tested two-sided at {level} by a $t$ test with {speakers}; the tests are about these "
            f"trained models on other speakers and say nothing about other seeds."
        )
    text = (
        f"Differences were tested two-sided at {level} over speakers and seeds at once, both as random "
        f"factors~\\cite{{clark1973language}}: by a $t$ test whose variance is {speakers} plus what the spread between "
        f"seeds shows beyond it, with Satterthwaite's degrees of freedom~\\cite{{satterthwaite1946approximate}}."
    )
    if document["rules"]["trust_normal_seeds"]:
        text += " The spread of seeds was taken as normal."
    return text


def _correction(document: Mapping[str, Any]) -> str:
    pairs = len(document["systems"]) - 1 if document["baseline"] else _all_pairs(len(document["systems"]))
    compared = f"for the {pairs} pairs" if pairs > 1 else ""
    return f"$p$ values were adjusted {compared} by Holm's method~\\cite{{holm1979simple}}." if compared else ""


def _all_pairs(count: int) -> int:
    return count * (count - 1) // 2


def _detectable(document: Mapping[str, Any]) -> str:
    name = centre(document)  # a card has only the pairs with it
    about = document["about"]
    shown = [pair for pair in document["pairs"] if name in (pair["first"], pair["second"]) and decides(pair, about)]
    points = [pair[about]["detectable_points"] for pair in shown if pair[about]["detectable_points"] is not None]
    if not points:
        return ""
    span = f"{min(points):.2f}" if max(points) - min(points) < 0.005 else f"{min(points):.2f} to {max(points):.2f}"
    power = f"{100 * document['rules']['power']:.0f}\\,\\%"
    return f"A single difference of {span} points would have been found with {power} power~\\cite{{bloom1995minimum}}."
