# Two commands do everything: `make run` and `make test`. Both set up their environment first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# PyTorch comes first and by itself: asked for later by another package, pip may take builds of several GB for graphics cards.
# To choose a build: make run TORCH="torch --index-url https://..." (README, "The first run").
TORCH ?= torch==2.13.0
WORKERS ?= auto
PARALLEL = --numprocesses=$(WORKERS) --dist=loadscope --no-loadscope-reorder
# The client of Zendesk is GPL-3.0, so it is in no sum of extras: it is installed by its own name. `make run ZENPY=` leaves it out.
ZENPY ?= zenpy>=2.0.56

# pip would compile all modules of all packages, one after the other, which takes longer than all else that it does. For `make run` each is
# compiled when it is first used, and kept; for tests, of which many begin at once, all are, on all cores.
PIP = $(BIN)/python -P -m pip install --quiet --no-compile

# Compiled modules and rewritten tests are kept: a test session, and each process that it starts, would compile them all anew.
unexport PYTHONDONTWRITEBYTECODE

# A step that takes a while: what it is, and its output only if it fails.
define quietly
@echo "hub: $(1)"; log=$$(mktemp); if { $(2); } >"$$log" 2>&1; then rm -f "$$log"; \
	else code=$$?; cat "$$log"; rm -f "$$log"; echo "hub: this failed: $(1)"; exit $$code; fi
endef

.PHONY: run test tests check fast quick contract lint types house format clean

run: $(VENV)/.run
	@test -f config.toml || { $(BIN)/hub init --demo >/dev/null && echo "hub: wrote the demo, config.toml and the folder demo/"; }
	@exec $(BIN)/hub up

# Everything that has to pass. Tests run in a random order on WORKERS processes, each with its own databases and servers.
test: lint types house tests

tests: $(VENV)/.test
	$(BIN)/python -m pytest $(PARALLEL) --durations=10 $(PYTEST)

# All but what takes long: kills, real servers, the browser, models, long runs, the second database. Under three minutes on two cores.
# The tests start at once; lint, types and import contracts run beside them, since many tests wait for something.
check: $(VENV)/.test
	@$(MAKE) --no-print-directory -j 2 fast lint types house

fast: $(VENV)/.test
	$(BIN)/python -m pytest $(PARALLEL) --durations=10 -p no:randomly -q -m "not (kills or servers or browser or model or long or postgresql)" $(PYTEST)

# What the change touches (against HEAD, or against BASE=main), in about ten seconds.
quick: $(VENV)/.test
	$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .
	$(BIN)/python -m tests.quick $(BASE)

# Requests of the real clients held to the vendors' documents by Prism (npm install @stoplight/prism-cli; HUBBUB_PRISM names it).
contract: $(VENV)/.test
	$(BIN)/python -m pytest tests/contract $(PYTEST)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -P -m deptry .

types: $(VENV)/.test
	$(BIN)/mypy

house: $(VENV)/.test
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/.base: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Hubbub needs Python 3.11 or newer: make run PYTHON=python3.12"; exit 1; }
	$(call quietly,making an environment in $(VENV),{ test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); } && $(PIP) --upgrade pip)
	$(call quietly,installing PyTorch (about a minute),$(PIP) $(TORCH))
	@touch $@

$(VENV)/.run: $(VENV)/.base
	@test -z '$(ZENPY)' || echo "hub: zenpy (GPL-3.0) comes along by its own name, for Zendesk; leave it out with: make run ZENPY="
	$(call quietly,installing Hubbub and its connectors (about a minute),$(PIP) -e '.[all]' $(if $(ZENPY),'$(ZENPY)'))
	@touch $@

$(VENV)/.test: $(VENV)/.base
	$(call quietly,installing the tools of development (about a minute),$(PIP) -e '.[dev]')
	$(call quietly,compiling,$(BIN)/python -P -m compileall -q -j 0 $(VENV)/lib || true)
	@touch $@ $(VENV)/.run
