"""Training a trained recognizer on: how it begins, what of it is trained, and what is said of that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lasasr.adapt import ewc, vocabulary
from lasasr.adapt.base import Method, Penalty, WeightMethod, check_together, weight_method
from lasasr.adapt.ewc import EWC
from lasasr.adapt.full import Full
from lasasr.adapt.regularized import RegularizedLoss
from lasasr.artifacts import delta
from lasasr.artifacts.delta import Base
from lasasr.artifacts.runs import Run
from lasasr.configuration.settings import Recognition
from lasasr.distributed import launch
from lasasr.errors import LasasrError, UsageError
from lasasr.losses.base import Heads, Loss
from lasasr.models import adaptation, factory
from lasasr.models.adaptation import Adaptation
from lasasr.models.parts import ModelParts
from lasasr.models.recognizer import Recognizer
from lasasr.nn import initial_weights
from lasasr.text.base import Tokenizer
from lasasr.training.parameter_groups import PartRates
from lasasr.training.pretrained import trained_count
from lasasr.training.warm_start import check_same_tokens, trained_bundle


def is_adapting(settings: Recognition) -> bool:
    """Whether a trained recognizer is trained on as a whole."""
    return bool(settings.adapt.methods)


def base_bundle(settings: Recognition) -> Base:
    """The bundle that is trained on.

    Raises:
        UsageError: none is named.
        LasasrError: there is none, or it cannot be trained on.
    """
    if settings.warm_start.run is None:
        raise UsageError("adapt needs what it trains on: warm_start.run=RUN, a run folder or bundle")
    return delta.base_at(trained_bundle(settings.warm_start.run))


def check(settings: Recognition) -> None:
    """Refuse what can be seen to be wrong before anything is prepared.

    Raises:
        LasasrError: methods that do not go together, an option out of its range, a bundle that is not there.
    """
    if grows(settings) and settings.tokenizer.get("run") is None:
        raise UsageError(factory.NOTHING_TO_GROW)
    if is_adapting(settings):
        methods = adaptation.methods(settings.adapt.methods)
        check_together(methods)
        if grows(settings):
            _refuse_growing(methods, settings)
        base = base_bundle(settings)
        if any(isinstance(method, EWC) for method in methods.values()):
            ewc.read(base.folder)


def beginning(settings: Recognition, tokenizer: Tokenizer, normalizer: str) -> Recognizer:
    """What training begins with: an untrained recognizer, or a trained one that is adapted."""
    if is_adapting(settings):
        return adapted_recognizer(settings, tokenizer, normalizer)
    return Recognizer.build(factory.model_parts(settings), tokenizer, normalizer)


def adapted_recognizer(settings: Recognition, tokenizer: Tokenizer, normalizer: str) -> Recognizer:
    """The recognizer of the bundle that is trained on, with what the method adds, and its weights chosen.

    Raises:
        LasasrError: the bundle does not fit the configuration, or a pattern means nothing.
    """
    base = base_bundle(settings)
    trained = Recognizer.load(base.folder)
    if trained.adaptation is not None:
        raise LasasrError(f"warm_start.run: {base.folder} holds adapters already, which cannot be trained on")
    grows = _check_tokens(settings, tokenizer, trained.tokenizer, base.folder)
    heads = _heads(settings, trained.parts.heads, base.folder)
    parts = ModelParts(
        frontend=settings.frontend,
        listen=settings.listen,
        attend=settings.attend,
        spell=settings.spell,
        search=settings.search,
        seed=settings.seed,
        heads=heads,
    )
    with initial_weights.read_later():
        recognizer = Recognizer.build(parts, tokenizer, normalizer)
    if grows:
        sizes = trained.tokenizer.vocabulary_size, tokenizer.vocabulary_size
        vocabulary.load_rows(recognizer, trained.state_dict(), *sizes)
    else:
        recognizer.load_state_dict(trained.state_dict())
    method = chosen_method(settings)
    method.add(recognizer, settings.seed)
    method.choose(recognizer)
    added = adaptation.adding(settings.adapt.methods)
    as_delta = bool(added) if settings.adapt.bundle is None else settings.adapt.bundle == "delta"
    if added or as_delta:
        recognizer.adaptation = Adaptation(added, base if as_delta else None)
    return recognizer


def _check_tokens(settings: Recognition, tokenizer: Tokenizer, trained: Tokenizer, folder: Path) -> bool:
    """Whether the vocabulary has grown.

    Raises:
        LasasrError: the tokens are others than those of the bundle, or stand at other places.
    """
    if not grows(settings) or tokenizer.vocabulary_size == trained.vocabulary_size:
        check_same_tokens(tokenizer, trained, folder)
        return False
    if not vocabulary.extends(tokenizer.tokens, trained.tokens):
        raise LasasrError(
            f"tokenizer=grown: the tokens that were kept of {folder} are not its tokens any more, because another run "
            f"lies there now: delete the folders tokenizer-* of the prepared corpus"
        )
    return True


def grows(settings: Recognition) -> bool:
    """Whether the vocabulary may grow."""
    return settings.tokenizer.get("_target_") == "lasasr.models.factory.grown_tokenizer"


def _refuse_growing(methods: Mapping[str, Method], settings: Recognition) -> None:
    """Refuse what would leave the rows of new tokens as they were drawn, or knows nothing of them.

    Raises:
        UsageError: names it.
    """
    for name, method in methods.items():
        if isinstance(method, WeightMethod) and method.adds:
            raise UsageError(
                f"tokenizer=grown: adapt={name} leaves the recognizer's own weights, and with them the rows of new "
                "tokens, as they are: take adapt=full or adapt=freeze"
            )
        if isinstance(method, EWC):
            raise UsageError(f"tokenizer=grown: the Fisher information of adapt={name} knows no new tokens: take l2sp")
    if settings.adapt.bundle == "delta":
        raise UsageError("tokenizer=grown: a delta belongs to a bundle with the same tokens: leave out adapt.bundle")


def chosen_method(settings: Recognition) -> WeightMethod:
    """The method that says which weights are trained."""
    named = weight_method(adaptation.methods(settings.adapt.methods))
    return Full() if named is None else named[1]


def part_rates(settings: Recognition, recognizer: Recognizer) -> PartRates:
    """The rates of the parts, as configured."""
    later = chosen_method(settings).thawing(recognizer)
    return PartRates(settings.adapt.learning_rates, settings.adapt.warmup_steps, later)


def regularized(settings: Recognition, loss: Loss, recognizer: Recognizer) -> Loss:
    """The loss with the penalties that are chosen; itself where none is.

    Args:
        recognizer: with the weights of the bundle, whichever checkpoint is gone on from afterwards.
    """
    methods = adaptation.methods(settings.adapt.methods)
    penalties = {name: method for name, method in methods.items() if isinstance(method, Penalty)}
    for penalty in penalties.values():
        penalty.begin(recognizer, base_bundle(settings).folder)
    return RegularizedLoss(loss, penalties) if penalties else loss


def begin(
    settings: Recognition, folder: Path, recognizer: Recognizer, resume: bool, replayed: int | None
) -> dict[str, Any]:
    """Note the base in the card of a run that begins; see that it is the same where one goes on.

    Args:
        replayed: utterances of the second corpus in an epoch; None: there is none.

    Returns:
        What the card says of it.

    Raises:
        LasasrError: it is another one.
    """
    base, run = base_bundle(settings), Run(folder)
    before = run.card().adapted if run.card_path.exists() else None
    if resume and before is not None and before.sha256 not in (None, base.sha256):
        raise LasasrError(
            f"{folder} cannot go on: the bundle that it adapts has changed ({base.folder}): put it back, or --fresh"
        )
    facts = {
        "adapted": {
            "methods": list(settings.adapt.methods),
            "base": str(settings.warm_start.run),
            "sha256": base.sha256,
            **({} if replayed is None else {"replayed": replayed}),
        },
        "trained_parameters": trained_count(recognizer),
    }
    if run.card_path.exists() and launch.helper() is None:
        run.note(**facts)
    return facts


def _heads(settings: Recognition, heads: Heads, folder: Path) -> Heads:
    """The heads of the bundle, which the loss may read.

    Raises:
        UsageError: it reads another one.
    """
    for name, needed in factory.loss(settings.loss, settings.seed).heads._asdict().items():
        if needed and not getattr(heads, name):
            raise UsageError(
                f"the loss needs {name}, which {folder} does not have: with adapt= all parts come from it; "
                "take another loss, or another loss.ctc_weight"
            )
    return heads
