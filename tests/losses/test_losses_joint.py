"""The loss against its definition: explicit divergences, enumerated alignments, sums over ranks."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lasasr.errors import LasasrError
from lasasr.losses.base import Heads
from lasasr.losses.ctc import infeasible
from lasasr.losses.joint import Annealed, JointLoss, Losses, parts_needed
from lasasr.losses.target_tokens import target_tokens, targets
from lasasr.spell.base import mask_never_emitted
from lasasr.text import special

V = 7
TOKENS = torch.tensor([[4, 5, 5], [6, 4, special.PAD], [5, special.PAD, special.PAD], [4, 4, 4]])
TOKEN_LENGTHS = torch.tensor([3, 2, 1, 3])
FRAMES = torch.tensor([6, 3, 4, 4])  # the last utterance needs 3 + 2 blanks


def _logits() -> Tensor:
    torch.manual_seed(0)
    return mask_never_emitted(torch.randn(4, 4, V, dtype=torch.float64)).requires_grad_()


def _log_probs() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(4, 6, V, dtype=torch.float64).log_softmax(-1).requires_grad_()


def _losses(loss: JointLoss, **options: object) -> Losses:
    result: Losses = loss(_logits(), _log_probs(), FRAMES, TOKENS, TOKEN_LENGTHS, **options)
    return result


def _enumerated(log_probs: Tensor, tokens: list[int]) -> float:
    """−log Σ over all label sequences of T frames that collapse to `tokens`."""
    total = 0.0
    for path in itertools.product(range(log_probs.shape[1]), repeat=log_probs.shape[0]):
        merged = [label for label, _ in itertools.groupby(path)]
        if [label for label in merged if label != special.BLANK] == tokens:
            total += math.exp(sum(float(log_probs[t, label]) for t, label in enumerate(path)))
    return -math.log(total)


@pytest.mark.parametrize("tokens", [[4], [4, 5], [5, 5], []])
def test_ctc_is_the_sum_over_alignments(tokens: list[int]) -> None:
    torch.manual_seed(2)
    log_probs = torch.randn(1, 4, 6, dtype=torch.float64).log_softmax(-1)
    padded = torch.tensor([[*tokens, special.PAD, special.PAD]])
    losses = JointLoss(ctc_weight=1.0)(None, log_probs, torch.tensor([4]), padded, torch.tensor([len(tokens)]))
    expected = _enumerated(log_probs[0], tokens)
    assert float(losses.ctc_of) == pytest.approx(expected, rel=1e-9)
    assert float(losses.total) == pytest.approx(expected / (len(tokens) + 1), rel=1e-9)


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("prior", ["even", "unigram"])
def test_smoothed_cross_entropy_is_the_divergence_from_its_target(epsilon: float, prior: str) -> None:
    """Cross-entropy = KL(target ‖ model) + entropy(target), with the target written out."""
    counts = torch.tensor([9, 9, 9, 4, 3, 2, 1])
    shares = torch.tensor([0, 0, 0, 1, 1, 1, 1] if prior == "even" else [0, 0, 0, 4, 3, 2, 1]).double()
    loss = JointLoss(ctc_weight=0.0, label_smoothing=epsilon, prior=prior)  # type: ignore[arg-type]
    loss.prepare(counts)  # as every training does, whatever the prior
    expected = []
    for row, length in zip(_logits(), TOKEN_LENGTHS.tolist(), strict=True):
        total = torch.zeros((), dtype=torch.float64)
        for u in range(length + 1):
            index = len(expected)
            reference = int(TOKENS[index, u]) if u < length else special.EOS
            target = (1 - epsilon) * functional.one_hot(torch.tensor(reference), V) + epsilon * shares / shares.sum()
            entropy = -torch.special.xlogy(target, target).sum()
            total = total + functional.kl_div(row[u].log_softmax(-1), target, reduction="sum") + entropy
        expected.append(total)
    losses = loss(_logits(), None, FRAMES, TOKENS, TOKEN_LENGTHS)
    torch.testing.assert_close(losses.attention_of, torch.stack(expected).detach())
    torch.testing.assert_close(losses.total, torch.stack(expected).sum() / (TOKEN_LENGTHS + 1).sum())


def test_joint_is_the_weighted_sum_of_its_ends() -> None:
    attention = JointLoss(ctc_weight=0.0)(_logits(), None, FRAMES, TOKENS, TOKEN_LENGTHS)
    ctc = JointLoss(ctc_weight=1.0)(None, _log_probs(), FRAMES, TOKENS, TOKEN_LENGTHS)
    joint = _losses(JointLoss(ctc_weight=0.3))
    torch.testing.assert_close(joint.total, 0.7 * attention.total + 0.3 * ctc.total)
    assert attention.ctc is None
    assert ctc.attention is None


def test_padding_of_tokens_and_frames_changes_nothing() -> None:
    loss = JointLoss(ctc_weight=0.4, label_smoothing=0.1, prior="even")
    wider = loss(
        functional.pad(_logits(), (0, 0, 0, 2), value=torch.nan),
        functional.pad(_log_probs(), (0, 0, 0, 5), value=-1.0),
        FRAMES,
        functional.pad(TOKENS, (0, 2), value=99),
        TOKEN_LENGTHS,
    )
    torch.testing.assert_close(wider, _losses(loss))


def test_ranks_add_up_to_the_whole_batch() -> None:
    """Also where a rank has an utterance without a CTC path, and where it has nothing else."""
    loss = JointLoss(ctc_weight=0.3, label_smoothing=0.1, prior="even")
    whole = _losses(loss)
    shards = [slice(0, 3), slice(3, 4)]
    count = torch.stack([target_tokens(TOKEN_LENGTHS[s]) for s in shards]).sum()
    logits, log_probs = _logits(), _log_probs()
    parts = [loss(logits[s], log_probs[s], FRAMES[s], TOKENS[s], TOKEN_LENGTHS[s], 0, count) for s in shards]
    for name in ("total", "attention", "ctc"):
        torch.testing.assert_close(sum(getattr(part, name) for part in parts), getattr(whole, name))


def test_an_utterance_without_a_path_is_named_and_adds_tokens_but_no_ctc() -> None:
    losses = _losses(JointLoss(ctc_weight=1.0))
    assert losses.infeasible.tolist() == [False, False, False, True]
    fits = slice(0, 3)
    without = JointLoss(ctc_weight=1.0)(None, _log_probs()[fits], FRAMES[fits], TOKENS[fits], TOKEN_LENGTHS[fits])
    torch.testing.assert_close(
        losses.ctc * target_tokens(TOKEN_LENGTHS), without.ctc * target_tokens(TOKEN_LENGTHS[fits])
    )
    assert losses.ctc_of is not None
    assert float(losses.ctc_of[3]) == 0.0


def test_an_utterance_without_a_path_has_no_ctc_gradient_and_spoils_no_other() -> None:
    log_probs = _log_probs()
    JointLoss(ctc_weight=1.0)(None, log_probs, FRAMES, TOKENS, TOKEN_LENGTHS).total.backward()
    assert log_probs.grad is not None
    assert bool(log_probs.grad.isfinite().all())
    assert float(log_probs.grad[3].abs().sum()) == 0.0
    assert all(float(log_probs.grad[b].abs().sum()) > 0.0 for b in range(3))


def test_infeasible_is_exactly_where_no_alignment_exists() -> None:
    for frames, tokens in itertools.product(range(1, 5), ([4], [4, 4], [4, 5], [4, 4, 4], [5, 4, 4], [])):
        row = torch.tensor([[*tokens, special.PAD]])
        uniform = torch.zeros(frames, 6, dtype=torch.float64).log_softmax(-1)
        try:
            _enumerated(uniform, tokens)
            exists = True
        except ValueError:  # log 0
            exists = False
        result = infeasible(row, torch.tensor([len(tokens)]), torch.tensor([frames]))
        assert bool(result) is not exists


def test_nothing_but_utterances_without_a_path_is_a_loss_of_zero() -> None:
    log_probs = _log_probs()
    rows = slice(3, 4)
    losses = JointLoss(ctc_weight=1.0)(None, log_probs[rows], FRAMES[rows], TOKENS[rows], TOKEN_LENGTHS[rows])
    losses.total.backward()
    assert losses.total.item() == 0.0
    assert log_probs.grad is not None
    assert float(log_probs.grad.abs().sum()) == 0.0


def test_nan_is_traced_to_its_utterance() -> None:
    logits, log_probs = _logits().detach().clone(), _log_probs().detach().clone()
    logits[1, 0], log_probs[2, 0] = torch.nan, torch.nan
    losses = JointLoss(ctc_weight=0.3)(logits, log_probs, FRAMES, TOKENS, TOKEN_LENGTHS)
    assert losses.attention_of is not None
    assert losses.ctc_of is not None
    assert losses.attention_of.isnan().tolist() == [False, True, False, False]
    assert losses.ctc_of.isnan().tolist() == [False, False, True, False]
    assert bool(losses.total.isnan())


@pytest.mark.parametrize("wrong", [V, 1000, special.BLANK, special.PAD, special.SOS, special.EOS, -1])
def test_an_id_that_is_not_text_is_refused(wrong: int) -> None:
    tokens = TOKENS.clone()
    tokens[1, 1] = wrong
    with pytest.raises(LasasrError, match=f"token {wrong} of utterance 1"):
        JointLoss(ctc_weight=1.0)(None, _log_probs(), FRAMES, tokens, TOKEN_LENGTHS)


def test_half_precision_is_computed_in_float32() -> None:
    full = JointLoss(ctc_weight=0.3, label_smoothing=0.1, prior="even")
    logits, log_probs = _logits().bfloat16(), _log_probs().bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        half = full(logits, log_probs, FRAMES, TOKENS, TOKEN_LENGTHS)
    assert half.total.dtype == torch.float32
    torch.testing.assert_close(half, full(logits.float(), log_probs.float(), FRAMES, TOKENS, TOKEN_LENGTHS))


def _weights(heads: int = 1) -> Tensor:
    """(B, U + 1, H, T'), steps of unequal mass, beyond an utterance's own too."""
    torch.manual_seed(3)
    return (torch.rand(4, 4, heads, 6, dtype=torch.float64) / 4).requires_grad_()


@pytest.mark.parametrize("heads", [1, 3])
def test_quantity_is_how_much_each_utterance_selects_too_little_or_too_much(heads: int) -> None:
    expected = 0.0
    for row, length in zip(_weights(heads).detach(), TOKEN_LENGTHS.tolist(), strict=True):
        expected += sum(abs(length + 1 - float(row[: length + 1, head].sum())) for head in range(heads)) / heads
    expected /= float((TOKEN_LENGTHS + 1).sum())
    plain = _losses(JointLoss(ctc_weight=0.3))
    losses = _losses(JointLoss(ctc_weight=0.3, quantity_weight=0.7), weights=_weights(heads))
    assert float(losses.quantity) == pytest.approx(expected)
    assert float(losses.total) == pytest.approx(float(plain.total) + 0.7 * expected)
    assert plain.quantity is None


def test_quantity_teaches_only_the_steps_of_the_utterance() -> None:
    weights = _weights()
    _losses(JointLoss(quantity_weight=1.0), weights=weights).total.backward()
    inside = torch.arange(4)[None, :] <= TOKEN_LENGTHS[:, None]
    assert ((weights.grad != 0) == inside[:, :, None, None]).all()
    assert (weights.grad[inside] < 0).all()  # all select too little here


def test_weights_that_sum_to_one_have_no_quantity_loss() -> None:
    weights = torch.randn(4, 4, 2, 6).softmax(-1)
    assert float(_losses(JointLoss(quantity_weight=1.0), weights=weights).quantity) == pytest.approx(0.0, abs=1e-6)


def test_quantity_over_ranks_adds_up() -> None:
    loss = JointLoss(ctc_weight=0.0, quantity_weight=1.0)
    whole = _losses(loss, weights=_weights())
    count = target_tokens(TOKEN_LENGTHS)
    parts = [
        loss(_logits()[rows], None, FRAMES[rows], TOKENS[rows], TOKEN_LENGTHS[rows], 0, count, _weights()[rows])
        for rows in (slice(1), slice(1, 4))
    ]
    assert float(sum(part.quantity for part in parts)) == pytest.approx(float(whole.quantity))


@pytest.mark.parametrize("epsilon", [0.0, 0.2])
@pytest.mark.parametrize("prior", ["even", "unigram"])
def test_the_plateau_is_the_least_a_constant_decoder_can_lose(epsilon: float, prior: str) -> None:
    """Found by gradient descent on one row of logits for all steps."""
    loss = JointLoss(ctc_weight=0.0, label_smoothing=epsilon, prior=prior)  # type: ignore[arg-type]
    loss.prepare(
        torch.bincount(targets(TOKENS, TOKEN_LENGTHS).flatten(), minlength=V).index_fill(
            0, torch.tensor(special.PAD), 0
        )
    )
    row = torch.zeros(V, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([row], max_iter=200, line_search_fn="strong_wolfe")

    def lost() -> Tensor:
        logits = mask_never_emitted(row.expand(4, 4, V))
        total: Tensor = loss(logits, None, FRAMES, TOKENS, TOKEN_LENGTHS).total
        optimizer.zero_grad()
        total.backward()
        return total

    optimizer.step(lost)
    assert loss.plateau() == pytest.approx(float(lost()), abs=1e-3)


def test_targets_end_with_eos() -> None:
    assert targets(TOKENS, TOKEN_LENGTHS).tolist() == [
        [4, 5, 5, special.EOS],
        [6, 4, special.EOS, special.PAD],
        [5, special.EOS, special.PAD, special.PAD],
        [4, 4, 4, special.EOS],
    ]


def test_annealing_is_linear_and_stays_at_its_end() -> None:
    weight = Annealed(0.8, 0.2, 100)
    assert [weight(step) for step in (0, 50, 100, 10**6)] == pytest.approx([0.8, 0.5, 0.2, 0.2])
    assert _losses(JointLoss(ctc_weight=weight), step=50).ctc_weight == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("weight", "decoder", "ctc"),
    [
        (0.0, True, False),
        (1.0, False, True),
        (0.3, True, True),
        (Annealed(1.0, 0.0, 10), True, True),
        (Annealed(0.0, 0.0, 10), True, False),
        (Annealed(1.0, 0.0, 0), True, False),
    ],
)
def test_parts_follow_from_the_weight(weight: float | Annealed, decoder: bool, ctc: bool) -> None:
    assert parts_needed(weight) == Heads(decoder, ctc)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ctc_weight": 1.5},
        {"ctc_weight": -0.1},
        {"label_smoothing": 1.0},
        {"prior": "zipf"},
        {"quantity_weight": -1.0},
        {"quantity_weight": float("nan")},
        {"quantity_weight": 1.0, "ctc_weight": 1.0},
    ],
)
def test_options_without_meaning_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="got"):
        JointLoss(**wrong)  # type: ignore[arg-type]


def test_an_unknown_unigram_and_an_empty_output_are_refused() -> None:
    with pytest.raises(ValueError, match="count"):
        _losses(JointLoss(label_smoothing=0.1, prior="unigram"))
    assert JointLoss().plateau() is None
    with pytest.raises(ValueError, match="weights"):
        _losses(JointLoss(quantity_weight=0.1))
    with pytest.raises(ValueError, match="neither"):
        JointLoss()(None, None, FRAMES, TOKENS, TOKEN_LENGTHS)


def test_intermediate_ctc_is_mixed_with_that_of_the_last_layer() -> None:
    torch.manual_seed(3)
    layers = [torch.randn(4, 6, V, dtype=torch.float64).log_softmax(-1).requires_grad_() for _ in range(2)]
    options = {"label_smoothing": 0.1, "ctc_weight": 0.4, "prior": "even"}
    loss = JointLoss(intermediate_ctc_weight=0.3, **options)  # type: ignore[arg-type]
    mixed = _losses(loss, intermediate_ctc_log_probs=layers)
    plain = _losses(JointLoss(**options))  # type: ignore[arg-type]
    count = int(target_tokens(TOKEN_LENGTHS))
    feasible = [0, 1, 2]
    nats = [
        [_enumerated(layer[n, : FRAMES[n]], TOKENS[n, : TOKEN_LENGTHS[n]].tolist()) for n in feasible]
        for layer in layers
    ]
    expected = sum(map(sum, nats)) / 2 / count
    assert float(mixed.intermediate_ctc) == pytest.approx(expected, rel=1e-9)
    assert (mixed.ctc, mixed.attention) == (plain.ctc, plain.attention)
    ctc = 0.7 * float(plain.ctc) + 0.3 * expected
    assert float(mixed.total) == pytest.approx(0.6 * float(plain.attention) + 0.4 * ctc, rel=1e-9)
    assert float(mixed.ctc_of[3]) == 0.0  # no path
    mixed.total.backward()
    assert all(layer.grad is not None and not layer.grad[3].any() for layer in layers)


@pytest.mark.parametrize(("weight", "ctc_weight"), [(1.0, 0.3), (-0.1, 0.3), (float("nan"), 0.3), (0.3, 0.0)])
def test_an_intermediate_weight_that_makes_no_sense_is_refused(weight: float, ctc_weight: float) -> None:
    with pytest.raises(ValueError, match="intermediate_ctc_weight"):
        JointLoss(ctc_weight=ctc_weight, intermediate_ctc_weight=weight)


def test_intermediate_ctc_needs_a_layer() -> None:
    with pytest.raises(ValueError, match="needs a layer"):
        _losses(JointLoss(ctc_weight=0.3, intermediate_ctc_weight=0.3))
