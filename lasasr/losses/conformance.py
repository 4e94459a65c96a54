"""What every loss promises (`lasasr.losses.base`), tried on one of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch

from lasasr.losses.base import Heads, Loss, Terms
from lasasr.losses.trial import FRAMES, TOLERANCE, UPDATES, Trial, TrialStep, difference
from lasasr.nn import conformance
from lasasr.nn.conformance import Finding, Measured, largest, within


def _at(loss: Loss, step: TrialStep, update: int) -> Terms:
    step.update = update
    return loss.terms(step)


def heads_are_read(trial: Trial) -> Measured:
    """Which heads are read, at the beginning and at the end of a schedule, of a model with the declared ones."""
    loss = trial.loss(training=True)
    declared = {name for name, needed in loss.heads._asdict().items() if needed}
    read: set[str] = set()
    for update in UPDATES:
        step = trial.step(loss)
        _at(loss, step, update)
        read |= step.read
    idle = sorted(declared - read)
    kept = isinstance(loss.heads, Heads) and bool(declared) and not idle
    return Measured(kept, f"{', '.join(idle)} never read" if idle else ", ".join(sorted(declared)) or "none declared")


def shapes(trial: Trial) -> Measured:
    """Shapes and kinds of all terms, finite, with and without gradients."""
    bad: list[str] = []
    for training in (True, False):
        loss = trial.loss(training)
        for update in UPDATES:
            terms = _at(loss, trial.step(loss), update)
            batch = (len(FRAMES),)
            bad += [] if terms.total.shape == () and terms.total.requires_grad else ["total"]
            whole = terms.divisor.shape == () and not terms.divisor.is_floating_point()
            bad += [] if whole and int(terms.divisor) > 0 else ["divisor"]
            parts = {f"sums[{name}]": value for name, value in terms.sums.items()}
            bad += [name for name, value in parts.items() if value.shape != () or value.requires_grad]
            bad += (
                [] if terms.of_utterance.shape == batch and not terms.of_utterance.requires_grad else ["of_utterance"]
            )
            unfit = terms.infeasible
            bad += [] if unfit is None or (unfit.shape == batch and unfit.dtype == torch.bool) else ["infeasible"]
            values = {"total": terms.total, "of_utterance": terms.of_utterance, **parts}
            bad += [f"{name} (not finite)" for name, value in values.items() if not bool(value.isfinite().all())]
    return Measured(not bad, f"wrong: {', '.join(dict.fromkeys(bad))}" if bad else "as promised")


def same_names(trial: Trial) -> Measured:
    """The names of the sums in training and in evaluation, of one utterance and of several, early and late."""
    names = set()
    for training in (True, False):
        loss = trial.loss(training)
        for rows in (range(len(FRAMES)), [1]):
            names |= {tuple(sorted(_at(loss, trial.step(loss, rows), update).sums)) for update in UPDATES}
    return Measured(len(names) == 1, " or ".join(", ".join(of_batch) or "none" for of_batch in sorted(names)))


def halves_add_up(trial: Trial) -> Measured:
    """The terms of the utterances in two batches, added up, against those of one batch."""
    loss, differences = trial.loss(), []
    for update in UPDATES:
        whole = _at(loss, trial.step(loss), update)
        left, right = (_at(loss, trial.step(loss, rows), update) for rows in ([0, 2], [1, 3]))
        added = Terms(
            left.total + right.total,
            left.divisor + right.divisor,
            {name: value + right.sums[name] for name, value in left.sums.items()},
            whole.of_utterance,
        )
        differences.append(difference(whole, added))
    return within(max(differences), TOLERANCE)


def padding_changes_nothing(trial: Trial) -> Measured:
    """Five more frames and tokens of padding; what the heads say of padding is far from what they say elsewhere."""
    loss = trial.loss()
    short, long = (loss.terms(trial.step(loss, padding=padding)) for padding in (0, 5))
    return within(max(difference(short, long), largest([short.of_utterance - long.of_utterance])), 10 * TOLERANCE)


def order_changes_nothing(trial: Trial) -> Measured:
    """The batch in another order: the same sums, and the utterances' values in that order."""
    loss, order = trial.loss(), [2, 0, 3, 1]
    before, after = loss.terms(trial.step(loss)), loss.terms(trial.step(loss, order))
    moved = largest([before.of_utterance[order] - after.of_utterance])
    return within(max(difference(before, after), moved), TOLERANCE)


def deterministic(trial: Trial) -> Measured:
    """Twice the same in evaluation, whatever the state of the generator of random numbers."""
    loss = trial.loss()
    steps = trial.step(loss), trial.step(loss)
    torch.manual_seed(1)
    first = loss.terms(steps[0])
    torch.manual_seed(2)
    return within(difference(first, loss.terms(steps[1])), 0.0)


def nan_is_named(trial: Trial) -> Measured:
    """One utterance whose features are NaN: `of_utterance` is not finite there, and finite for all others."""
    loss, features = trial.loss(), trial.features()
    features[1] = torch.nan
    finite = loss.terms(trial.step(loss, features=features)).of_utterance.isfinite().tolist()
    expected = [row != 1 for row in range(len(FRAMES))]
    named = [row for row, good in enumerate(finite) if not good]
    return Measured(finite == expected, f"utterance 1 is NaN, named: {', '.join(map(str, named)) or 'none'}")


