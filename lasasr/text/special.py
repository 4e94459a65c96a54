"""The four token ids that are not text, equal in every vocabulary of the toolkit.

`BLANK` belongs to CTC, `PAD` fills batches, `SOS` starts a hypothesis, `EOS` ends it. They are four different
ids: where two of them share one, padding cannot be told from the end of the sentence.
"""

from __future__ import annotations

from typing import Final

BLANK: Final = 0
PAD: Final = 1
SOS: Final = 2
EOS: Final = 3
FIRST_TEXT: Final = 4  # ids from here on are tokens of text

NAMES: Final = ("<blank>", "<pad>", "<sos>", "<eos>")
NEVER_EMITTED: Final = (BLANK, PAD, SOS)  # by the decoder; CTC in turn never emits PAD, SOS, EOS
