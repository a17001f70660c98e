# make setup | demo | test | test-fast | test-light | test-sleap | test-research | test-processors | coverage |
# lint | lint-page | ci | docs | clean
# PYTHON=... chooses the interpreter, ARGS=... adds options.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-light test-sleap test-programs test-research test-processors \
	coverage lint lint-page ci docs clean

# The first Python that runs: a pyenv shim may be on the path without a Python behind it.
PYTHON ?= $(shell for python in python3.11 python3.12 python3; do \
	"$$python" -c '' >/dev/null 2>&1 && { echo "$$python"; break; }; done)
VENV_PYTHON := .venv/bin/python
LIGHT := .venv-light/bin
LIGHT_REQUIREMENTS := requirements/light.txt requirements/test.txt
# Tests that need neither PyTorch nor OpenMMLab, only a plain `pip install stdpose-mm`.
LIGHT_TESTS := @tests/light_tests.txt

# Modules are compiled once, not by each of the hundreds of commands that the tests start.
unexport PYTHONDONTWRITEBYTECODE

# One thread per process: PyTorch's own threads would fight over the cores of the test workers.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

help:
	@echo 'make setup  create or repair .venv (Python 3.11, gcc; 5 to 10 minutes the first time)'
	@echo 'make demo   run the whole system on generated videos; results go to work_dirs/demo'
	@echo 'make test   run the tests'
	@echo 'make test-fast  run the tests that are not marked as slow'
	@echo 'make coverage  run the tests and report which lines they reach, also in work_dirs/coverage'
	@echo 'make test-light  test what pip installs without extras, in .venv-light'
	@echo 'make test-sleap  test the formats of SLEAP, DeepLabCut (.h5), movement and NWB, with extra packages'
	@echo 'make test-programs  install the programs that open the files, and test that they do (4 GB)'
	@echo 'make test-research  run the tests of research/, which is not part of the package'
	@echo 'make test-processors  run the tests that round as on other processors'
	@echo 'make lint   run ruff and mypy'
	@echo 'make lint-page   check the types of the review page (needs Node.js)'
	@echo 'make ci     run all checks that a change must pass: lint and every test'
	@echo 'make docs   build the site in work_dirs/site, and check its links'
	@echo 'make clean  remove caches and build products (not environments, not work_dirs)'

setup:
	@[ -n "$(PYTHON)" ] || { echo 'set-up: no Python found: install Python 3.11, or name one with `make setup PYTHON=...`' >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo 'set-up: $(PYTHON) is too old or does not run: install Python 3.11, or name one with `make setup PYTHON=...`' >&2; exit 1; }
	@"$(PYTHON)" tools/misc/setup_env.py

# Waiting threads spin for a moment before they sleep. Compared with sleeping at once, a training step is
# a fifth faster on an idle machine, and a fifth slower on a busy one. The process keeps freed memory; if
# glibc returned it to the system after every step, a step would take up to a quarter longer.
DEMO_ENV := GOMP_SPINCOUNT=10000 MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=4294967296

demo: setup
	$(DEMO_ENV) $(VENV_PYTHON) demo/run_demo.py --out-dir work_dirs/demo $(ARGS)

# Files run in the order of their folders; otherwise those with the fewest tests, which take longest, run
# last. Three workers for two cores, since tests also wait for commands and for the browser.
PYTEST := $(TEST_ENV) $(VENV_PYTHON) -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder

# With COVERAGE=1, at least this share of the package's lines and branches must be reached; the whole suite
# reaches 97 %. The tests then take half as long again, so only the hosted workflow asks for it.
COVERAGE_FLOOR := 96
COVERED := --cov --cov-report=term:skip-covered --cov-report=html:work_dirs/coverage

test: setup
	$(PYTEST) $(if $(COVERAGE),$(COVERED) --cov-fail-under=$(COVERAGE_FLOOR)) $(ARGS)

test-fast: setup
	$(PYTEST) -m 'not slow' $(ARGS)

coverage: setup
	$(PYTEST) $(COVERED) $(ARGS)

.venv-light/stamp: $(LIGHT_REQUIREMENTS) requirements/build.txt
	"$(PYTHON)" -m venv --clear .venv-light
	$(LIGHT)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		$(LIGHT_REQUIREMENTS:%=-r %) -c requirements/build.txt setuptools
	touch $@

# The package is installed from a wheel that is built from the source distribution, as by `python -m build`.
# `pip check` tells whether light.txt has all packages that it declares. Of the tests that .venv has run with
# the same versions of these packages, those with drawn examples are not run again.
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
	$(TEST_ENV) $(LIGHT)/pytest -q -n 2 --dist loadfile -m 'not hypothesis' $(LIGHT_TESTS) $(ARGS)

# Installed in a folder of its own, so that .venv stays without these optional packages.
.venv-sleap/stamp: requirements/optional.txt requirements/readers.txt | setup
	rm -rf .venv-sleap
	$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps \
		--target .venv-sleap $(patsubst %,-r %,$^)
	touch $@

test-sleap: .venv-sleap/stamp
	PYTHONPATH=.venv-sleap $(PYTEST) $(patsubst %,tests/io/labels/test_%.py, \
		sleap_labels sleap_analysis deeplabcut_hdf5 movement nwb reading_policies rewriting) $(ARGS)
	PYTHONPATH=.venv-sleap $(PYTEST) tests/review_app/test_project.py -k given_labels_alone $(ARGS)

# Programs that open the files: each in an environment of its own, except those whose packages are added to
# those of .venv, because of PyTorch.
PROGRAMS := label_studio napari_deeplabcut x_anylabeling
TORCH_PROGRAMS := ultralytics rfdetr

$(PROGRAMS:%=.venv-programs/%/stamp): .venv-programs/%/stamp: requirements/programs/%.txt
	"$(PYTHON)" -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	touch $@

$(TORCH_PROGRAMS:%=.venv-programs/%/stamp): .venv-programs/%/stamp: requirements/programs/%.txt | setup
	rm -rf $(@D)
	$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --target $(@D) -r $<
	touch $@

test-programs: $(patsubst %,.venv-programs/%/stamp,$(PROGRAMS) $(TORCH_PROGRAMS)) .venv-sleap/stamp
	$(TEST_ENV) PYTHONPATH=.venv-sleap $(VENV_PYTHON) -m pytest -q tests/programs $(ARGS)

test-research: setup
	$(PYTEST) research/tests $(ARGS)

# The tests whose outcome depends on what a processor computes, as on processors without AVX-512 or without
# bfloat16, and with other numbers of threads.
test-processors: setup
	$(VENV_PYTHON) -m research.tools.measure_margins @tests/processor_tests.txt \
		--environments avx512 avx2 sse opencv threads --workers 3 $(ARGS)

lint: setup
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy stdpose_mm tools demo research
	$(VENV_PYTHON) -m mypy --platform win32 stdpose_mm

# Needs Node.js, which nothing else does.
lint-page: setup
	mkdir -p work_dirs/page_types
	$(VENV_PYTHON) -m tools.misc.page_types >work_dirs/page_types/messages.d.ts
	npx --yes --package typescript@5.9.3 tsc --project jsconfig.json

ci: lint test test-light test-sleap test-research

# A small separate environment is enough: docstrings are read from the source, nothing is imported.
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
