"""What every scorer promises (`lasasr.search.base`), tried on one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from lasasr.nn import conformance, tree
from lasasr.nn.conformance import Finding, Measured, within
from lasasr.search.acoustics import Acoustics
from lasasr.search.base import Scorer
from lasasr.search.trial import STEPS, TOLERANCE, B, K, Trial, Walk, difference, forms, full
from lasasr.text import special


def scores_are_logs(trial: Trial) -> Measured:
    """Shapes, and neither NaN nor +inf, for what was heard, for loud frames and for certain ones."""
    heard, size, bad = trial.acoustics(), trial.vocabulary_size, []
    certain = torch.full((*heard.mask.shape, size), -1e4, device=trial.device)
    certain[..., special.BLANK] = 0.0
    for name, acoustics in {
        "as drawn": heard,
        "loud frames": heard._replace(encoded=1e4 * heard.encoded),
        "frames of certain blank": heard._replace(ctc_log_probs=certain),
    }.items():
        for scores in Walk(trial, trial.scorer(), acoustics, trial.path()).run():
            bad += [f"NaN ({name})"] if bool(scores.isnan().any()) else []
            bad += [f"+inf ({name})"] if bool(scores.isposinf().any()) else []
    return Measured(not bad, ", ".join(dict.fromkeys(bad)) or f"{size} tokens")


@torch.no_grad()
def most_is_known(trial: Trial) -> Measured:
    """What follows every prefix of a hypothesis and ends in the best token, against what is foreseen at that prefix."""
    heard, scorer, excess = trial.acoustics(), trial.scorer(), -torch.inf
    frames = heard.mask.sum(1)[:, None]
    for k in range(K):
        walk, foreseen = Walk(trial, scorer, heard, trial.path().of_hypothesis(k)), []
        total = torch.zeros(B, 1, dtype=torch.float64, device=trial.device)
        for u in range(STEPS):
            scored = walk.score()
            most = scorer.most_left(total, torch.full_like(frames, STEPS - u), frames)
            foreseen.append(total + most if scored.highest is None else scored.highest)
            scores = full(scored, trial.vocabulary_size, walk.rows)
            excess = max(excess, float((total + scores.amax(-1) - torch.stack(foreseen)).amax()))
            total = total + scores.gather(2, walk.path.tokens[u][..., None])[..., 0]
            walk.step()
    return Measured(excess <= TOLERANCE, f"{max(excess, 0.0):.1e} more")


def most_is_linear(trial: Trial) -> Measured:
    """`most_left` of one to three tokens: each adds as much as the one before."""
    heard, scorer = trial.acoustics(), trial.scorer()
    frames = heard.mask.sum(1)[:, None]
    so_far = torch.zeros(B, K, dtype=torch.float64, device=trial.device)
    one, two, three = (so_far + scorer.most_left(so_far, torch.full_like(frames, left), frames) for left in (1, 2, 3))
    return within(difference([three - two], [two - one]), TOLERANCE)


def leaves_lead(trial: Trial) -> Measured:
    """Leaves of memory begin with B; those of the state with B and K, before and after it is scored."""
    walk = Walk(trial, trial.scorer(), trial.acoustics(), trial.path())
    states = [walk.state]
    for _ in range(STEPS):
        states.append(walk.score().state)
        walk.step()
        states.append(walk.state)
    wrong = [f"memory {tuple(leaf.shape)}" for leaf in tree.leaves(walk.memory) if leaf.shape[:1] != (B,)]
    wrong += [
        f"state {tuple(leaf.shape)}" for state in states for leaf in tree.leaves(state) if leaf.shape[:2] != (B, K)
    ]
    count = sum(1 for part in (walk.memory, walk.state) for _ in tree.leaves(part))
    return Measured(not wrong, ", ".join(dict.fromkeys(wrong)) or f"{count} tensors")


def keeps_form(trial: Trial) -> Measured:
    """Structure, shapes and dtypes of memory and state from one step to the next."""
    walk = Walk(trial, trial.scorer(), trial.acoustics(), trial.path())
    before, changed = (forms(walk.memory), forms(walk.state)), []
    for _ in range(STEPS):
        walk.step()
        after = (forms(walk.memory), forms(walk.state))
        changed += [name for name, a, b in zip(("memory", "state"), before, after, strict=True) if a != b]
    return Measured(not changed, f"{' and '.join(dict.fromkeys(changed))} changed" if changed else "unchanged")


def alone_as_in_a_batch(trial: Trial) -> Measured:
    """Each utterance once more, alone and without padding."""
    path, heard, scorer = trial.path(), trial.acoustics(), trial.scorer()
    together, alone, expected = Walk(trial, scorer, heard, path).run(), [], []
    for b in range(B):
        alone += Walk(trial, scorer, heard.rows([b]), path.of_utterance(b)).run()
        expected += [scores[b : b + 1] for scores in together]
    return within(difference(alone, expected), TOLERANCE)


def padding_changes_nothing(trial: Trial) -> Measured:
    """Five more frames of padding, filled with 1e3 or NaN."""
    path, heard, scorer = trial.path(), trial.acoustics(), trial.scorer()
    expected = Walk(trial, scorer, heard, path).run()
    longer = path._replace(weights=torch.nn.functional.pad(path.weights, (0, 5)))
    padded: list[Tensor] = []
    for filling in (1e3, float("nan")):
        padded += Walk(trial, scorer, _padded(heard, 5, filling), longer).run()
    return within(difference(padded, expected + expected), TOLERANCE)


def _padded(heard: Acoustics, frames: int, filling: float) -> Acoustics:
    """So many more frames of padding, all of it `filling`."""
    encoded, mask = conformance.with_padding(heard.encoded, heard.mask, frames, filling)
    ctc = heard.ctc_log_probs
    return Acoustics(
        encoded, mask, None if ctc is None else conformance.with_padding(ctc, heard.mask, frames, filling)[0]
    )


def follows_parents(trial: Trial) -> Measured:
    """What may follow every hypothesis of a beam whose members change places, against its own tokens alone (K = 1)."""
    path, heard, scorer = trial.path(), trial.acoustics(), trial.scorer()
    beam, expected = _after(Walk(trial, scorer, heard, path)), []
    for k in range(K):
        expected.append(_after(Walk(trial, scorer, heard, path.of_hypothesis(k))))
    return within(difference([beam[:, k : k + 1] for k in range(K)], expected), TOLERANCE)


def _after(walk: Walk) -> Tensor:
    """What is scored after the last step, where attention is that of the first one."""
    walk.run()
    walk.scores = []
    return full(walk.score(), walk.trial.vocabulary_size, walk.rows)


def interleaved(trial: Trial) -> Measured:
    """Two searches that take turns on one scorer, against each on a scorer of its own."""
    heard, paths = trial.acoustics(), [trial.path(seed) for seed in (3, 4)]
    negated = _padded(heard._replace(encoded=-heard.encoded), 3, 0.0)
    paths[1] = paths[1]._replace(weights=torch.nn.functional.pad(paths[1].weights, (0, 3)))
    searches = list(zip((heard, negated), paths, strict=True))
    apart = [scores for inputs in searches for scores in Walk(trial, trial.scorer(), *inputs).run()]
    scorer = trial.scorer()
    turns = [Walk(trial, scorer, *inputs) for inputs in searches]
    for _ in range(STEPS):
        for walk in turns:
            walk.step()
    return within(difference(apart, [scores for walk in turns for scores in walk.scores]), TOLERANCE)


def siblings(trial: Trial) -> Measured:
    """A state that is scored twice gives the same twice, whatever was picked after the first time."""
    walk = Walk(trial, trial.scorer(), trial.acoustics(), trial.path())
    walk.step()
    state, tokens = walk.state, walk.tokens
    first = full(walk.score(), trial.vocabulary_size, walk.rows)
    walk.step()
    walk.state, walk.tokens = state, tokens
    walk.scores.pop()
    return within(difference([first], [full(walk.score(), trial.vocabulary_size, walk.rows)]), 0.0)


def leaving_changes_nothing(trial: Trial) -> Measured:
    """Utterances that are done leave the batch after the first step: the rest goes on as it would."""
    path, heard, scorer = trial.path(), trial.acoustics(), trial.scorer()
    together = Walk(trial, scorer, heard, path).run()
    walk = Walk(trial, scorer, heard, path)
    walk.step()
    walk.leave([0, 2])
    walk.scores = [scores[[0, 2]] for scores in walk.scores]
    return within(difference(walk.run(), [scores[[0, 2]] for scores in together]), TOLERANCE)


def untouched(trial: Trial) -> Measured:
    """What was heard, and memory, before and after."""
    heard = trial.acoustics()
    leaves = [part for part in heard if part is not None]
    before = [leaf.clone() for leaf in leaves]
    walk = Walk(trial, trial.scorer(), heard, trial.path())
    leaves += tree.leaves(walk.memory)
    before += [leaf.clone() for leaf in tree.leaves(walk.memory)]
    walk.run()
    return conformance.untouched(before, leaves)


def deterministic(trial: Trial) -> Measured:
    """Twice the same, whatever the state of the generator of random numbers."""
    scorer, runs = trial.scorer(), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        runs.append(Walk(trial, scorer, trial.acoustics(), trial.path()).run())
    return within(difference(*runs), 0.0)


def partial_as_whole(trial: Trial) -> Measured:
    """The scores of candidates alone, against those of all tokens at the candidates."""
    scorer = trial.scorer()
    if not scorer.partial:
        return Measured(True, "it scores all tokens")
    walk = Walk(trial, scorer, trial.acoustics(), trial.path())
    walk.step()
    text = torch.tensor([special.EOS, trial.vocabulary_size - 1, special.FIRST_TEXT], device=trial.device)
    candidates = text.expand(B, K, 3).contiguous()
    some = walk.score(candidates).scores
    if some.shape != candidates.shape:
        return Measured(False, f"scores {tuple(some.shape)} of candidates {tuple(candidates.shape)}")
    every = walk.score().scores.double().expand(B, K, trial.vocabulary_size)
    return within(difference([some.double()], [every.gather(2, candidates)]), TOLERANCE)


def weight_is_taken(trial: Trial) -> Measured:
    """`weight=` is what `weight` says, and the scores are the same for any: the search multiplies."""
    scorers = [trial.scorer(weight) for weight in (0.25, 2.0)]
    weights = [scorer.weight for scorer in scorers]
    if weights != [0.25, 2.0]:
        return Measured(False, f"weights {weights} where 0.25 and 2.0 were given")
    runs = [Walk(trial, scorer, trial.acoustics(), trial.path()).run() for scorer in scorers]
    return within(difference(*runs), 0.0)


PROMISES: dict[str, Callable[[Trial], Measured]] = {
    "scores broadcast to (B, K, V), never NaN or +inf": scores_are_logs,
    "tokens to come score no more than most_left says": most_is_known,
    "most_left is c + g times the tokens left": most_is_linear,
    "memory begins with B, state with B, K": leaves_lead,
    "memory and state keep structure, shapes, dtypes": keeps_form,
    "alone is as in a batch": alone_as_in_a_batch,
    "more padding, filled with 1e3 or NaN, changes nothing": padding_changes_nothing,
    "reorder follows the parents: a beam scores as each hypothesis alone": follows_parents,
    "two interleaved searches do not disturb each other": interleaved,
    "a state can be continued twice": siblings,
    "utterances that leave the batch change nothing": leaving_changes_nothing,
    "what was heard and memory are left untouched": untouched,
    "deterministic": deterministic,
    "partial: candidates score as among all tokens": partial_as_whole,
    "weight is taken, and left to the search": weight_is_taken,
}


def check(make: Callable[..., Scorer], device: str = "cpu") -> Iterator[Finding]:
    """Try every promise on the scorer that `make(weight=)` builds; one finding each, in order."""
    return conformance.findings(PROMISES, lambda: Trial(make, device), device)
