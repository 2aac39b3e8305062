# Watchkeeper. `make demo` and `make test` do all of their own set-up.
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.PHONY: setup demo test check bench docs lock clean parts
setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml scripts/setup.sh
	bash scripts/setup.sh
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist site
