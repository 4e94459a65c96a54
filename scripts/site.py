"""The documentation as a site of its own, built without a network (`make site`).

python scripts/site.py             into site/
python scripts/site.py --serve     look at it while writing

Opened from a disk, the site has everything but its search field, which needs a server: python -m http.server -d site

Pages stay where they are, so that links between them also work in a checkout; what the site shows is a copy of them in
which every relative link still leads to its file. `NAV` says of each page of which kind it is; a page that is missing
there, a link or an anchor that leads nowhere, or any other warning ends the build.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "build" / "site-source"
CONFIGURATION: Final = ROOT / "build" / "mkdocs.yml"
SITE: Final = ROOT / "site"
LINK: Final = re.compile(r"\]\(([^)\s#]+)")
PYTHON: Final = "reference-python.md"  # made here: what the package offers in Python
API: Final = {
    "Transcribing": [
        "lasasr.Recognizer",
        "lasasr.models.aligner",
        "lasasr.audio.inputs",
        "lasasr.audio.read",
        "lasasr.models.attention_view",
        "lasasr.models.language_model.TrainedLM",
        "lasasr.onnx.OnnxRecognizer",
    ],
    "Contracts of parts": [
        "lasasr.attend.base",
        "lasasr.listen.base",
        "lasasr.spell.base",
        "lasasr.audio.base",
        "lasasr.losses.base",
        "lasasr.search.base",
        "lasasr.lm.base",
        "lasasr.text.base",
        "lasasr.corpora.base",
        "lasasr.adapt.base",
        "lasasr.configuration.configurable",
        "lasasr.errors",
    ],
    "What parts are built from": [
        "lasasr.attend.weights",
        "lasasr.losses.joint",
        "lasasr.losses.target_tokens",
        "lasasr.search.acoustics",
        "lasasr.nn.initial_weights",
        "lasasr.nn.lengths",
        "lasasr.nn.shared_layers",
        "lasasr.nn.shared_steps",
        "lasasr.nn.tracing",
        "lasasr.corpora.columns",
        "lasasr.corpora.espeak",
        "lasasr.corpora.lines",
        "lasasr.corpora.manifest",
    ],
    "Classes of options": [
        "lasasr.audio.specaugment",
        "lasasr.data.loader",
        "lasasr.data.sampler",
        "lasasr.listen.blstm",
        "lasasr.search.beam",
        "lasasr.search.limits",
        "lasasr.search.pruning",
        "lasasr.search.rescoring",
        "lasasr.search.scorer_set",
        "lasasr.search.subtraction",
        "lasasr.spell.sampling",
    ],
    "Results": [
        "lasasr.artifacts.run_card",
        "lasasr.artifacts.runs",
        "lasasr.comparison.column",
        "lasasr.comparison.entries",
        "lasasr.metrics.significance.comparison",
    ],
}

NAV: Final[list[dict[str, Any]]] = [
    {"Home": ["README.md", "CHANGELOG.md"]},
    {"Tutorial": ["docs/tutorial.md"]},
    {
        "How to": [
            {"Install": "docs/installing.md"},
            {"Your own data": "docs/adding-a-corpus.md"},
            {"Check data before training": "docs/doctor.md"},
            {"Compare systems": "docs/comparing.md"},
            {"Compare results of any toolkit": "docs/other-toolkits.md"},
            {"Train above a pretrained encoder": "docs/pretrained.md"},
            {"Adapt a recognizer": "docs/adapting.md"},
            {"Train for the error rate, from a teacher": "docs/post-training.md"},
            {"Language models": "docs/language-models.md"},
            {"Transcribe recordings": "docs/transcribing.md"},
            {"Try a recognizer in the browser": "docs/app.md"},
            {"Deploy without torch": "docs/onnx.md"},
            {"Share on the Hugging Face hub": "docs/hub.md"},
            {"Many hours: shards": "docs/shards.md"},
            {"Many GPUs: clusters": "docs/clusters.md"},
            {"Watch a training": "docs/logging.md"},
            {"When it does not learn": "docs/troubleshooting.md"},
            {"From ESPnet, SpeechBrain, NeMo": "docs/from-other-toolkits.md"},
            {"Write a part": "docs/extending.md"},
            {"Write an attention": "docs/adding-an-attention.md"},
            {"Write an encoder": "docs/adding-an-encoder.md"},
        ]
    },
    {
        "Recipes": [
            "recipes/synthetic/README.md",
            "recipes/librispeech40/README.md",
            "recipes/speechocean762/README.md",
            "recipes/librispeech/README.md",
            "recipes/timit/README.md",
            "recipes/lm/README.md",
        ]
    },
    {
        "Reference": [
            {"Every command": "docs/commands.md"},
            {"Every key": "docs/configuration.md"},
            {"File formats": "docs/files.md"},
            {"Attentions": "docs/attention.md"},
            {"Encoders": "docs/encoders.md"},
            {"Search": "docs/search.md"},
            {"The card of a run": "docs/card.md"},
            {"Audio that is read": "docs/audio.md"},
            {"Verdicts": "docs/verdicts.md"},
            {"Glossary": "docs/glossary.md"},
            {"Platforms": "docs/platforms.md"},
            {"Python": PYTHON},
        ]
    },
    {
        "Background": [
            {"Statistics": "docs/statistics.md"},
            {"Alignment and word times": "docs/alignment.md"},
            {"Numerics": "docs/numerics.md"},
            {"Parity with other toolkits": "docs/parity.md"},
            {"Performance": "docs/performance.md"},
            {"What is survived": "docs/robustness.md"},
            {"Files of strangers": "docs/trust.md"},
            {"Identity of runs and results": "docs/identity.md"},
            {"Design": "docs/design.md"},
            "CONTRIBUTING.md",
        ]
    },
]


def main() -> int:
    """Copy the pages, build the site."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", action="store_true", help="on 127.0.0.1:8000, built again when a page changes")
    serve = parser.parse_args().serve
    copy_pages()
    write_configuration()
    command = [sys.executable, "-m", "mkdocs", "serve" if serve else "build", "--config-file", str(CONFIGURATION)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # about the end of its support, years from now
    return subprocess.run([*command, *([] if serve else ["--strict"])], cwd=ROOT, env=quiet, check=False).returncode


def copy_pages() -> None:
    """Every page and what pages link to, at the place that it has in the project."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    for path in sources():
        target = SOURCE / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    (SOURCE / PYTHON).write_text(python_page(), encoding="utf-8")


def sources() -> list[Path]:
    """The files that the site is made of: pages, notebooks, and what pages link to."""
    files = list(dict.fromkeys(_pages()))
    linked = [target for page in files if page.suffix == ".md" for target in linked_files(page)]
    return list(dict.fromkeys([*files, *linked]))


def linked_files(page: Path) -> Iterator[Path]:
    """The files of the project that a page links to."""
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        path = Path(os.path.normpath(page.parent / target))
        if "://" not in target and path.is_file():
            yield path


def _pages() -> Iterator[Path]:
    yield from (ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "NOTICE", "LICENSE"))
    yield from (path for path in sorted((ROOT / "docs").rglob("*")) if path.is_file())
    yield from sorted((ROOT / "recipes").glob("*/README.md"))
    yield from sorted((ROOT / "notebooks").glob("*.ipynb"))


def python_page() -> str:
    """The page of what can be imported, made from docstrings."""
    parts = ["# Python\n"]
    for title, names in API.items():
        parts += [f"## {title}\n", *(f"::: {name}\n" for name in names)]
    return "\n".join(parts)


def write_configuration() -> None:
    """mkdocs.yml with the navigation; the one of the project has none, so that `NAV` can be checked by a test."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for key, place in (("docs_dir", SOURCE), ("site_dir", SITE)):
        old = next(line for line in text.splitlines() if line.startswith(f"{key}:"))
        text = text.replace(old, f"{key}: {place}")
    text = text.replace("paths: [.]", f"paths: [{ROOT}]")
    CONFIGURATION.write_text(f"{text}\n{yaml.safe_dump({'nav': NAV}, sort_keys=False)}", encoding="utf-8")


def pages_of(entries: Any) -> Iterator[str]:
    """The pages of a navigation."""
    if isinstance(entries, str):
        yield entries
    elif isinstance(entries, dict):
        for entry in entries.values():
            yield from pages_of(entry)
    else:
        for entry in entries:
            yield from pages_of(entry)


if __name__ == "__main__":
    sys.exit(main())
