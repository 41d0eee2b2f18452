# Kinelab. `make` or `make help` lists what can be done; CI runs these same targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes
export HOST PORT HAR_HOME HAR_DATA_DIR DATA_FOLDERS TLS_NAMES
# Images of containers set it; each of a run's many processes would compile TensorFlow, Kinelab and the tests for itself
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup federated run run-https test test-long test-fast test-postgres test-pythons lint bench reference reference-models migration lock audit sbom

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 10) <= sys.version_info < (3, 14) else "Kinelab needs Python 3.10 to 3.13; found " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 " )'
	@echo "Creating the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: requirements.txt | $(VENV)/.python
	@echo "Installing the dependencies (a few minutes the first time; TensorFlow is large)"
	@$(PIP) -r requirements.txt
	@touch $@

# uv, which is one of the tools, installs the others in a fraction of pip's time
$(VENV)/.dev: requirements-dev.txt requirements.txt | $(VENV)/.python
	@echo "Installing the dependencies and the tools for tests (a few minutes the first time)"
	@awk '/^[^ ]/ { wanted = /^uv==/ } wanted' requirements-dev.txt >$(VENV)/uv.txt
	@$(PIP) -r $(VENV)/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/.run

setup: $(VENV)/.run ## create the environment and install the dependencies

federated: requirements-federated.txt ## create .venv-federated, to train a network at several sites over Flower (Python 3.11 or newer)
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Flower needs Python 3.11 to 3.13; found " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 federated" )'
	@$(PYTHON) -m venv .venv-federated
	@.venv-federated/bin/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements-federated.txt

run: setup ## start the site (HOST, PORT, HAR_HOME and DATA_FOLDERS are respected)
	@$(BIN)/python run.py

run-https: setup ## start the site for phones: over HTTPS, on every network of this machine, with an authority of its own
	@HTTPS=own $(BIN)/python run.py

# The few long browser tests come first, or one core waits for them in the end. Four at a time keep two cores busy: many
# wait for a browser, a reader or a training. All are as nice as can be, so that those that are nicer do not starve: trainings
test: $(VENV)/.dev ## run the tests, four at a time; some of them: make test ARGS="tests/har -k elm"
	@nice -n 19 $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not long" $(ARGS)

test-long: $(VENV)/.dev ## run the few trainings that make test leaves out, for other tests do each of their parts
	@$(BIN)/python -m pytest -m long $(ARGS)

test-fast: $(VENV)/.dev ## run what needs neither a browser nor real recordings nor long trainings
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not long and not real_data and not browser" $(ARGS)

test-postgres: $(VENV)/.dev ## run tests against a server of PostgreSQL that the run starts (Debian's package): make test-postgres ARGS=tests/web
	@TEST_DATABASE=postgresql $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-pythons: $(VENV)/.dev ## a start of the site on the oldest and newest Python that is promised, types on the oldest (ARGS=all: a start on each, and fast tests of the core on the oldest)
	@bash devtools/test_pythons.sh $(BIN)/uv $(ARGS)

lint: $(VENV)/.dev ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --diff .
	@$(BIN)/mypy

bench: $(VENV)/.dev ## measure what docs/BENCHMARKS.md quotes
	@$(BIN)/python -m benchmarks $(ARGS)

reference: $(VENV)/.dev ## write docs/REFERENCE.md from the program
	@$(BIN)/python -m devtools.reference

reference-models: $(VENV)/.dev ## train the models that come with the program anew, from HAR_DATA_DIR
	@$(BIN)/python -m benchmarks.reference_models $(ARGS)

migration: $(VENV)/.dev ## write a migration for changed tables: make migration M="what changed"
	@HAR_HOME=$$(mktemp -d) bash -c '$(BIN)/flask db upgrade && $(BIN)/flask db migrate -m "$(M)" --rev-id $$(printf %04d $$(( $$(ls migrations/versions/*.py | wc -l) + 1 )))'

audit: $(VENV)/.dev ## look for known vulnerabilities in what is pinned (needs the network)
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements.txt

sbom: $(VENV)/.dev ## write a software bill of materials (CycloneDX) of what is pinned, to build/sbom.cdx.json
	@$(BIN)/python -m devtools.sbom

lock: $(VENV)/.dev ## pin requirements*.in again, with hashes
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes requirements.in -o requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes requirements-dev.in -c requirements.txt -o requirements-dev.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes requirements-federated.in -o requirements-federated.txt
