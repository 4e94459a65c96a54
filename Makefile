# From a bare machine (Python 3.11 to 3.13 and make) to a trained recognizer: make demo
# Another Python: make demo PYTHON=/path/to/python3.12

PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3,$(shell \
	$(name) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1 && echo $(name))))
BIN := .venv/bin/python
# the checkout's place is part of the stamp: an editable install points there, so a moved checkout is installed again
STAMP := .venv/installed-$(firstword $(shell pwd | cksum))
# what lasasr is compared with, in an environment of its own that sees the packages of the first
PEERS := .venv-parity
PEERS_STAMP := $(PEERS)/installed-$(firstword $(shell pwd | cksum))
# make demo TORCH=cpu: torch without CUDA, from the index that TORCH_INDEX names
TORCH ?=
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
WORKERS ?= 2
PAGES ?=
COUNT ?= 500
SEED ?= 1

# Two test processes of one thread each beat one of two threads; idle threads sleep instead of spinning.
export OMP_WAIT_POLICY ?= PASSIVE
test test-slow chaos guards hostile site-check: export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup lint typecheck test test-slow chaos guards hostile demo comparison bench bench-check bench-gpu peers parity tables site site-check docs clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## make .venv and install everything into it (all targets below do it when needed)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11, 3.12 or 3.13 found; install one, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "make: $(PYTHON) is not Python 3.11, 3.12 or 3.13"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) lacks venv; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@rm -f .venv/installed-*
	@$(BIN) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@case "$(TORCH)" in ""|cpu) ;; *) echo "make: TORCH=$(TORCH): write TORCH=cpu, or leave it out"; exit 2;; esac
	@echo "installing into .venv, which will take about $(if $(filter cpu,$(TORCH)),1.5,6) GB on disk; V=1 shows what pip says"
	@if [ "$(TORCH)" = cpu ]; then grep -vE '^(torch|torchaudio)==' constraints.txt >.venv/constraints.txt \
		&& $(BIN) -m pip install $(if $(V),,--quiet) --disable-pip-version-check --no-deps --index-url "$(TORCH_INDEX)" 'torch>=2.11,<2.15' \
		|| { echo "make: no torch from $(TORCH_INDEX); name another index: TORCH_INDEX=URL"; exit 1; }; \
	else cp constraints.txt .venv/constraints.txt; fi
	@$(BIN) -m pip install $(if $(V),,--quiet) --disable-pip-version-check -c .venv/constraints.txt -e '.[synthetic,dev]'
	@touch $@

lint: $(STAMP) ## ruff: mistakes and format
	$(BIN) -m ruff check .
	$(BIN) -m ruff format --check .

typecheck: $(STAMP) ## mypy, strict
	$(BIN) -m mypy

test: $(STAMP) ## the tests, a few minutes on two cores
	$(BIN) -m pytest -n $(WORKERS)

test-slow: $(STAMP) ## the tests that take longer
	$(BIN) -m pytest -n $(WORKERS) -m slow

chaos: $(STAMP) ## faults of many kinds injected into trainings and survived, half an hour; COUNT=3000 SEED=1
	$(BIN) tests/chaos/chaos.py --count $(COUNT) --seed $(SEED)

guards: $(STAMP) ## each guard of the source taken away in a copy: its tests must fail
	$(BIN) scripts/mutate_guards.py

hostile: $(STAMP) ## hostile files and 1,000 mutations of recipes: refused in one line, nothing run, no hang (half an hour)
	$(BIN) scripts/hostile.py

demo: $(STAMP) ## render a spoken corpus, train on it, decode voices it never heard
	$(BIN) scripts/demo.py

bench-gpu: $(STAMP) ## on a GPU: the tests that compare it with the CPU, then the same benchmarks; under ten minutes
	$(BIN) -m pytest -m cuda
	$(BIN) scripts/bench.py --device cuda --rounds 5 --json gpu.json
	$(BIN) scripts/bench_decode.py --device cuda --json gpu-decode.json

comparison: $(STAMP) ## train 8 attention variants with 4 seeds each (three hours; goes on where it stopped), compare them, write the page
	$(BIN) scripts/comparison.py

bench: $(STAMP) ## time training, decoding and their parts
	$(BIN) scripts/bench.py
	$(BIN) scripts/bench_decode.py
	$(BIN) scripts/bench_decode.py --memory --batches 1 8

bench-check: $(STAMP) ## times over floors beside those stored for this kind of processor, under five minutes
	$(BIN) scripts/bench_check.py

peers: $(PEERS_STAMP) ## make .venv-parity: ESPnet, SpeechBrain and others, for parity and scripts/bench_peers.py

$(PEERS_STAMP): $(STAMP) scripts/parity/peers.txt scripts/parity/peers.py
	$(BIN) scripts/parity/peers.py $(PEERS)
	@touch $@

parity: $(PEERS_STAMP) ## compare numbers with those of ESPnet, SpeechBrain, sclite and others, write docs/parity.md; under a minute once the peers are there
	OMP_NUM_THREADS=1 PYTHONPATH=scripts $(PEERS)/bin/python -m parity

tables: $(STAMP) ## put the results tables of recipes/ into their READMEs, and the pages below docs/pages, again from the cards in recipes/*/results
	@for card in $(wildcard recipes/*/results/*.json); do \
		$(BIN) -m lasasr compare $$card --readme $$(dirname $$(dirname $$card))/README.md >/dev/null && echo "$$card" || exit 1; done
	@for page in $(wildcard docs/pages/*.html); do \
		name=$$(basename $$page .html); card=recipes/$${name%%-*}/results/$${name#*-}.json; \
		$(BIN) -m lasasr compare $$card --html $$page >/dev/null && echo "$$page" || exit 1; done

site: $(STAMP) ## the pages as a site in site/, built without a network (python -m http.server -d site)
	@$(BIN) -c 'import mkdocs, material, mkdocstrings' 2>/dev/null || $(BIN) -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN) scripts/site.py

site-check: $(STAMP) ## run the commands that the pages show, on small data, and the pages that a test plays; ten minutes on two free cores
	$(BIN) scripts/site_check.py $(PAGES)
	$(BIN) -m pytest -m '' tests/test_extending.py tests/test_tutorial.py

docs: $(STAMP) ## check the pages: links, names of files and modules, lengths of lines, the version
	$(BIN) scripts/check_docs.py

clean: ## remove caches and build products; .venv, .venv-parity, data/ and runs/ stay
	rm -rf build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find configs lasasr recipes scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +
