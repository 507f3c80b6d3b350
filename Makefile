# `make help` lists the verbs. Needs Python 3.11 or newer and make, nothing else.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet --quiet
# The first Python that is new enough and can make virtual environments.
FIND_PYTHON := for python in $(PYTHON) python3.11 python3.12 python3.13 python3 python /usr/bin/python3; do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$python"; break; }; done
unexport PYTHONDONTWRITEBYTECODE # a process that compiles all of us anew takes a fifth longer to start
TEST_WORKERS ?= 4
TEST_ARGS ?=
BENCH_ARGS ?=
FLOOD_ARGS ?=
CHAOS_ARGS ?=
SOAK_ARGS ?=

.PHONY: help run test check format-check lint types contracts sizes format bench bench-quick bench-large bench-profile performance bench-slow-gateway chaos chaos-kill soak proof restore-drill trace flood lock clean

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.stamp-run ## Start everything: database, service, workers, stand-in peers (http://127.0.0.1:8086)
	@$(BIN)/eci-payments demo

test: $(VENV)/.stamp-dev ## Run the tests (TEST_ARGS="-k word" for some of them)
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(TEST_ARGS)

check: format-check lint types contracts sizes ## All that CI runs: format, lint, types, import contracts, sizes, tests
	@$(MAKE) --no-print-directory test

format-check: $(VENV)/.stamp-dev
	$(BIN)/ruff format --check .

lint: $(VENV)/.stamp-dev
	$(BIN)/ruff check .

types: $(VENV)/.stamp-dev
	$(BIN)/mypy

contracts: $(VENV)/.stamp-dev
	$(BIN)/lint-imports --no-logo

sizes: $(VENV)/.stamp-dev
	$(BIN)/python tools/size_ratchet.py

format: $(VENV)/.stamp-dev ## Format the code and mend what the linter can mend by itself
	$(BIN)/ruff check --fix --exit-zero --quiet .
	$(BIN)/ruff format .

bench: $(VENV)/.stamp-dev ## Measure everything against PostgreSQL alone, targets beside results (BENCH_ARGS="--only replays")
	@PYTHONPATH=tools $(BIN)/python -m bench $(BENCH_ARGS)

bench-quick: $(VENV)/.stamp-dev ## Measure its first two rows within a minute (BENCH_ARGS)
	@PYTHONPATH=tools $(BIN)/python -m bench --quick --json .data/bench-quick.json $(BENCH_ARGS)

bench-large: $(VENV)/.stamp-dev ## Measure charges and reads with 10 million payments beside 10 thousand (BENCH_ARGS="--payments 1000000")
	@PYTHONPATH=tools $(BIN)/python -m bench.large $(BENCH_ARGS)

bench-profile: $(VENV)/.stamp-dev ## Show where the microseconds of a charge go (BENCH_ARGS)
	@PYTHONPATH=tools $(BIN)/python -m bench.profile $(BENCH_ARGS)

performance: $(VENV)/.stamp-dev ## Write the tables and plots of docs/performance.md anew from the numbers beside it
	@PYTHONPATH=tools $(BIN)/python -m bench.document

bench-slow-gateway: $(VENV)/.stamp-dev ## Measure what one gateway keeps of its charges/s while another takes 5 s (BENCH_ARGS)
	@PYTHONPATH=tools $(BIN)/python -m bench.slow_gateway $(BENCH_ARGS)

flood: $(VENV)/.stamp-dev ## Measure what one key suffers while another sends five times its limit (FLOOD_ARGS)
	@PYTHONPATH=tools $(BIN)/python -m bench.flood $(FLOOD_ARGS)

chaos-kill: $(VENV)/.stamp-dev ## Kill serve and work 50 times under load (make test does it 4 times; CHAOS_KILLS, CHAOS_SEED)
	CHAOS_KILLS=$${CHAOS_KILLS:-50} $(BIN)/python -m pytest -s tests/chaos/test_kill.py

chaos: $(VENV)/.stamp-dev ## Outages of real parts under load, each with an audit; one table at the end (CHAOS_ARGS="--seed 7")
	PYTHONPATH=tools $(BIN)/python -m chaos $(CHAOS_ARGS)

soak: $(VENV)/.stamp-dev ## Half the maximum rate for 15 minutes (SOAK_MINUTES): nothing grows, the books are right
	@PYTHONPATH=tools $(BIN)/python -m soak --minutes $${SOAK_MINUTES:-15} $(SOAK_ARGS)

restore-drill: $(VENV)/.stamp-dev ## Restore from a dump, and from a base backup and archive to a moment; recover and verify
	RESTORE_DRILL=on $(BIN)/python -m pytest tests/deploy/test_restore_drill.py tests/deploy/test_point_in_time.py

trace: $(VENV)/.stamp-dev ## Draw the trace of one charge, from a real run, into docs/tracing.md
	@PYTHONPATH=tools $(BIN)/python -m tracing

proof: $(VENV)/.stamp-dev ## Try to lose or double money by every means; end with one table of what was found (PROOF_ARGS)
	PYTHONPATH=tools $(BIN)/python -m proof $(PROOF_ARGS)

lock: ## Choose versions anew: writes requirements*.lock from pyproject.toml (needs uv on the PATH)
	tools/lock.sh

clean: ## Remove the environment and caches; data in ./.data stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist

$(BIN)/python:
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
		echo "Python 3.11 or newer with venv is needed and was not found: install it, or name it with make PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	fi; \
	echo "Making $(VENV) with $$python"; \
	"$$python" -m venv --clear $(VENV)

# What runs the service; the tools for working on it come with the second stamp.
$(VENV)/.stamp-run: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing what the service runs on (once; a minute at most)"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.stamp-dev: requirements-dev.lock $(VENV)/.stamp-run
	@echo "Installing the tools for tests and checks (once)"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

# ---- The image, deployment and releases ----

# A script that ends with 3 has said what it lacks: that is a skip, not a failure.
OR_SKIP := || [ $$? -eq 3 ]

.PHONY: image image-test deploy-check render release

image: ## Build the image with docker, podman or buildah (IMAGE=name:tag)
	@tools/image.sh $(IMAGE)

image-test: ## Build the image without a registry and charge through it, unprivileged on a read-only root
	@tools/image_test.sh $(OR_SKIP)

deploy-check: $(VENV)/deploy/.stamp ## Check image file, Compose, manifests, rules with the strict tools that are here
	@tools/deploy_check.sh $(VENV)/deploy/bin

release: $(VENV)/.stamp-run $(VENV)/deploy/.stamp ## Make the wheel, its bill of materials (CycloneDX) and checksums in dist/
	@tools/release.sh $(VENV)/deploy/bin

render: ## Write k8s/ and the operator's rules anew from deploy/
	@tools/render.sh $(OR_SKIP)

# Tools of many dependencies, apart from all else. A machine that cannot have them skips what they do.
$(VENV)/deploy/.stamp: requirements-deploy.lock | $(BIN)/python
	@echo "Installing the tools for deployment checks (once)"
	@$(BIN)/python -m venv --clear $(VENV)/deploy
	@$(VENV)/deploy/bin/python -m pip --disable-pip-version-check --no-input --quiet --quiet \
		install --require-hashes -r requirements-deploy.lock && touch $@ || echo "they cannot be had here"
