# Each target is complete on a machine with Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: repro test test-slow lint bench pdf

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --constraint requirements.lock torch  # a build for GPUs brings its libraries
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

repro: $(STAMP)  ## run the pipeline of the active profile, then say where the report is
	dvc repro
	@echo "report: paper/build/report.html and paper/build/report.tex"

test: $(STAMP)  ## tests of the code, then of the claims
	pytest -q -n 2 tests -m "not slow"
	pytest -q claims

test-slow: $(STAMP)  ## faults, whole runs, a real browser
	pytest -q tests -m slow

lint: $(STAMP)  ## style and types
	ruff check .
	ruff format --check .
	mypy

bench: $(STAMP)  ## speed beside what one would use instead; wants idle cores
	python -m benchmarks

pdf: $(STAMP)  ## the report as PDF; says which packages are missing
	@command -v latexmk > /dev/null || { \
	  echo "latexmk is missing; on Debian: apt-get install latexmk texlive-latex-extra texlive-fonts-recommended lmodern librsvg2-bin"; \
	  exit 2; }
	cd paper/build && latexmk -norc -pdf -interaction=nonstopmode -halt-on-error report.tex
