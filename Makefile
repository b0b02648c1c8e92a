# Offhook: `make demo` and `make test` set everything up on a fresh machine, each by itself.
# They need Python 3.11 or newer with venv, make, and the package registries.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Foreign programs that the tests call: SIPp and a softphone. Debian's packages.
FOREIGN_PACKAGES := sip-tester baresip

.PHONY: help demo test kill lint bench setup foreign clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    a running exchange, two real softphones, a call on prepaid credit"
	@echo "make test    the whole test suite"
	@echo "make lint    ruff, mypy --strict, import-linter"
	@echo "make bench   CPU time for each completed call, beside Kamailio where it is installed (QUICK=1: two minutes)"
	@echo "make kill    the long crash tests"

demo: setup
	$(BIN)/python -m demo

test: setup foreign
	$(BIN)/pytest

kill: setup foreign
	$(BIN)/python -m tests.wire.kill

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup foreign
	$(BIN)/python -m bench

setup: $(READY)

# The project itself is installed as a link to this directory, so that an edit needs no second install.
$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "offhook needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "python3 -m venv does not work here; on Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

foreign:
	@sh tests/foreign_programs.sh $(FOREIGN_PACKAGES)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
