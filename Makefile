# Watchkeeper. `make demo` and `make test` do all of their own set-up; nothing else need be typed.
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
ASSETS := $(wildcard scripts/build_assets* scripts/assets/*)

.PHONY: help setup parts ready demo test fuzz check format bench docs lock clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## Make .venv, install the locked dependencies, build the front-end assets

$(STAMP): requirements.lock pyproject.toml scripts/lib.sh scripts/setup.sh $(ASSETS)
	@bash scripts/setup.sh $(VENV)
	@touch $(STAMP)

parts: ## Install the Debian programs that the tests need (as root), or say which are missing
	@bash scripts/parts.sh test

demo: setup ## Run the demo shop and watch it (DEMO_SECONDS=120 ends by itself)
	@$(PY) -m demo.run

# What comes from Debian is installed beside what comes for Python.
ready:
	@$(MAKE) --no-print-directory -j2 setup parts

test: ready ## Run every check and every test (ARGS='-k name' picks some)
	@PY=$(PY) bash scripts/test.sh $(ARGS)

fuzz: ready ## Run the tests with examples that were never tried before
	@WATCHKEEPER_EXAMPLES=fuzz PY=$(PY) bash scripts/test.sh $(ARGS)

check: setup ## Formatting, lint, types, order of rooms
	@PY=$(PY) bash scripts/check.sh

format: setup ## Format the code and fix what can be fixed by itself
	@$(PY) -m ruff check --fix --quiet . ; $(PY) -m ruff format .

bench: setup ## Run the benchmarks and print their tables
	@bash scripts/parts.sh bench
	@$(PY) -m benchmarks $(ARGS)

docs: setup ## Build the documentation into site/
	@$(PY) -m mkdocs build --strict --quiet --site-dir site
	@echo "docs: site/index.html"

lock: ## Resolve the dependencies again into requirements.lock (needs uv)
	@bash scripts/lock.sh $(VENV)

clean: ## Remove everything that was made, .venv too
	rm -rf $(VENV) build dist site .demo src/watchkeeper/faces/web/static/vendor
