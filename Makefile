# Everything is installed into .venv, from the compiled files in requirements/ alone, and checked against their hashes.
# Works with GNU make from 3.81 on and any POSIX shell. Another interpreter: make PYTHON=/path/to/python3.12 run

VENV := .venv
BIN := $(VENV)/bin
PIP := -m pip --disable-pip-version-check --quiet --quiet
INSTALL := $(PIP) install --require-hashes --requirement
PROJECT := $(PIP) install --no-deps --no-build-isolation --editable .
TOOLS := $(VENV)/lock/bin
CANDIDATES := python3.14 python3.13 python3.12 python3.11 python3 python
UPGRADE :=
# Which proofs `make prove` runs: all of them, or the folders named.
PROVE :=

.DEFAULT_GOAL := help
.PHONY: help run test test-web prove check fix load lock clean
.DELETE_ON_ERROR:

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F '\t' '{ printf "  make %-8s %s\n", $$1, $$2 }'

run: $(VENV)/.run-stamp ## start the service on http://127.0.0.1:8000
	@exec $(BIN)/hashcache serve

test: $(VENV)/.dev-stamp ## run every quick test, on two processes
	@$(BIN)/pytest --numprocesses 2 --dist worksteal --quiet

prove: $(VENV)/.dev-stamp ## run what takes long: faults over real processes, fuzzing, figures (minutes)
	@$(BIN)/pytest -m prove --quiet $(PROVE)

test-web: $(VENV)/.web-stamp ## run the tests of the pages in the system's Chromium (apt-get install chromium)
	@$(BIN)/pytest -m web --quiet tests/web

check: $(VENV)/.dev-stamp ## format, lint, types, import contracts, papers against code; changes nothing
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest --quiet tests/project

fix: $(VENV)/.dev-stamp ## format the code and repair what the linter can repair
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

load: $(VENV)/.run-stamp $(VENV)/load/.stamp ## replay two months of uploads against a local service that pays a local vendor
	@for month in small large; do \
	    $(BIN)/python loadtests/run.py --month $$month --locust "$(CURDIR)/$(VENV)/load/bin/locust" || exit 1; \
	done

lock: $(VENV)/lock/.stamp ## compile requirements/*.txt again, keeping versions (make lock UPGRADE=1: the newest ones)
	@for name in lock run dev web load; do \
	    case $$name in \
	        lock) from="requirements/lock.in" ;; \
	        run) from="pyproject.toml requirements/build.in" ;; \
	        dev) from="pyproject.toml requirements/build.in --group dev --constraint requirements/run.txt" ;; \
	        web) from="--group web --constraint requirements/dev.txt" ;;
	        load) from="--group load" ;; \
	    esac; \
	    $(TOOLS)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	        --no-emit-find-links --no-python-downloads --python $(TOOLS)/python --custom-compile-command "make lock" \
	        --constraint requirements/constraints.in $(if $(UPGRADE),--upgrade) --output-file requirements/$$name.txt $$from || exit 1; \
	    echo "requirements/$$name.txt"; \
	done

clean: ## remove what make made: the environment and the tools' caches (never the cache that was paid for)
	@rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find hashcache tests loadtests -name __pycache__ -type d -prune -exec rm -rf {} +

# The interpreter is tried, not only found: a name may belong to a shim that runs nothing, or to a Python without pip.
$(BIN)/python:
	@for python in $(or $(PYTHON),$(CANDIDATES)); do \
	    if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	        echo "installing into $(VENV), with $$($$python -V)"; \
	        exec $$python -m venv --clear $(VENV); \
	    fi; \
	done; \
	echo "hashcache needs Python 3.11 or newer with venv (Debian, Ubuntu: apt install python3-venv)." >&2; \
	echo "Tried: $(or $(PYTHON),$(CANDIDATES)). Name another one: make PYTHON=/path/to/python3.12 ..." >&2; \
	exit 1

$(VENV)/.run-stamp: requirements/run.txt pyproject.toml | $(BIN)/python
	@$(BIN)/python $(INSTALL) requirements/run.txt
	@$(BIN)/python $(PROJECT)
	@touch $@

$(VENV)/.dev-stamp: requirements/dev.txt pyproject.toml | $(BIN)/python
	@$(BIN)/python $(INSTALL) requirements/dev.txt
	@$(BIN)/python $(PROJECT)
	@touch $@ $(VENV)/.run-stamp

$(VENV)/.web-stamp: requirements/web.txt $(VENV)/.dev-stamp
	@$(BIN)/python $(INSTALL) requirements/web.txt
	@touch $@

# Importing locust patches the standard library, and uv is needed by nothing but `make lock`: each has its own place.
$(VENV)/load/.stamp: requirements/load.txt | $(BIN)/python
	@$(BIN)/python -m venv --clear $(VENV)/load
	@$(VENV)/load/bin/python $(INSTALL) requirements/load.txt
	@touch $@

$(VENV)/lock/.stamp: requirements/lock.txt | $(BIN)/python
	@$(BIN)/python -m venv --clear $(VENV)/lock
	@$(TOOLS)/python $(INSTALL) requirements/lock.txt
	@touch $@
