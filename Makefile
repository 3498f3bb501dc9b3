# Everything runs in .venv, which `make` sets up itself from the machine's Python 3.11 or later.
# Set PYTHON=/path/to/python3 to choose the interpreter.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
FTCTL := $(BIN)/ftctl

# pip's settings for a mirror or a folder of wheels hold for uv too, here and in what it starts.
space := $(subst ,, )
comma := ,
ifneq ($(PIP_FIND_LINKS),)
ifeq ($(UV_FIND_LINKS),)
export UV_FIND_LINKS := $(subst $(space),$(comma),$(strip $(PIP_FIND_LINKS)))
endif
endif
ifneq ($(PIP_INDEX_URL),)
ifeq ($(UV_DEFAULT_INDEX),)
export UV_DEFAULT_INDEX := $(PIP_INDEX_URL)
endif
endif

# Start-up time is measured and promised: byte code is always written.
unexport PYTHONDONTWRITEBYTECODE
unexport VIRTUAL_ENV
unexport PYTHONPATH
unexport PYTHONHOME

TESTS := $(wildcard tests/unit tests/golden)
ALL_TESTS := $(TESTS) $(wildcard tests/flow tests/docs tests/e2e)

FUZZ ?= 5000
FAULTS ?= 200
SEEDED := $(if $(SEED),--seed $(SEED))
DEPLOYMENTS ?= 54

# The quick tests wait for processes more than they compute; of the engines two run at a time.
SPREAD := -n 3 --dist worksteal
ENGINES := -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo test check fuzz faults lint bench docs picture clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## make .venv with ftctl and the tools that develop it

demo: $(READY) ## train a tiny model, serve it with vLLM and ask it a question, for real
	@$(BIN)/python bench/demo.py

check: lint ## format, lint, types, unit and golden tests (under a minute)
	$(BIN)/pytest $(SPREAD) -m "not engine" $(TESTS)

test: lint ## check, and the end-to-end tests with the real engines (installs what is missing)
	$(BIN)/pytest $(SPREAD) -m "not engine" $(ALL_TESTS)
	$(BIN)/pytest $(ENGINES) -m engine $(ALL_TESTS)

fuzz: $(READY) ## try tens of thousands of broken jobs (minutes); FUZZ=N cases for each of five tests
	$(BIN)/python -m bench.fuzz $(FUZZ)

faults: $(READY) ## strike runs and deployments (minutes); FAULTS=N, DEPLOYMENTS=N, and SEED=N again the same
	$(BIN)/python -m tests.faults.suite $(FAULTS) $(SEEDED)
	$(BIN)/python -m tests.faults.deployments $(DEPLOYMENTS) $(SEEDED)
	$(BIN)/python -m tests.faults.real $(SEEDED)
	$(BIN)/python -m tests.faults.real_deployments $(SEEDED)

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(READY) ## measure what the README claims, into bench/results/
	$(BIN)/python -m bench.cli
	$(BIN)/python -m bench.train_overhead
	$(BIN)/python -m bench.validate_many
	$(BIN)/python -m bench.memory
	$(BIN)/python -m bench.keeper
	$(BIN)/python -m bench.demo_times
	$(BIN)/python -m bench.data_scan
	$(BIN)/python -m bench.runs_many
	$(BIN)/python -m bench.runs_most
	$(BIN)/python -m bench.watch
	$(BIN)/python -m bench.proxy
	$(BIN)/python -m bench.evaluate
	$(BIN)/python -m bench.deploy_ready
	$(BIN)/python -m bench.deploy_load
	$(BIN)/python -m bench.first_token

docs: $(READY) ## write docs/commands.md again from --help
	$(BIN)/python -m tests.docs.commands > docs/commands.md.new && mv docs/commands.md.new docs/commands.md

picture: $(READY) ## write docs/report.png, the report of the run that `make demo` made (needs a Chromium)
	$(BIN)/python -m bench.report_picture

clean: ## remove .venv and caches (engine environments: ftctl engines remove NAME; runs stay)
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache build dist
	find ftctl tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml ftctl/__init__.py .ci/setup
	.ci/setup $(VENV)
	@touch $@
