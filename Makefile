# Two commands matter: `make run` and `make test`. Both need nothing but Python 3.11 or newer.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?=
VENV   := .megatron/venv
BIN    := $(VENV)/bin
WITH   := $(BIN)/python -m megatron.embedded with
OWN    := $(BIN)/python -m tests.lanes.none $(WITH)
ARGS   ?=
PLANS  ?= 100
MINUTES ?= 5
RATE   ?= 330
EXAMPLES ?= 200
ROWS   ?= 10000000

# Compiled code is kept, but not in the checkout: without it each process compiles Django and everything else anew, for seconds.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/.megatron/pycache

# The first Python that is new enough; make's own Python (PYTHON=…) comes first.
define find_python
for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
    if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; python=; \
done; \
if [ -z "$$python" ]; then \
    echo "Megatron needs Python 3.11 or newer: install python3, or say which one with make PYTHON=/path/to/python3." >&2; exit 1; \
fi
endef
define install
@$(find_python); "$$python" -I megatron/embedded/environment.py
endef

# Only the files where a mark stands are read; a path in ARGS comes first.
marked = -m $(1) -o "testpaths=$$(grep -rlE 'mark\.$(1)\b' tests --include='test_*.py' | tr '\n' ' ')"

.PHONY: help run test slow check bench growth faults soak browser bench-community lane-community lane-community-all hundred-days lane-server lane-apache hosts services-up services-down manage lock protocols clean-data api-document api-trial environment environment-dev

help: ## Print this help
	@echo "Megatron: make TARGET"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 20

run: environment ## Start everything and print the console's address; Ctrl-C stops it (PORT=, BIND=)
	@exec $(BIN)/python -m megatron.embedded run --with-parent

test: environment-dev ## Run the test suite on real databases, one a core and four at most (ARGS="-n0 -k candles" for a part)
	@exec $(OWN) $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal -m "not browser and not slow" --ignore=tests/community $(ARGS)

slow: environment-dev ## Run what takes its time: backup and restore, one plan of faults after another, every benchmark's smallest form
	@exec $(OWN) $(BIN)/python -m pytest $(call marked,slow) $(ARGS)

check: environment-dev ## Run every machine-checked rule: style, types, architecture, migrations, deployment, API schema
	@.ci/checks $(BIN)

bench: environment-dev ## Measure, and write the numbers into benchmarks/results/
	@exec $(WITH) $(BIN)/python -m benchmarks $(ARGS)

growth: environment-dev ## Grow a database of its own as live traffic does and measure it (ROWS=10000000; resumable; ARGS=--drop)
	@exec $(WITH) $(BIN)/python -m benchmarks.growth --rows $(ROWS) $(ARGS)

bench-community: environment-dev ## Measure compression and chunks on a real TimescaleDB (needs node and npm)
	@exec tests/lanes/community $(WITH) $(BIN)/python -m benchmarks compression chunks

faults: environment-dev ## Live through planned faults: the rows must be those of a run without (PLANS=1000, ARGS="--first 7")
	@exec $(WITH) $(BIN)/python -m tests.faults --plans $(PLANS) $(ARGS)

soak: environment-dev ## Let the whole house live on a stand-in for the chain (MINUTES=10, RATE=330, ARGS=--kill)
	@exec $(BIN)/python -m tests.soak --minutes $(MINUTES) --rate $(RATE) $(ARGS)

browser: environment-dev ## Run the tests that look at the console with a headless Chromium
	@exec $(OWN) $(BIN)/python -m pytest -n logical --maxprocesses 2 $(call marked,browser) $(ARGS)

lane-community: environment-dev ## Run the TimescaleDB tests on a real one, and all that writes a hypertable (needs node and npm; make test first)
	@exec tests/lanes/community $(WITH) $(BIN)/python -m pytest -m community --hypertables writes $(ARGS)

lane-community-all: environment-dev ## Run there every test that touches a hypertable, as far as one session can
	@exec tests/lanes/community $(WITH) $(BIN)/python -m pytest -m community --hypertables all $(ARGS)

hundred-days: environment-dev ## Live there through a hundred days, with every policy, and compare with plain recomputation
	@exec tests/lanes/community $(WITH) $(BIN)/python -m pytest $(call marked,hundred_days) $(ARGS)

lane-server: environment-dev ## Run what needs several sessions on the TimescaleDB community server that DATABASE_URL names
	@test -n "$$DATABASE_URL" || { echo "Say which server: DATABASE_URL=postgresql://… make lane-server" >&2; exit 2; }
	@exec $(WITH) $(BIN)/python -m pytest -m server --hypertables server --ignore=tests/platform $(ARGS)

# What needs hypertables with COPY and several sessions; ARGS="tests --ignore=tests/community --ignore=tests/platform" is all.
IN_APACHE := $(addprefix tests/tokens/,services sql models selectors) \
    $(patsubst %,tests/tokens/commands/test_%.py,backfill backfill_prices export import_sol_usd rebuild_candles replay) \
    $(addprefix tests/holders/,sql $(patsubst %,services/test_%.py,agenda balances quality snapshots)) \
    $(addprefix tests/scoring/,models selectors/test_hot.py $(patsubst %,services/test_%.py,cleaning holder selloffs social technical totals)) \
    $(addprefix tests/core/,timescale test_queue.py test_locks.py) \
    $(addprefix tests/architecture/,test_constraints.py test_schema_catalogue.py)
lane-apache: environment-dev ## Run what needs a real TimescaleDB with several processes on one (as root, with debootstrap; ARGS= for more)
	@exec tests/lanes/apache $(WITH) $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal -m "not browser and not slow" $(if $(ARGS),$(ARGS),$(IN_APACHE))

hosts: environment-dev ## Share the work among three hosts in network namespaces and cut one off (as root)
	@exec $(WITH) $(BIN)/python -m tests.hosts $(ARGS)

services-up: environment ## Start the embedded PostgreSQL and Valkey and leave them up
	@exec $(BIN)/python -m megatron.embedded up

services-down: environment ## Stop the embedded services as soon as nobody uses them
	@exec $(BIN)/python -m megatron.embedded down

manage: ## Run a management command: make manage ARGS="replay tokens/fixtures/demo" (./manage hands on its exit code)
	@exec ./manage $(ARGS)

lock: environment-dev ## Resolve the dependencies anew and write both lock files
	@.ci/lock

api-trial: environment-dev ## Ask every address of the API what its schema allows and what it does not (EXAMPLES=500)
	@EXAMPLES=$(EXAMPLES) exec $(WITH) $(BIN)/python -m pytest -n logical --maxprocesses 4 tests/api/test_schema.py $(ARGS)

api-document: environment-dev ## Write the table of addresses in docs/api.md from the OpenAPI document
	@exec $(WITH) $(BIN)/python manage.py document_api

protocols: environment-dev ## Write the Python of megatron/clients/protocols/*.proto
	@$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. megatron/clients/protocols/*.proto

clean-data: environment ## Remove the embedded database and everything in it, after asking
	@exec $(BIN)/python -m megatron.embedded clean-data

environment:
	$(install) requirements.lock

environment-dev: environment
	$(install) requirements-dev.lock
