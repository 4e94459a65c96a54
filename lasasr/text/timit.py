"""The phones of TIMIT and how results fold them: 61 labels → 48 to model → 39 to score.

Source: K.-F. Lee and H.-W. Hon, "Speaker-independent phone recognition using hidden Markov models", IEEE Trans.
ASSP 37(11), 1989, Table I (48 phones) and §IV (which of them count as the same when errors are counted).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lasasr.errors import LasasrError

GLOTTAL_STOP: Final = "q"  # none of the 48: it is taken out of the transcript
PROTOCOL: Final = (
    "reference and hypothesis folded to the 39 phones of Lee & Hon (1989), q deleted: "
    "the core test set has 7,215 such phones; papers that count 7,333 keep q in the reference"
)

_LABELS = (
    "aa ae ah ao aw ax ax-h axr ay b bcl ch d dcl dh dx eh el em en eng epi er ey f g gcl h# hh hv ih ix iy jh k kcl "
    "l m n ng nx ow oy p pau pcl q r s sh t tcl th uh uw ux v w y z zh"
)
PHONES_61: Final = tuple(_LABELS.split())

# phones that are not listed stay as they are
FOLD_61_TO_48: Final = {
    "ax-h": "ax",
    "axr": "er",
    "em": "m",
    "eng": "ng",
    "hv": "hh",
    "nx": "n",
    "ux": "uw",
    **dict.fromkeys(("bcl", "dcl", "gcl"), "vcl"),  # voiced closures
    **dict.fromkeys(("pcl", "tcl", "kcl"), "cl"),  # unvoiced closures
    **dict.fromkeys(("h#", "pau"), "sil"),
}
FOLD_48_TO_39: Final = {
    **dict.fromkeys(("cl", "vcl", "epi"), "sil"),
    "ao": "aa",
    "ax": "ah",
    "el": "l",
    "en": "n",
    "ix": "ih",
    "zh": "sh",
}

PHONES_48: Final = tuple(sorted({FOLD_61_TO_48.get(phone, phone) for phone in PHONES_61} - {GLOTTAL_STOP}))
PHONES_39: Final = tuple(sorted({FOLD_48_TO_39.get(phone, phone) for phone in PHONES_48}))
_ALL: Final = tuple(dict.fromkeys((*PHONES_61, *PHONES_48)))


def fold_to_48(phones: Iterable[str]) -> list[str]:
    """The 61 labels as the 48 phones to model; the glottal stop is left out.

    Raises:
        LasasrError: a label is none of the 61.
    """
    return [FOLD_61_TO_48.get(phone, phone) for phone in _checked(phones, PHONES_61) if phone != GLOTTAL_STOP]


def fold_to_39(phones: Iterable[str]) -> list[str]:
    """The 48 phones as the 39 to score.

    Raises:
        LasasrError: a phone is none of the 48.
    """
    return [FOLD_48_TO_39.get(phone, phone) for phone in _checked(phones, PHONES_48)]


def folded(text: str, phones: int) -> str:
    """A transcript of any of the three sets in the set of 61 (as it is), 48 or 39 phones; idempotent.

    The sets agree wherever they share a name, so that it need not be said which one `text` is in. The glottal stop is
    a label of the 61 only.

    Raises:
        LasasrError: a phone is in none of the sets.
    """
    labels = list(_checked(text.split(), _ALL))
    if phones == len(PHONES_61):
        return " ".join(labels)
    in_48 = [FOLD_61_TO_48.get(label, label) for label in labels if label != GLOTTAL_STOP]
    return " ".join(in_48 if phones == len(PHONES_48) else [FOLD_48_TO_39.get(phone, phone) for phone in in_48])


def _checked(phones: Iterable[str], inventory: tuple[str, ...]) -> Iterable[str]:
    for phone in phones:
        if phone not in inventory:
            raise LasasrError(f"{phone!r} is none of the {len(inventory)} phones of TIMIT's set")
        yield phone
