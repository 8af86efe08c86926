# Everything a newcomer runs. Each target sets up what it needs in .venv and touches nothing else on the machine.
# Choose the interpreter with PYTHON=/path/to/python; hand options on with ARGS='...'.

VENV := .venv/bin
ARGS ?=
# Each worker starts servers of its own, so four are plenty. PARALLEL= runs the tests in one process.
PARALLEL ?= -n auto --maxprocesses 4 --dist worksteal
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup setup-docs setup-test demo test test-all test-security test-faults dev stop lint bench docs audit sbom requirements deploy-synth clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## make .venv with what running needs
	@requirements/install runtime

setup-docs:
	@requirements/install docs

setup-test:  ## make .venv with what the tests need as well
	@requirements/install test

demo: setup  ## the whole loop on this machine, from files to recommendations (ARGS='--data ml-latest-small')
	@$(VENV)/cinematch demo $(ARGS)

test: setup-test  ## tests, types, style and import rules (ARGS='-k drift')
	@$(VENV)/python -m pytest -m "not slow" $(PARALLEL) $(ARGS)

test-all: setup-test  ## the same, with the tests that take minutes
	@$(VENV)/python -m pytest --hypothesis-profile=default $(PARALLEL) $(ARGS)

test-security: setup-test  ## the attacks that have to fail, a line for each (docs/security.md); the other targets run them too
	@$(VENV)/python -m pytest -m security -v $(PARALLEL) $(ARGS)

test-faults: setup-test  ## break the platform for hours, and write docs/guarantees.md (ARGS='-k kills' for a part)
	@$(VENV)/python -m pytest -m faults -p cinematch_assets_tests.support.fault_records $(ARGS)

dev: setup  ## Dagster's UI and daemon on this machine (ARGS='--port 3001')
	@$(VENV)/cinematch dev $(ARGS)

stop: setup  ## stop `make dev`, or clean up after one that was killed
	@$(VENV)/cinematch stop

lint: setup-test  ## style, types and import rules alone
	@$(VENV)/ruff check
	@$(VENV)/ruff format --check
	@$(VENV)/mypy
	@$(VENV)/lint-imports

bench: setup-test  ## the tables of benchmarks/, side by side with peers
	@$(VENV)/python -m benchmarks $(ARGS)

docs: setup-docs  ## the pages as a site in build/site, with a search that needs no server (ARGS=--serve shows it on port 8000)
	@$(VENV)/python -m docs.site $(ARGS)

audit: setup  ## look the pinned packages up in the list of known vulnerabilities; needs a network
	@$(VENV)/python requirements/audit.py

sbom: setup-docs  ## the bill of materials of what is installed, CycloneDX with hashes and licences, in build/
	@$(VENV)/python -m docs.sbom

requirements: setup  ## pin again, from pyproject.toml (ARGS='--upgrade-package pandas')
	@requirements/pin $(ARGS)

deploy-synth:  ## the AWS stack's template, with cdk-nag and cfn-lint; no account (ARGS='{"drive": "gdrive:ID"}')
	@deploy/aws/synth '$(ARGS)'

clean:  ## remove .venv, build and caches; .cinematch, which holds data, stays
	rm -rf .venv build .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find cinematch_assets cinematch_assets_tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
