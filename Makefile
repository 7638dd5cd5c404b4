# Every target does its own set-up on a fresh Debian machine with Python 3.11, as root or not.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
# Assigned, not by default: a shell that counts its own SECONDS has no say; `make soak SECONDS=60` has.
SECONDS = 600
IMAGES ?= 100000
# Nothing here needs more than the locked files, whatever the machine's pip is set up to do.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.PHONY: help install dev demo test lint format bench soak crash-images planted docs wheel sbom lock clean picture

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(BIN)/python:
	@tools/need_python.sh $(PYTHON)
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.core: requirements/core.txt pyproject.toml | $(BIN)/python
	@$(BIN)/pip install --quiet --require-hashes -r requirements/core.txt
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.core
	@$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

install: $(VENV)/.core ## .venv from hash-locked requirements; the CLI is .venv/bin/grandpause

dev: $(VENV)/.dev ## what tests, linters and benchmarks need, too

demo: install ## stop a simulated supercomputer, prove it, verify the evidence (ARGS="--headless --json")
	@$(BIN)/grandpause demo $(ARGS)

test: dev ## all tests, with coverage of the core
	@tools/need_packages.sh strace libfaketime patch
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --cov --cov-report= $(ARGS)
	$(BIN)/coverage report --fail-under=95 --skip-covered

lint: dev ## ruff, mypy strict, the layers (import-linter), file lengths
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/check_tree.py
	$(BIN)/python tools/make_docs.py --check

format: dev ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: dev ## measure speed and memory against a floor (ONLY=name for one)
	$(BIN)/python benchmarks/run.py $(ONLY)

soak: install ## simulated worlds with every kind of trouble (SECONDS=600 SEED=1 JSON=1 ARGS="...")
	@$(BIN)/grandpause sim soak $(if $(and $(findstring --worlds,$(ARGS)),$(filter file,$(origin SECONDS))),,--seconds $(SECONDS)) \
	  $(if $(SEED),--seed $(SEED)) $(if $(JSON),--json) $(ARGS)

crash-images: dev ## every image that a power cut may leave of the store (IMAGES=100000), to docs/soak/
	@part=$$(mktemp); trap 'rm -f "$$part"' EXIT; \
	  PYTHONPATH=tests $(BIN)/python -m crash.crash_images --images $(IMAGES) > "$$part" \
	  || { cat "$$part"; exit 1; }; \
	  cat "$$part" > docs/soak/crash-images.json
	@echo docs/soak/crash-images.json

planted: dev ## put known bugs into copies of the tree: what finds each (ARGS="--only NAME")
	@$(BIN)/python tools/planted.py $(ARGS)

docs: dev ## regenerate what the docs take from the code; fails in lint if it is not committed
	$(BIN)/python tools/make_docs.py

picture: dev ## regenerate docs/demo.svg from a run of the demo
	$(BIN)/python tools/make_picture.py

wheel: dev ## a reproducible wheel in dist/, and its SHA-256
	tools/build_wheel.sh $(BIN)/python

sbom: dev ## a CycloneDX bill of materials of the installed package's requirements
	mkdir -p dist
	$(BIN)/cyclonedx-py requirements requirements/core.txt --pyproject pyproject.toml \
	  --output-reproducible --of JSON -o dist/grandpause.cdx.json
	@echo dist/grandpause.cdx.json

lock: dev ## lock the requirements anew (versions and hashes, no index address)
	for set in core dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --upgrade requirements/$$set.in -o requirements/$$set.txt; done

clean: ## remove everything that was built
	rm -rf $(VENV) dist build var .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .import_linter_cache
