# make setup | demo | test | test-fast | test-light | test-sleap | test-research | coverage | lint |
# docs | clean;
# PYTHON chooses the interpreter, ARGS adds options.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-light test-sleap test-research coverage lint docs clean

# The first one that runs: a pyenv shim may be on the path without a Python behind it.
PYTHON ?= $(shell for python in python3.11 python3.12 python3; do \
	"$$python" -c '' >/dev/null 2>&1 && { echo "$$python"; break; }; done)
VENV_PYTHON := .venv/bin/python
LIGHT := .venv-light/bin
LIGHT_REQUIREMENTS := requirements/light.txt requirements/test.txt
# What needs neither PyTorch nor OpenMMLab, `pip install stdpose-mm` by itself.
LIGHT_TESTS := @tests/light_tests.txt

# Modules are compiled once, not by each of the hundreds of commands that the tests start.
unexport PYTHONDONTWRITEBYTECODE

# One thread per process: PyTorch's own threads would fight over the cores of the test workers.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

help:
	@echo 'make setup  create or repair .venv (Python 3.11, gcc; 5 to 10 minutes the first time)'
	@echo 'make demo   the whole system on generated videos; the report goes to work_dirs/demo'
	@echo 'make test   the tests'
	@echo 'make test-fast  the tests that take no seconds'
	@echo 'make coverage  the tests, and which lines they reach; a page goes to work_dirs/coverage'
	@echo 'make test-light  the tests of what pip installs without extras, in .venv-light'
	@echo 'make test-sleap  the tests of SLEAP, DeepLabCut .h5 and movement, with what they need in a folder'
	@echo 'make test-research  the tests of research/, which is no part of the package'
	@echo 'make lint   ruff and mypy'
	@echo 'make docs   the site, in work_dirs/site; links are checked'
	@echo 'make clean  remove caches and build products (not environments, not work_dirs)'

setup:
	@[ -n "$(PYTHON)" ] || { echo 'set-up: no Python found: install Python 3.11, or name one with `make setup PYTHON=...`' >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo 'set-up: $(PYTHON) is too old or does not run: install Python 3.11, or name one with `make setup PYTHON=...`' >&2; exit 1; }
	@"$(PYTHON)" tools/misc/setup_env.py

# Threads that wait spin for a moment, then sleep: a training step takes a fifth less than with threads
# that sleep at once on an idle machine, a fifth more on a busy one. Freed memory is kept: glibc would
# return that of every step to the system, and a step would take up to a quarter longer to get it back.
DEMO_ENV := GOMP_SPINCOUNT=10000 MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=4294967296

demo: setup
	$(DEMO_ENV) $(VENV_PYTHON) demo/run_demo.py --out-dir work_dirs/demo $(ARGS)

# Files in the order of their folders: else those with the fewest tests, which take longest, come last.
# Three workers for two cores: tests also wait, for commands and for the browser.
PYTEST := $(TEST_ENV) $(VENV_PYTHON) -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder

test: setup
	$(PYTEST) $(ARGS)

test-fast: setup
	$(PYTEST) -m 'not slow' $(ARGS)

coverage: setup
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-report=html:work_dirs/coverage $(ARGS)

.venv-light/stamp: $(LIGHT_REQUIREMENTS) requirements/build.txt
	"$(PYTHON)" -m venv --clear .venv-light
	$(LIGHT)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		$(LIGHT_REQUIREMENTS:%=-r %) -c requirements/build.txt setuptools
	touch $@

# The package comes from a wheel, and that from the source distribution, as `python -m build` does
# it; `pip check` says whether light.txt is all that it declares.
DIST := work_dirs/dist
test-light: .venv-light/stamp
	rm -rf $(DIST) && mkdir -p $(DIST)
	$(LIGHT)/python -c 'from setuptools import build_meta; build_meta.build_sdist("$(DIST)")' >/dev/null
	$(LIGHT)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-index \
		--no-build-isolation --wheel-dir $(DIST) $(DIST)/*.tar.gz
	$(LIGHT)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-index \
		--force-reinstall $(DIST)/*.whl
	$(LIGHT)/python -m pip check --disable-pip-version-check
	$(LIGHT)/stdpose --help
	$(TEST_ENV) $(LIGHT)/pytest -q -n 2 --dist loadfile $(LIGHT_TESTS) $(ARGS)

# Beside .venv, which stays as it is without these optional formats.
.venv-sleap/stamp: requirements/optional.txt requirements/readers.txt | setup
	rm -rf .venv-sleap
	$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps \
		--target .venv-sleap $(patsubst %,-r %,$^)
	touch $@

test-sleap: .venv-sleap/stamp
	PYTHONPATH=.venv-sleap $(PYTEST) $(patsubst %,tests/io/labels/test_%.py, \
		sleap_labels deeplabcut_hdf5 movement) $(ARGS)
	PYTHONPATH=.venv-sleap $(PYTEST) research/tests/test_benchmark_sleap.py $(ARGS)

test-research: setup
	$(PYTEST) research/tests $(ARGS)

lint: setup
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy stdpose_mm tools demo research
	$(VENV_PYTHON) -m mypy --platform win32 stdpose_mm

# A small environment of its own: docstrings are read from the source, nothing is imported.
docs: work_dirs/docs_env/installed
	work_dirs/docs_env/bin/python -m mkdocs build --strict

work_dirs/docs_env/installed: requirements/docs.txt
	"$(PYTHON)" -m venv --clear work_dirs/docs_env
	work_dirs/docs_env/bin/python -m pip install --quiet --no-deps -r requirements/docs.txt
	touch $@

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path './.venv*' -prune -o -name '*.egg-info' -prune -exec rm -rf {} +
	find . -path './.venv*' -prune -o -name __pycache__ -prune -exec rm -rf {} +
