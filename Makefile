# `make demo` and `make test` each set up what they need in .venv and then do the job.
PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
EXE := .exe
else
BIN := $(VENV)/bin
endif
RUN := $(BIN)/python -m
# Versions that are known to work together; CI takes constraints-ci.txt, which pins all of them.
CONSTRAINTS ?= constraints.txt
INSTALL := $(RUN) pip install -q -c $(CONSTRAINTS)
AUDIO ?=
DEMO ?= demo-output
FUZZ_SECONDS ?= 60
# Test processes; each works on one thread.
WORKERS ?= auto
# What is mutated, by module, and the most seconds it may take: `make mutants MUTANTS='wavelex.tokens.format.crc*'`.
MUTANTS ?= wavelex.*
MUTANTS_SECONDS ?= 3600
MEASURED := codec tokens quantizers search training

.PHONY: demo test slow parity lint gate gpu-check fuzz coverage mutants docs dist smoke setup-demo setup-dev

setup-demo: $(VENV)/.demo
setup-dev: $(VENV)/.dev

$(BIN)/python$(EXE):
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml $(CONSTRAINTS) | $(BIN)/python$(EXE)
	$(INSTALL) -e '.[demo]'
	touch $@

$(VENV)/.dev: pyproject.toml $(CONSTRAINTS) | $(BIN)/python$(EXE)
	$(INSTALL) -e '.[dev]'
	touch $@

$(VENV)/.docs: pyproject.toml $(CONSTRAINTS) | $(BIN)/python$(EXE)
	$(INSTALL) -e '.[docs]'
	touch $@

demo: setup-demo
	$(RUN) wavelex demo $(if $(AUDIO),"$(AUDIO)") --out "$(DEMO)"

test: setup-dev
	OMP_NUM_THREADS=1 $(RUN) pytest -n $(WORKERS) --dist loadgroup

slow: setup-dev
	OMP_NUM_THREADS=1 $(RUN) pytest -n $(WORKERS) --dist loadgroup -m slow

# Designs at full size beside their authors' classes.
parity: setup-dev
	OMP_NUM_THREADS=1 $(RUN) pytest -n $(WORKERS) --dist loadgroup -m parity

# The hostile inputs first, then mutations for so long; ends with 1 if anything is not answered in time, in memory and in words.
fuzz: setup-dev
	OMP_NUM_THREADS=1 $(BIN)/python fuzz/run.py --seconds $(FUZZ_SECONDS)

gate: setup-dev
	$(BIN)/python benchmarks/gate.py

# Two training steps of every design at its small preset, on the GPU where there is one.
gpu-check: setup-dev
	$(BIN)/python benchmarks/gpu_check.py

lint: setup-dev
	$(RUN) ruff check src tests benchmarks fuzz examples
	$(RUN) ruff format --check src tests benchmarks fuzz examples
	$(RUN) mypy

coverage: setup-dev
	OMP_NUM_THREADS=1 $(RUN) pytest -n $(WORKERS) --dist loadgroup $(foreach part,$(MEASURED),--cov=wavelex.$(part)) --cov-report=term-missing:skip-covered

# Ends when time is up, and goes on from there when called again; `mutmut show NAME` prints a survivor.
mutants: setup-dev
	-OMP_NUM_THREADS=1 timeout $(MUTANTS_SECONDS) $(RUN) mutmut run '$(MUTANTS)'
	$(RUN) mutmut results

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --strict

dist: setup-dev
	$(RUN) build --outdir dist

# The wheel alone in an environment of its own: it encodes and decodes the recording that it carries.
smoke: dist
	$(PYTHON) -m venv $(VENV)-smoke --clear
	$(subst $(VENV),$(VENV)-smoke,$(BIN))/python -m pip install -q -c $(CONSTRAINTS) dist/*.whl
	$(subst $(VENV),$(VENV)-smoke,$(BIN))/python benchmarks/smoke.py
