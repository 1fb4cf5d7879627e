# `make help` lists the commands. Nothing is written outside this folder and LAKE.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test bench guard sample fetch-online-retail ui up land down destroy lock format clean

DATA ?=
AS_OF ?=
LAKE ?=
PARAMS ?=
QUICK ?=
OUT ?= data/online-retail
export DATA AS_OF LAKE PARAMS OUT

# One place for what Airflow and Spark need to know of this machine. Values, not paths in a recipe:
# the folder's name may have a space in it.
export AIRFLOW_HOME := $(CURDIR)/.airflow
export AIRFLOW__CORE__DAGS_FOLDER := $(CURDIR)/dags
export AIRFLOW__CORE__PLUGINS_FOLDER := $(CURDIR)/plugins
export AIRFLOW__CORE__LOAD_EXAMPLES := False
export AIRFLOW__API__HOST := 127.0.0.1
# How long the scheduler rests when it has nothing to do, which is what a task waits after the one
# before it: with Airflow's 1 second 0.7 s on average.
export AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME := 0.1
# Tasks at once, each a driver with all cores and SPARK_DRIVER_MEMORY; Airflow's own number is 32.
export AIRFLOW__CORE__PARALLELISM ?= 2
export PYTHONPATH := $(CURDIR)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export TMPDIR := $(CURDIR)/.cache/tmp
export SPARK_HOME := $(CURDIR)/.cache/spark
# Empty: Java's class-data archive allows no directory with files in it on the class path, and Spark
# puts this one there. What would stand in it is in SPARK_SUBMIT_OPTS.
export SPARK_CONF_DIR := $(CURDIR)/.cache/spark-conf
export SPARK_LOCAL_DIRS := $(CURDIR)/.cache/tmp
export SPARK_LOCAL_IP := 127.0.0.1
export SPARK_DRIVER_MEMORY ?= 2g
SPARK_JAVA := -XX:-UsePerfData "-Djava.io.tmpdir=$(TMPDIR)" \
	"-Dlog4j2.configurationFile=$(CURDIR)/include/spark/log4j2.properties" -Dspark.log.level=WARN \
	-Dspark.ui.enabled=false -Dspark.driver.host=127.0.0.1 -Dspark.driver.bindAddress=127.0.0.1 \
	"-Dspark.pyspark.driver.python=$(CURDIR)/include/spark/driver_python" \
	"-XX:SharedArchiveFile=$(CURDIR)/.cache/spark.jsa" -Xlog:cds=off -Xlog:cds+dynamic=off
# Classes come ready-made from the archive. A job on a small shop is over before Java's thorough compiler
# pays; one with much to do has that compiler for what is run very often (ten times Java's own thresholds:
# else a quarter of the work is compiling), of any size (Java interprets methods above 8000 bytes, which
# Spark may generate), and a collector with a thread for each core.
export SPARK_LAUNCHER_OPTS := -XX:-UsePerfData -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
export SPARK_SUBMIT_OPTS := $(SPARK_JAVA) -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
export RFM_LONG_JOB_OPTS := $(SPARK_JAVA) -XX:+UseParallelGC -XX:Tier4InvocationThreshold=50000 \
	-XX:Tier4MinInvocationThreshold=6000 -XX:Tier4CompileThreshold=150000 -XX:-DontCompileHugeMethods
# Where jobs run. A company sets its cluster's connection in Airflow instead.
export AIRFLOW_CONN_SPARK_DEFAULT ?= {"conn_type": "spark", "host": "local[*]"}

COMPILE := .venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

run: .venv/.ready data/.sample-ready  ## run the DAG once: [DATA=folder] [AS_OF=date] [LAKE=folder] [PARAMS=json]
	@AIRFLOW_HOME="$$AIRFLOW_HOME/run" .venv/bin/python -m include.commands.run --sample data/sample --as-of "$$AS_OF" \
		--params "$$PARAMS" $${DATA:+--data "$$DATA"} $${LAKE:+--lake "$$LAKE"}

test: .venv/.ready  ## lint, types and all tests
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/pytest

bench: .cache/bench-venv/.ready data/.sample-ready  ## compare with other ways: an hour and more; [QUICK=1] in ten minutes
	@.venv/bin/python -m tests.benchmarks.bench $(if $(QUICK),--quick)

guard: .cache/bench-venv/.ready data/.sample-ready  ## two ratios of the performance, for CI
	@.venv/bin/python -m tests.benchmarks.guard

sample: data/.sample-ready  ## the built-in sample shop as CSV files in data/sample

data/.sample-ready: include/commands/sample.py | .venv/.ready
	@rm -rf data/sample
	@.venv/bin/python -m include.commands.sample data/sample && touch $@

fetch-online-retail: .venv/.ready  ## the public Online Retail data as daily CSV files in OUT
	@.venv/bin/python -m include.commands.fetch_online_retail "$$OUT"

ui: .venv/.ready  ## Airflow with its UI on http://127.0.0.1:8080, until Ctrl-C [LAKE=folder]
	@include/local/ui.sh "$${LAKE:-lakes/sample}"

up:  ## the whole system in Docker: Airflow, a Spark cluster, a warehouse
	@include/compose/up

land:  ## copy CSV files into the lake of `make up`: DATA=folder
	@include/compose/land "$$DATA"

down:  ## stop what `make up` started; the data stay
	@. include/compose/command && "$${compose[@]}" --profile notebook down

destroy:  ## remove what `make up` started, with all its data and secrets; asks first
	@include/compose/destroy

lock: .venv/.ready  ## compile the lock files from pyproject.toml
	$(COMPILE) --group test -o requirements.lock pyproject.toml
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

.venv/.ready: requirements.lock include/local/setup.sh
	@bash include/local/setup.sh

clean:  ## remove what was set up here; lakes and data stay
	rm -rf .venv .airflow .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
