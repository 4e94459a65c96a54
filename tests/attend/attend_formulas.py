"""Each variant once more, in NumPy, one utterance and one step at a time, written from the formula, not from the code.

A reference takes parameters p (by their names in the module), frames h (T, E), queries (U, Q) and the yaml's options o,
and yields the weights (H, T) of each step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Reference = Callable[[dict[str, Array], Array, Array, dict[str, Any]], Iterator[Array]]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softplus(x: Array) -> Array:
    return np.log(1 + np.exp(x))


def normalised(e: Array, o: dict[str, Any], allowed: Array | None = None) -> Array:
    """Energies (H, T) → weights (H, T)."""
    e = e * o.get("scale", 1.0)
    share = sigmoid(e) if o.get("weights") == "smoothing" else np.exp(e - e.max(-1, keepdims=True))
    if allowed is not None:
        share = share * allowed
    k = o.get("top_k", 0)
    if 0 < k < e.shape[-1]:
        for row in share:
            row[np.argsort(row)[:-k]] = 0.0
    weights: Array = share / share.sum(-1, keepdims=True)
    return weights


def heads(o: dict[str, Any]) -> int:
    return int(o.get("heads", 1))


def slices(width: int, o: dict[str, Any]) -> list[slice]:
    each = width // heads(o)
    return [slice(i * each, (i + 1) * each) for i in range(heads(o))]


def additive_energy(p: dict[str, Array], h: Array, q: Array, o: dict[str, Any], f: list[Array], at: str = "") -> Array:
    """vᵀ tanh(W_k h + b + W_q q + W_f f), per head; f holds one (T, F) per head."""
    keys = h @ p[f"{at}energy.key.weight"].T + p.get(f"{at}energy.key.bias", 0.0)
    query = p[f"{at}energy.query.weight"] @ q
    energies = []
    for i, part in enumerate(slices(keys.shape[1], o)):
        x = keys[:, part] + query[part]
        if f:
            x = x + f[i] @ p[f"{at}energy.feature"][i]
        energies.append(np.tanh(x) @ p[f"{at}energy.vector"][i])
    return np.stack(energies)


def convolved(p: dict[str, Array], i: int, maps: list[Array]) -> Array:
    """Σ_n Σ_d w[f, n, d] α_n[j + d - W // 2], 0 outside: (T, F)."""
    w = p[f"location.weight.{i}"]
    half = w.shape[2] // 2
    out = np.zeros((len(maps[0]), w.shape[0]))
    for j in range(len(out)):
        for d in range(w.shape[2]):
            if 0 <= j + d - half < len(out):
                out[j] += sum(w[:, n, d] * alpha[j + d - half] for n, alpha in enumerate(maps))
    return out


def start(alpha_0: str, frames: int, o: dict[str, Any]) -> Array:
    row = {
        "uniform": np.full(frames, 1 / frames),
        "first": np.eye(frames)[0],
        "zeros": np.zeros(frames),
    }[alpha_0]
    return np.stack([row] * heads(o))


def near_median(alpha: Array, w: int) -> Array:
    """1 within w frames of the first frame by which half of the weight is spent, per head."""
    rows = []
    for row in alpha:
        spent, median = 0.0, 0
        for j, weight in enumerate(row):
            spent += weight
            if spent >= 0.5:
                median = j
                break
        rows.append([float(abs(j - median) <= w) for j in range(len(row))])
    return np.array(rows)


def none(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    for _ in queries:
        yield np.full((1, len(h)), 1 / len(h))


def dot(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    squash = np.tanh if o.get("tanh") else lambda x: x
    for q in queries:
        keys = squash(h @ p["energy.key.weight"].T + p.get("energy.key.bias", 0.0))
        query = squash(p["energy.query.weight"] @ q + p["energy.query.bias"])
        parts = slices(keys.shape[1], o)
        gain = 1 / math.sqrt(keys.shape[1] / heads(o)) if o.get("scaled") else 1.0
        yield normalised(np.stack([gain * keys[:, part] @ query[part] for part in parts]), o)


def general(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    for q in queries:
        yield normalised((q @ p["energy.key.weight"] @ h.T)[None], o)


def additive(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    for q in queries:
        yield normalised(additive_energy(p, h, q, o, []), o)


def concat(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    w = np.concatenate([p["energy.key.weight"], p["energy.query.weight"]], axis=1)
    for q in queries:
        energy = [p["energy.vector"][0] @ np.tanh(w @ np.concatenate([frame, q])) for frame in h]
        yield normalised(np.array([energy]), o)


def location(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    alpha = start(o["alpha_0"], len(h), o)
    for q in queries:
        f = [convolved(p, i, [alpha[i]]) for i in range(heads(o))]
        window = near_median(alpha, o["half_window"]) if o.get("half_window") else None
        alpha = normalised(additive_energy(p, h, q, o, f), o, window)
        yield alpha


def location_2d(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    history = [start(o["alpha_0"], len(h), o)[0]] * o["history"]
    for q in queries:
        alpha = normalised(additive_energy(p, h, q, o, [convolved(p, 0, history)]), o)
        history = [*history[1:], alpha[0]]
        yield alpha


def location_recurrent(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    alpha = start(o["alpha_0"], len(h), o)
    hidden = cell = np.zeros(o["recurrent_dim"])
    for q in queries:
        f = convolved(p, 0, [alpha[0]])
        pooled = np.maximum(f, 0).max(0)
        gates = p["recurrent.weight_ih"] @ pooled + p["recurrent.bias_ih"]
        gates = gates + p["recurrent.weight_hh"] @ hidden + p["recurrent.bias_hh"]
        take, forget, new, out = np.split(gates, 4)
        cell = sigmoid(forget) * cell + sigmoid(take) * np.tanh(new)
        hidden = sigmoid(out) * np.tanh(cell)
        alpha = normalised(additive_energy(p, h, np.concatenate([q, hidden]), o, [f]), o)
        yield alpha


def coverage(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    past = [start(o["alpha_0"], len(h), o)]
    for q in queries:
        total = np.sum(past, axis=0)
        f = [convolved(p, i, [row]) if o.get("filters") else row[:, None] for i, row in enumerate(total)]
        past.append(normalised(additive_energy(p, h, q, o, f), o))
        yield past[-1]


def fertility(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    past: list[Array] = []
    share = 0.5 * sigmoid(h @ p["fertility.weight"].T).T
    for q in queries:
        beta = share * np.sum(past, axis=0) if past else np.zeros((heads(o), len(h)))
        past.append(normalised(additive_energy(p, h, q, o, [row[:, None] for row in beta]), o))
        yield past[-1]


def forward(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    alpha, u = start(o["alpha_0"], len(h), o), 0.5
    for q in queries:
        y = normalised(additive_energy(p, h, q, o, [convolved(p, 0, [alpha[0]])]), o)[0]
        stay, move = (1 - u, u) if "agent.weight" in p else (1.0, 1.0)
        unscaled = np.zeros(len(h))
        for j in range(len(h)):
            path = stay * alpha[0, j] + (move * alpha[0, j - 1] if j else 0.0)
            unscaled[j] = max(path, o["floor"]) * y[j]
        alpha = (unscaled / unscaled.sum())[None]
        if "agent.weight" in p:
            read = np.concatenate([context(p, h, alpha), q])
            u = float(sigmoid(p["agent.weight"] @ read + p["agent.bias"])[0])
        yield alpha


def windowed(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    alpha = start("first", len(h), o)
    for q in queries:
        energy = additive_energy(p, h, q, o, [])
        if o["energy"] == "dot":
            query = p["energy.query.weight"] @ q + p["energy.query.bias"]
            energy = (h @ p["energy.key.weight"].T @ query)[None]
        alpha = normalised(energy, o, near_median(alpha, o["half_window"]))
        yield alpha


def gmm(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    m = o["components"]
    mean = np.zeros(m)
    for q in queries:
        hidden = np.tanh(p["hidden.weight"] @ q + p["hidden.bias"])
        raw = p["mixture.weight"] @ hidden + p["mixture.bias"]
        share = np.exp(raw[:m]) / np.exp(raw[:m]).sum()
        mean = mean + softplus(raw[m : 2 * m])
        sigma = softplus(raw[2 * m :]) + 0.1
        density = np.array(
            [
                sum(share[k] * math.exp(-((j - mean[k]) ** 2) / (2 * sigma[k] ** 2)) / sigma[k] for k in range(m))
                for j in range(len(h))
            ]
        )
        yield (density / density.sum())[None]


def stop_energy(p: Any, h: Array, q: Array) -> Array:
    e = additive_energy(p, h, q, {}, [], at="stop.")[0]
    norm = math.sqrt(float((p["stop.energy.vector"] ** 2).sum()))
    return p["stop.gain"] * e / norm + p["stop.offset"]


def expected_alignment(chance: Array, previous: Array) -> Array:
    """Every start i, every end j: from i, pass i .. j-1, stop at j (Raffel et al. 2017, eq. 8)."""
    alpha = np.zeros(len(chance))
    for j in range(len(chance)):
        for i in range(j + 1):
            alpha[j] += previous[i] * np.prod(1 - chance[i:j]) * chance[j]
    return alpha


def monotonic(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    alpha = np.eye(len(h))[0]
    for q in queries:
        alpha = expected_alignment(sigmoid(stop_energy(p, h, q)), alpha)
        yield alpha[None]


def monotonic_hard(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    position = 0
    for q in queries:
        alpha, passing = np.zeros(len(h)), 1.0
        for j in range(position, len(h)):
            chance = sigmoid(stop_energy(p, h, q))[j]
            passing *= 1 - chance
            if chance >= 0.5 if o["decision"] == "threshold" else passing <= 0.5:
                alpha[j], position = 1.0, j
                break
        yield alpha[None]


def chunked(p: Any, h: Array, queries: Array, o: Any, stops: Iterator[Array]) -> Iterator[Array]:
    for q, alpha in zip(queries, stops, strict=True):
        u = additive_energy(p, h, q, {}, [])[0]
        beta = np.zeros(len(h))
        for k in range(len(h)):
            first = max(0, k - o["chunk"] + 1)
            share = np.exp(u[first : k + 1])
            beta[first : k + 1] += alpha[0, k] * share / share.sum()
        yield beta[None]


def mocha(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    return chunked(p, h, queries, o, monotonic(p, h, queries, o))


def mocha_hard(p: Any, h: Array, queries: Array, o: Any) -> Iterator[Array]:
    return chunked(p, h, queries, o, monotonic_hard(p, h, queries, o))


def context(p: dict[str, Array], h: Array, weights: Array) -> Array:
    """Per head the mean of the frames or of their projection; concatenated, and projected for several heads."""
    frames = [h] * len(weights)
    if "values.project.weight" in p:
        frames = np.split(h @ p["values.project.weight"].T, len(weights), axis=1)
    together = np.concatenate([row @ part for row, part in zip(weights, frames, strict=True)])
    return p["values.join.weight"] @ together if "values.join.weight" in p else together


REFERENCES: dict[str, Reference] = {
    "none": none,
    "dot": dot,
    "scaled_dot": dot,
    "general": general,
    "concat": concat,
    "additive": additive,
    "location": location,
    "location_2d": location_2d,
    "location_recurrent": location_recurrent,
    "coverage": coverage,
    "coverage_location": coverage,
    "fertility": fertility,
    "multihead_dot": dot,
    "multihead_additive": additive,
    "multihead_location": location,
    "multihead_multires_location": location,
    "forward": forward,
    "forward_ta": forward,
    "windowed": windowed,
    "gmm": gmm,
    "monotonic": monotonic,
    "mocha": mocha,
    "location_espnet": location,
    "location_speechbrain": location,
    "location_neural_sp": location,
}
HARD: dict[str, Reference] = {"monotonic": monotonic_hard, "mocha": mocha_hard}
