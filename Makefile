# make demo   set up and run the demonstration
# make test   set up and run the tests
# make test-slow  the tests that take minutes: real waits, every consent attack in both eras
# make lint   types, style and the import contract
# make bench  the benchmark table (takes a few minutes)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NODE_SERVERS := tests/servers/node
BENCH_PEERS := bench/node
# Most tests wait: for a server that starts, a dialog that opens, a deadline that passes.
PYTEST_WORKERS ?= $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1) + 1)')

.PHONY: demo test test-slow lint bench clean

$(VENV)/.made: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "stdioguard needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# Node is optional: without npm the tests of npm servers are skipped and say so.
$(NODE_SERVERS)/node_modules/.made: $(NODE_SERVERS)/package-lock.json
	@if command -v npm >/dev/null; then cd $(NODE_SERVERS) && npm ci --silent && touch node_modules/.made; \
	else echo "npm is not installed: the npm reference servers are left out"; fi

demo: $(VENV)/.made
	$(BIN)/stdioguard demo

test: $(VENV)/.made $(NODE_SERVERS)/node_modules/.made
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS)

test-slow: $(VENV)/.made
	$(BIN)/python -m pytest -m slow -n $(PYTEST_WORKERS)

lint: $(VENV)/.made
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

$(BENCH_PEERS)/node_modules/.made: $(BENCH_PEERS)/package-lock.json
	@if command -v npm >/dev/null; then cd $(BENCH_PEERS) && npm ci --silent && touch node_modules/.made; \
	else echo "npm is not installed: srt is left out of the comparison"; fi

bench: $(VENV)/.made $(NODE_SERVERS)/node_modules/.made $(BENCH_PEERS)/node_modules/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python -m bench.session --write
	$(BIN)/python -m bench.audit --write

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .hypothesis
