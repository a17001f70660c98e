# make setup | demo | test | lint | docs | clean; PYTHON chooses the interpreter, ARGS adds options.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint docs clean

# The first one that runs: a pyenv shim may be on the path without a Python behind it.
PYTHON ?= $(shell for python in python3.11 python3.12 python3; do \
	"$$python" -c '' >/dev/null 2>&1 && { echo "$$python"; break; }; done)
VENV_PYTHON := .venv/bin/python

# One thread per process: PyTorch's own threads would fight over the cores of the two test workers.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

help:
	@echo 'make setup  create or repair .venv (Python 3.11, gcc; about 10 minutes the first time)'
	@echo 'make demo   the whole system on generated videos; the report goes to work_dirs/demo'
	@echo 'make test   the tests'
	@echo 'make lint   ruff and mypy'
	@echo 'make docs   the site, in work_dirs/site; links are checked'
	@echo 'make clean  remove caches and build products (not .venv, not work_dirs)'

setup:
	@[ -n "$(PYTHON)" ] || { echo 'set-up: no Python found: install Python 3.11, or name one with `make setup PYTHON=...`' >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo 'set-up: $(PYTHON) is too old or does not run: install Python 3.11, or name one with `make setup PYTHON=...`' >&2; exit 1; }
	@"$(PYTHON)" tools/misc/setup_env.py

# Threads that wait should sleep: spinning ones slow a busy machine down many times over.
demo: setup
	OMP_WAIT_POLICY=PASSIVE $(VENV_PYTHON) demo/run_demo.py --out-dir work_dirs/demo $(ARGS)

test: setup
	$(TEST_ENV) $(VENV_PYTHON) -m pytest -q -n 2 --dist loadfile $(ARGS)

lint: setup
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy stdpose_mm tools demo

# A small environment of its own: docstrings are read from the source, nothing is imported.
docs: work_dirs/docs_env/installed
	work_dirs/docs_env/bin/python -m mkdocs build --strict

work_dirs/docs_env/installed: requirements/docs.txt
	"$(PYTHON)" -m venv --clear work_dirs/docs_env
	work_dirs/docs_env/bin/python -m pip install --quiet --no-deps -r requirements/docs.txt
	touch $@

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -name '*.egg-info' -prune -exec rm -rf {} +
	find . -path ./.venv -prune -o -name __pycache__ -prune -exec rm -rf {} +