def too_few_frames(trial: Trial) -> Measured:
    """An utterance of four tokens in two frames, which CTC has no path for."""
    loss = trial.loss(training=True)
    step = trial.step(loss, frames=(2, *FRAMES[1:]))
    terms = loss.terms(step)
    torch.autograd.backward(terms.total)
    values = [terms.total, terms.of_utterance, *(p.grad for p in step.model.parameters() if p.grad is not None)]
    finite = all(bool(value.isfinite().all()) for value in values)
    unfit = None if terms.infeasible is None else terms.infeasible.tolist()
    kept = finite and unfit in (None, [row == 0 for row in range(len(FRAMES))])
    return Measured(kept, f"{'finite' if finite else 'not finite'}, infeasible {unfit}")


def gradients(trial: Trial) -> Measured:
    """Gradients of encoder and heads, summed over both ends of a schedule, and on padding."""
    loss, bad, leaks = trial.loss(training=True), [], [torch.zeros(1, device=trial.device)]
    reached = dict.fromkeys(["encoder", *(name for name, needed in loss.heads._asdict().items() if needed)], False)
    for update in UPDATES:
        step = trial.step(loss)
        torch.autograd.backward(_at(loss, step, update).total)
        for part in reached:
            grads = [p.grad for p in getattr(step.model, part).parameters() if p.grad is not None]
            reached[part] |= any(bool(grad.any()) for grad in grads)
            bad += [] if all(bool(grad.isfinite().all()) for grad in grads) else [part]
        outputs = [(output.grad, padding) for output, padding in step.outputs.values()]
        leaks += [grad * padding for grad, padding in outputs if grad is not None]
    if bad:
        return Measured(False, f"not finite: {', '.join(dict.fromkeys(bad))}")
    if missed := [part for part, learns in reached.items() if not learns]:
        return Measured(False, f"no gradient reaches {', '.join(missed)}")
    return within(largest(leaks), 0.0)


def own_parameters(trial: Trial) -> Measured:
    """Every parameter of the loss that is trained has a finite gradient that is not 0 at both ends of a schedule."""
    loss = trial.loss(training=True)
    named = {name: value for name, value in loss.named_parameters() if value.requires_grad}
    for update in UPDATES:
        torch.autograd.backward(_at(loss, trial.step(loss), update).total)
    bad = [name for name, p in named.items() if p.grad is None or not p.grad.isfinite().all() or not p.grad.any()]
    return Measured(not bad, f"missing, 0 or not finite: {', '.join(bad)}" if bad else f"{len(named)} parameters")


def state_travels(trial: Trial) -> Measured:
    """A new one with the state dict of one that has trained a step gives the same terms."""
    trained, fresh = trial.loss(training=True), trial.loss()
    torch.autograd.backward(trained.terms(trial.step(trained)).total)
    torch.manual_seed(4)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape).to(parameter))
    fresh.load_state_dict(trained.state_dict())
    trained.eval()
    return within(difference(trained.terms(trial.step(trained)), fresh.terms(trial.step(fresh))), 0.0)


def half_precision(trial: Trial) -> Measured:
    """The heads in bfloat16 by autocast against float32."""
    loss = trial.loss()
    exact = loss.terms(trial.step(loss)).total.detach()
    with torch.autocast(trial.device.partition(":")[0], torch.bfloat16):
        rounded = loss.terms(trial.step(loss)).total.detach()
    return within(float((rounded - exact).abs() / exact.abs().clamp(min=1.0)), 0.05)


def tells_training(trial: Trial) -> Measured:
    """What messages about alignment and plateaus are made of."""
    loss = trial.loss()
    shares, plateau = [float(loss.ctc_share(update)) for update in UPDATES], loss.plateau()
    kept = all(0.0 <= share <= 1.0 for share in shares) and (plateau is None or 0.0 <= plateau < math.inf)
    shown = "None" if plateau is None else f"{plateau:.2f}"
    return Measured(kept, f"share {shares[0]:.2g} to {shares[1]:.2g}, plateau {shown}")


PROMISES: dict[str, Callable[[Trial], Measured]] = {
    "the heads that are declared are those that are read": heads_are_read,
    "terms are finite and of the contract's shapes": shapes,
    "every batch has the same named sums": same_names,
    "two halves of a batch add up to the whole": halves_add_up,
    "more padding changes nothing": padding_changes_nothing,
    "the order of the utterances changes nothing": order_changes_nothing,
    "deterministic in evaluation": deterministic,
    "an utterance that is NaN is named by of_utterance, and no other": nan_is_named,
    "too few frames for the tokens: finite, and named by infeasible": too_few_frames,
    "gradients are finite, reach every head, and none reaches padding": gradients,
    "parameters of its own get gradients": own_parameters,
    "the state dict holds what was learnt": state_travels,
    "bfloat16 is nearly the same": half_precision,
    "ctc_share lies in [0, 1], plateau is None or at least 0": tells_training,
}


def check(make: Callable[[], Loss], device: str = "cpu") -> Iterator[Finding]:
    """Try every promise on the loss that `make()` builds; one finding each, in order."""
    return conformance.findings(PROMISES, lambda: Trial(make, device), device)
