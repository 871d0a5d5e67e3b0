# Needs Python 3.11 or newer and make; no root, no Docker, no running server.
PYTHON ?= python3
VENV ?= .venv
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check --quiet
RUN = $(VENV)/bin/python
PYTEST_ARGS ?= -n auto
BENCHMARKS = $(filter-out __init__ harness,$(basename $(notdir $(wildcard benchmarks/*.py))))

.DEFAULT_GOAL := help
.PHONY: help demo up test lint bench services-test clean

help: ## Show this help
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 24

demo: $(VENV)/requirements-embedded.txt.stamp ## Play the whole story on made-up data and serve it until Ctrl-C
	@exec $(RUN) manage.py demo

up: $(VENV)/requirements-embedded.txt.stamp ## Serve web, worker and beat until Ctrl-C
	@exec $(RUN) manage.py up

test: $(VENV)/requirements-dev.txt.stamp ## Run the tests on the embedded PostgreSQL
	$(RUN) -m pytest -m "not services" $(PYTEST_ARGS)

# One after the other: they share one broker and one cache, and the last one restarts the database.
services-test: $(VENV)/requirements-dev.txt.stamp ## Run the concurrency, broker, lock and chaos tests on the servers of SCRM_*_URL
	@test -n "$$SCRM_DATABASE_URL" && test -n "$$SCRM_BROKER_URL" && test -n "$$SCRM_CACHE_URL" || { \
		echo "error: set SCRM_DATABASE_URL, SCRM_BROKER_URL and SCRM_CACHE_URL to running servers." >&2; exit 1; }
	@export SCRM_RESTART_DATABASE="$${SCRM_RESTART_DATABASE-$$(.ci/restart-command)}"; \
		exec $(RUN) -m pytest -m "services or concurrency" -n 0

lint: $(VENV)/requirements-dev.txt.stamp ## Check style, types, the direction of imports and migrations
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy .
	$(VENV)/bin/lint-imports
	$(RUN) manage.py makemigrations --check --dry-run
	$(RUN) manage.py check

bench: $(VENV)/requirements-dev.txt.stamp ## Run the benchmarks
	@for name in $(BENCHMARKS); do $(RUN) -m benchmarks.$$name || exit 1; done

clean: ## Remove the virtual environment and caches; the data in .scrm/ stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: Python 3.11 or newer is needed; name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "error: no virtual environment could be made; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/requirements-embedded.txt.stamp: requirements.txt requirements-embedded.txt | $(VENV)/bin/python
	@echo "installing requirements-embedded.txt ..."
	@$(PIP) install -r requirements-embedded.txt
	@touch $@

$(VENV)/requirements-dev.txt.stamp: requirements-dev.txt $(VENV)/requirements-embedded.txt.stamp
	@echo "installing requirements-dev.txt ..."
	@$(PIP) install -r requirements-dev.txt
	@touch $@
