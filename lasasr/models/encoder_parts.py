"""The part of an encoder, read before it is built: front end and weights that it brings, stages that stay frozen."""

from __future__ import annotations

from typing import Final

from lasasr.configuration import gate, signature_defaults
from lasasr.configuration.sections import Part
from lasasr.errors import UsageError
from lasasr.listen.base import Encoder

OF_ENCODER: Final = "lasasr.audio.base.of_encoder"


def resolved_parts(frontend: Part, listen: Part) -> tuple[Part, Part]:
    """Front end and encoder as they are built and carried: an encoder that brings its weights says what both are.

    Raises:
        UsageError: the front end is another one than the encoder needs.
        LasasrError: its weights cannot be used.
    """
    listen = resolved_encoder(listen)
    needed = _encoder_class(listen).required_frontend(listen)
    if needed is None:
        return frontend, listen
    if frontend.get("_target_") == OF_ENCODER:
        return needed, listen
    wanted, given = (signature_defaults.as_text(signature_defaults.without_defaults(one)) for one in (needed, frontend))
    if wanted != given:
        said = ", ".join(f"{key}={value}" for key, value in needed.items() if key != "_target_")
        raise UsageError(
            f"frontend ({frontend.get('_target_')}) is not the one that listen.weights={listen.get('weights')} was "
            f"trained with ({needed['_target_']}{': ' if said else ''}{said}): take frontend=of_encoder"
        )
    return frontend, listen


def resolved_encoder(listen: Part) -> Part:
    """The part of an encoder with what it reads from elsewhere written into it.

    Raises:
        LasasrError: its weights cannot be used.
    """
    return _encoder_class(listen).resolved(listen)


def bytes_elsewhere(listen: Part) -> int:
    """Bytes of an encoder's weights that a bundle leaves out.

    Raises:
        LasasrError: they cannot be found.
    """
    return _encoder_class(listen).bytes_elsewhere(listen)


def keeps_frozen(listen: Part) -> bool:
    """Whether an encoder has a first stage that stays frozen."""
    return _encoder_class(listen).keeps_frozen(listen)


def required_frontend(listen: Part) -> Part | None:
    """The front end that an encoder needs; None: any."""
    return _encoder_class(listen).required_frontend(resolved_encoder(listen))


def _encoder_class(listen: Part) -> type[Encoder]:
    """The class of an encoder; the base class where a function makes it."""
    if "_target_" not in listen:
        raise UsageError("listen has no _target_, so there is nothing to build")
    kind = gate.resolve(listen["_target_"], "listen")
    return kind if isinstance(kind, type) and issubclass(kind, Encoder) else Encoder
