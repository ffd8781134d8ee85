# From a fresh clone: `make run` serves, `make check` proves.  Needs git, make and
# Python 3.10 or later with its venv module; everything else comes into .venv.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: run check lint types test docs screenshots dist-check check-oldest bench plot docs-lab clean

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8081
# More options for twistd: make run ARGS="--echo-port 0"
ARGS ?=

BIN := $(VENV)/bin
# -b: a comparison of bytes with str, or str() of bytes, is told.  Not -bb, which raises: Twisted's unix.py does it.
TRIAL := $(BIN)/python -b -m twisted.trial

run: $(VENV)/run.stamp
	@exec $(BIN)/twistd -n ktcp --port $(PORT) $(ARGS)

# Everything CI holds a change to, cheapest first; the first step that fails ends it.
check: lint types docs test

lint: $(VENV)/check.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	@$(BIN)/towncrier build --draft --version 0 >$(VENV)/news.txt 2>&1 || { cat $(VENV)/news.txt >&2; exit 1; }

types: $(VENV)/check.stamp
	$(BIN)/mypy

docs: $(VENV)/check.stamp
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

# The pictures in docs/images, by the Chromium of this machine.
screenshots: $(VENV)/check.stamp
	$(BIN)/python docs/screenshots.py

# Once in the order of names and once shuffled: a test that leans on another fails in one of the two.
# On all processors: the tests wait for children and clients most of the time.
# The closing lines are those of the second run, or of the one that failed.
test: $(VENV)/check.stamp
	@status=0; \
	for order in "" --random=0; do \
	  $(TRIAL) --jobs $$(nproc) $$order ktcp bench.macro.test_compare bench.macro.test_attack bench.macro.test_operate 2>&1 | tee $(VENV)/trial.log || { status=$$?; break; }; \
	done; \
	awk -f .ci/summary.awk $(VENV)/trial.log; exit $$status

# The wheel and the sdist, each installed in an empty venv away from this checkout.
dist-check: $(VENV)/check.stamp
	$(BIN)/python .ci/distcheck.py

# The suite with the oldest Twisted and h11 that setup.py admits.
check-oldest:
	$(PYTHON) -m venv --clear $(VENV)-oldest
	$(VENV)-oldest/bin/pip install --quiet --editable '.[test]' twisted==24.7.0 h11==0.16.0
	$(VENV)-oldest/bin/python -m twisted.trial ktcp

# Beside other servers, in an environment of its own; see bench/README.md.
bench:
	PYTHON=$(PYTHON) bench/install
	@name=bench/results/$$(date +%F)-$$(git rev-parse --short HEAD); \
	bench/macro/compare --json $$name.json --png $$name.png $(ARGS); \
	echo "into README.md: python3 -m bench.macro.readme $$name.json"

# kecho's picture, and throughput against concurrency, into docs/images; under four minutes.
plot:
	PYTHON=$(PYTHON) bench/install
	PYTHONPATH=. .venv-bench/bin/python -m bench.macro.plot docs/images $(ARGS)

# The traces in docs/, as root where tracefs is mounted; each has the command it came of.
# Those of docs/images are from `make screenshots` and `make plot`.
docs-lab: $(VENV)/check.stamp
	$(BIN)/ktcp trace run > docs/explain/one-connection.txt
	$(BIN)/ktcp trace run --http > docs/explain/one-request.txt

clean:
	rm -rf $(VENV) $(VENV)-oldest .venv-bench build dist *.egg-info docs/_build _trial_temp* .mypy_cache .ruff_cache .import_linter_cache
	rm -f twisted/plugins/dropin.cache twistd.pid
	find . -name __pycache__ -prune -exec rm -rf {} +

# twistd finds plugins through dropin.cache; asking once writes it while the files are ours to write.
$(VENV)/run.stamp: setup.py pyproject.toml | $(VENV)
	$(BIN)/pip install --quiet --editable .
	$(BIN)/python -c 'from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))'
	@touch $@

$(VENV)/check.stamp: $(VENV)/run.stamp
	$(BIN)/pip install --quiet --editable '.[test,docs]'
	@touch $@

# Debian ships venv without the part that it needs, and says so in a dozen lines.
$(VENV):
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 10)' 2>/dev/null || \
	  { echo "$(PYTHON) is missing or older than 3.10; name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) has no venv module; on Debian: sudo apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $@
