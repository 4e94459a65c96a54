"""One rendering for all tests of this room."""

from pathlib import Path

import pytest
from corpora_tiny import silent, tiny


@pytest.fixture(scope="session")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    pytest.importorskip("espeakng_loader", reason="needs the extra `synthetic`")
    return tiny().prepare(tmp_path_factory.mktemp("synthetic"), silent)
