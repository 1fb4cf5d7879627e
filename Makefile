# `make help` lists the commands. Nothing is written outside this folder and LAKE.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run check test bench guard sample fetch-online-retail ui notebook vacuum up land down destroy lock format clean

DATA ?=
AS_OF ?=
LAKE ?=
PARAMS ?=
QUICK ?=
OUT ?= data/online-retail
PORT ?= 8080
BEFORE ?=
export DATA AS_OF LAKE PARAMS OUT PORT BEFORE

include include/local/environment.mk

COMPILE := .venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

run: .venv/.ready data/.sample-ready  ## run the DAG once: [DATA=folder] [AS_OF=date] [LAKE=folder] [PARAMS=json]
	@AIRFLOW_HOME="$$AIRFLOW_HOME/run" .venv/bin/python -m include.commands.run --sample data/sample --as-of "$$AS_OF" \
		--params "$$PARAMS" $${DATA:+--data "$$DATA"} $${LAKE:+--lake "$$LAKE"}

check: .venv/.ready data/.sample-ready  ## how exports would be read, in seconds: DATA=folder
	@.venv/bin/python -m include.commands.check "$${DATA:-data/sample}"

test: .venv/.ready .cache/notebook-venv/.ready  ## lint, types and all tests
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/pytest

bench: .cache/bench-venv/.ready data/.sample-ready  ## compare with other engines, in an hour or more; with QUICK=1 in ten minutes
	@.venv/bin/python -m tests.benchmarks.bench $(if $(QUICK),--quick)

guard: .cache/bench-venv/.ready data/.sample-ready  ## two performance ratios, for CI
	@.venv/bin/python -m tests.benchmarks.guard

sample: data/.sample-ready  ## the built-in sample shop as CSV files in data/sample

data/.sample-ready: include/commands/sample.py | .venv/.ready
	@rm -rf data/sample
	@.venv/bin/python -m include.commands.sample data/sample && touch $@

fetch-online-retail: .venv/.ready  ## the public Online Retail data as daily CSV files in OUT
	@.venv/bin/python -m include.commands.fetch_online_retail "$$OUT"

ui: .venv/.ready  ## Airflow with its UI on this machine, until Ctrl-C [LAKE=folder] [PORT=8080]
	@exec .venv/bin/python -m include.commands.ui "$${LAKE:-lakes/sample}" --home "$$AIRFLOW_HOME/ui" --port "$$PORT"

notebook: .cache/notebook-venv/.ready  ## JupyterLab with the notebooks on a lake, until Ctrl-C [LAKE=folder]
	@exec .venv/bin/python -m include.commands.notebook "$${LAKE:-lakes/sample}"

up:  ## the whole system in Docker: Airflow, a Spark cluster, a warehouse
	@include/compose/up

vacuum: .venv/.ready  ## remove old snapshots and unused caches, asks first: LAKE=folder [BEFORE=date]
	@.venv/bin/python -m include.commands.vacuum "$${LAKE:-lakes/sample}" --before "$$BEFORE"

land:  ## copy exports into the lake of `make up`: DATA=folder
	@include/compose/land "$$DATA"

down:  ## stop the system in Docker; its data stay
	@. include/compose/command && "$${compose[@]}" --profile notebook down

destroy:  ## remove the system in Docker with all its data and secrets; asks first
	@include/compose/destroy

lock: .venv/.ready  ## compile the lock files from pyproject.toml
	$(COMPILE) --group test --group local -o requirements.lock pyproject.toml
	$(COMPILE) --group notebook -c requirements.lock -o requirements-notebook.lock
	$(COMPILE) --group bench -c requirements.lock -o requirements-bench.lock

format: .venv/.ready  ## format the code
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

.cache/bench-venv/.ready: requirements-bench.lock | .venv/.ready
	@.venv/bin/python -m venv --clear $(@D)
	@.venv/bin/uv pip install --quiet --no-cache --no-config --compile-bytecode --python $(@D)/bin/python \
		--require-hashes -r $<
	@touch $@

# On top of .venv, whose packages it sees by a .pth file: Spark is there once, and `make run` waits for nobody's
# Jupyter.
.cache/notebook-venv/.ready: requirements-notebook.lock .venv/.ready
	@.venv/bin/python -m venv --clear --without-pip $(@D)
	@.venv/bin/uv pip install --quiet --no-cache --no-config --compile-bytecode --python $(@D)/bin/python \
		--require-hashes -r $<
	@.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		>"$$(echo $(@D)/lib/python3*/site-packages)/project.pth"
	@touch $@

.venv/.ready: requirements.lock include/local/setup.sh
	@bash include/local/setup.sh

clean:  ## remove the virtual environment and all caches; lakes and data stay
	rm -rf .venv .airflow .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
