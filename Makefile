# From a fresh clone: `make run` serves, `make check` proves.  Needs git, make and
# Python 3.10 or later with its venv module; everything else comes into .venv.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.PHONY: run check lint types test docs screenshots dist-check check-oldest check-trunk bench plot docs-lab clean

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8081
# More options for twistd: make run ARGS="--echo-port 0"
ARGS ?=

BIN := $(VENV)/bin
# -b: a comparison of bytes with str, or str() of bytes, is told.  Not -bb, which raises: Twisted's unix.py does it.
TRIAL := $(BIN)/python -b -m twisted.trial
# Shuffled, by a seed that is printed: make test ORDER=--random=SEED is that order again, make test ORDER= that of names.
ORDER ?= --random=0
SUITE := ktcp bench.macro.test_compare bench.macro.test_attack bench.macro.test_operate
# As many as there are processors, unless make was told how many.
JOBS = $(if $(findstring --jobserver,$(MAKEFLAGS)),,--jobs=$(shell nproc)) --output-sync=target

run: $(VENV)/run.stamp
	@exec $(BIN)/twistd -n ktcp --port $(PORT) $(ARGS)

# Everything that a change is held to.  Nothing runs beside the tests, some of which watch the clock.
check:
	@$(MAKE) $(JOBS) lint types docs
	@$(MAKE) test

# What is after a rule that is set aside is the reason why.
lint: $(VENV)/check.stamp
	$(BIN)/ruff check .
	@! grep -rnE --include='*.py' '(type: ignore|noqa)(\[[^]]*\]|: [A-Z0-9, ]+)?[[:space:]]*$$' \
	  ktcp twisted bench docs .ci setup.py || { echo "each needs its reason beside it" >&2; exit 1; }
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

# On all processors: the tests wait for children and clients most of the time.
test: $(VENV)/check.stamp
	@status=0; \
	$(TRIAL) --jobs $$(nproc) $(ORDER) $(SUITE) 2>&1 | tee $(VENV)/trial.log || status=$$?; \
	awk -f .ci/summary.awk $(VENV)/trial.log; exit $$status

# The wheel and the sdist, each installed in an empty venv away from this checkout.
dist-check: $(VENV)/check.stamp
	$(BIN)/python .ci/distcheck.py

# The suite with the oldest that setup.py admits, and with what is to be the next Twisted and h11.
# Of pyOpenSSL too: with one of 2026, Twisted 24.7 itself ends each connection to an ssl: endpoint with ALPN.
check-oldest: OTHERS := twisted==24.7.0 h11==0.16.0 pyopenssl==24.2.1 service-identity==24.1.0
check-trunk: OTHERS := https://github.com/twisted/twisted/archive/trunk.zip https://github.com/python-hyper/h11/archive/master.zip
check-oldest check-trunk:
	$(PYTHON) -m venv --clear $(VENV)-others
	$(VENV)-others/bin/pip install --quiet $(OTHERS)
	@$(MAKE) test VENV=$(VENV)-others

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
	rm -rf $(VENV) $(VENV)-others .venv-bench build dist *.egg-info docs/_build _trial_temp* .mypy_cache .ruff_cache .import_linter_cache
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
