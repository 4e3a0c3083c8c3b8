# Needs make, pip and Python 3.11 or newer; everything else goes into .venv* below.
PYTHON ?= python3
WORKERS ?= auto
ENGINE_CASES ?= required

# One environment per job, so that `make demo` stays quick and the lowest versions stay apart.
DEV := .venv
DEMO := .venv-demo
LOWEST := .venv-lowest
ENGINES := .venv-engines
PEERS := .venv-peers
UV := .venv-lock

PIP_FLAGS := --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check test-lowest test-engines docs bench coverage lock clean

help:
	@echo "make demo         install the package and run examples/scorecard.py"
	@echo "make test         all checks, then all tests and doctests"
	@echo "make check        format, lint, types, layers and docstrings only"
	@echo "make test-lowest  the tests with the lowest versions supported (Python 3.11)"
	@echo "make test-engines the tests that need Spark or Dask; finds or installs Java;"
	@echo "                  ENGINE_CASES=all gives Spark every case of the long lists"
	@echo "make docs         build the site into build/site, without the network"
	@echo "make bench        measure speed and memory beside the peers, best on an idle machine;"
	@echo "                  BENCH_FLAGS=--quick is a trial of a minute, --help lists the rest"
	@echo "make coverage     compute how often the intervals hold the truth, into docs/methods.md"
	@echo "make lock         write requirements/*.lock again after pyproject.toml changed;"
	@echo "                  with UPGRADE=1 everything moves to its newest version"
	@echo "make clean        remove environments, caches and build products"
	@echo "PYTHON=python3.13 picks another Python; run make clean between two."

# $(call new_venv,directory): an empty environment, or a clear word about the Python found.
define new_venv
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("loyaltykit needs Python 3.11 or newer, but $(PYTHON) is %d.%d. Name another: make PYTHON=python3.11 ..." % v[:2])'
	@echo "Creating $(1)"
	@$(PYTHON) -m venv --clear $(1)
endef

# A stamp is younger than all it was made from, so nothing is installed twice.
$(DEV)/stamp: pyproject.toml requirements/dev.lock
	$(call new_venv,$(DEV))
	@$(DEV)/bin/python -m pip install $(PIP_FLAGS) --require-hashes -r requirements/dev.lock
	@$(DEV)/bin/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation -e .
	@touch $@

$(LOWEST)/stamp: pyproject.toml requirements/lowest.lock
	@$(PYTHON) -c 'import sys; sys.version_info[:2] == (3, 11) or sys.exit("The lowest versions have no wheels for later Pythons: make PYTHON=python3.11 test-lowest")'
	$(call new_venv,$(LOWEST))
	@$(LOWEST)/bin/python -m pip install $(PIP_FLAGS) --require-hashes -r requirements/lowest.lock
	@$(LOWEST)/bin/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation -e .
	@touch $@

# Without compiling ahead: most of Spark's Python is never imported.
$(ENGINES)/stamp: pyproject.toml requirements/engines.lock
	$(call new_venv,$(ENGINES))
	@$(ENGINES)/bin/python -m pip install $(PIP_FLAGS) --no-compile --require-hashes -r requirements/engines.lock
	@$(ENGINES)/bin/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation -e .
	@touch $@

# lifetimes and lifelines, which need an older pandas than the rest.
$(PEERS)/stamp: pyproject.toml requirements/peers.lock
	$(call new_venv,$(PEERS))
	@$(PEERS)/bin/python -m pip install $(PIP_FLAGS) --require-hashes -r requirements/peers.lock
	@$(PEERS)/bin/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation -e .
	@touch $@

# Nothing is compiled ahead here: the demo imports only part of it, and is up twice as fast.
$(DEMO)/stamp: pyproject.toml
	$(call new_venv,$(DEMO))
	@$(DEMO)/bin/python -m pip install $(PIP_FLAGS) --no-compile -e .
	@touch $@

$(UV)/stamp:
	$(call new_venv,$(UV))
	@$(UV)/bin/python -m pip install $(PIP_FLAGS) uv
	@touch $@

demo: $(DEMO)/stamp
	@$(DEMO)/bin/python examples/scorecard.py

test: check
	$(DEV)/bin/python -m pytest -n $(WORKERS)

check: $(DEV)/stamp
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports --no-logo
	$(DEV)/bin/numpydoc lint src/loyaltykit/*.py

test-lowest: $(LOWEST)/stamp
	$(LOWEST)/bin/python -m pytest -n $(WORKERS)

# In one process: every worker of pytest-xdist would start a Spark and a Dask of its own.
test-engines: $(ENGINES)/stamp
	java_home=$$(.ci/java) && JAVA_HOME=$$java_home LOYALTYKIT_ENGINES=$(ENGINE_CASES) \
		$(ENGINES)/bin/python -m pytest -n 0 -m engines tests

# The pictures are drawn to see that they can be; those that the pages show are in docs/pictures.
docs: $(DEV)/stamp
	$(DEV)/bin/python -W error docs/pictures.py --folder build/pictures
	$(DEV)/bin/python -m sphinx -b html -c docs -W -n --keep-going -q . build/site

bench: $(DEV)/stamp $(PEERS)/stamp
	$(DEV)/bin/python benchmarks/bench.py --peers-python $(PEERS)/bin/python $(BENCH_FLAGS)

coverage: $(DEV)/stamp
	$(DEV)/bin/python benchmarks/coverage_tables.py $(COVERAGE_FLAGS)

# The locks hold for Python 3.11 and newer on every platform, and name no package index.
COMPILE = $(UV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
TESTS = --extra duckdb --extra polars --extra pyarrow --group test

lock: $(UV)/stamp
	@$(COMPILE) $(TESTS) $(if $(UPGRADE),--upgrade) --group check --group bench \
		--output-file requirements/dev.lock pyproject.toml
	@$(COMPILE) $(TESTS) $(if $(UPGRADE),--upgrade) --extra dask --extra spark --group engines \
		--constraint requirements/dev.lock --output-file requirements/engines.lock pyproject.toml
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --group peers \
		--output-file requirements/peers.lock pyproject.toml
	@# --upgrade: or a pin of before would stay above a bound that was lowered.
	@$(COMPILE) $(TESTS) --upgrade --group lowest --resolution lowest-direct \
		--output-file requirements/lowest.lock pyproject.toml

clean:
	rm -rf .venv* .*_cache .hypothesis build dist docs/api
	find src tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} +
