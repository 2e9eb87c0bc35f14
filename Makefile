# `make demo` and `make test` each set up what they need in .venv and then do the job.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m
AUDIO ?=
DEMO ?= demo-output

.PHONY: demo test slow lint gate docs setup-demo setup-dev setup-docs

setup-demo: $(VENV)/.demo
setup-dev: $(VENV)/.dev
setup-docs: $(VENV)/.docs

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(RUN) pip install -q -c constraints.txt -e '.[demo]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(RUN) pip install -q -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/.docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(RUN) pip install -q -c constraints.txt -e '.[docs]'
	touch $@

demo: setup-demo
	$(RUN) wavelex demo $(if $(AUDIO),"$(AUDIO)") --out "$(DEMO)"

test: setup-dev
	$(RUN) pytest

slow: setup-dev
	$(RUN) pytest -m slow

gate: setup-dev
	$(VENV)/bin/python benchmarks/gate.py

docs: setup-docs
	NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --strict

lint: setup-dev
	$(RUN) ruff check src tests
	$(RUN) ruff format --check src tests
	$(RUN) mypy
