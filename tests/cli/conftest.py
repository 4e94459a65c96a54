"""A small dictionary of its own for the command's tests: what they show must not depend on the shipped yaml."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_yaml import write

from lasasr.cli import recipes, session

FILES = {
    "configs/base.yaml": """
        defaults: [{attend: dot}, {listen: pyramid}, _self_]
        seed: 1
        data_dir: ${oc.env:LASASR_DATA,data}
        runs_dir: ${oc.env:LASASR_RUNS,runs}
        optimizer: {lr: 1.0e-3, betas: [0.9, 0.98]}
        validation: {utterances: null, maps: 2, shuffle: false}
        final: best
        """,
    "configs/attend/_soft.yaml": "scale: 1.0",
    "configs/attend/dot.yaml": "{defaults: [_soft], dim: 8}",
    "configs/attend/location.yaml": "{defaults: [_soft], dim: 9, kernel_size: 31}",
    "configs/listen/pyramid.yaml": "{layers: 3, dropout: 0.1}",
    "configs/trainer/far.yaml": "nodes: ???",
    "recipes/synthetic/las_char.yaml": """
        # @package _global_
        defaults: [/base, {override /attend: location}, _self_]
        listen: {layers: 2}
        """,
    "recipes/synthetic/las_far.yaml": """
        # @package _global_
        defaults: [/base, /trainer@trainer: far, _self_]
        """,
}


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Hydra's --info logs everything to a stream that a later test would find closed."""
    logger = logging.getLogger()
    level, handlers = logger.level, list(logger.handlers)
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers


@pytest.fixture
def dictionary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """configs/ and recipes/ in a folder, which is also the working directory."""
    for name, text in FILES.items():
        write(tmp_path / "shipped", name, text)
    configs, own = tmp_path / "shipped" / "configs", tmp_path / "shipped" / "recipes"
    monkeypatch.setattr(session, "DICTIONARY", (f"file://{configs}", f"file://{own}"))
    monkeypatch.setattr(recipes, "shipped_folder", lambda: own)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    for name in ("LASASR_DATA", "LASASR_RUNS", "HYDRA_FULL_ERROR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "shipped"
