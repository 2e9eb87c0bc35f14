# `make demo` and `make test` each set up what they need in .venv and then do the job.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m
AUDIO ?=
DEMO ?= demo-output

FUZZ_SECONDS ?= 60

.PHONY: demo test slow fuzz lint gate setup-demo setup-dev

setup-demo: $(VENV)/.demo
setup-dev: $(VENV)/.dev

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(RUN) pip install -q -c constraints.txt -e '.[demo]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(RUN) pip install -q -c constraints.txt -e '.[dev]'
	touch $@

demo: setup-demo
	$(RUN) wavelex demo $(if $(AUDIO),"$(AUDIO)") --out "$(DEMO)"

test: setup-dev
	$(RUN) pytest

slow: setup-dev
	$(RUN) pytest -m slow

# The hostile inputs first, then mutations for so long; ends with 1 if anything is not answered in time, in memory and in words.
fuzz: setup-dev
	OMP_NUM_THREADS=1 $(VENV)/bin/python fuzz/run.py --seconds $(FUZZ_SECONDS)

gate: setup-dev
	$(VENV)/bin/python benchmarks/gate.py

lint: setup-dev
	$(RUN) ruff check src tests
	$(RUN) ruff format --check src tests
	$(RUN) mypy
