# The environment of Airflow and Spark on this machine; the Makefile includes it. Everything is in variables
# and not in recipes, as the path of this folder may contain a space.

export PYTHONPATH := $(CURDIR)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export TMPDIR := $(CURDIR)/.cache/tmp

# -- Airflow
export AIRFLOW_HOME := $(CURDIR)/.airflow
export AIRFLOW__CORE__DAGS_FOLDER := $(CURDIR)/dags
export AIRFLOW__CORE__PLUGINS_FOLDER := $(CURDIR)/plugins
export AIRFLOW__CORE__LOAD_EXAMPLES := False
export AIRFLOW__API__HOST := 127.0.0.1
# The pause of an idle scheduler in seconds. A task waits for it after the task before: 0.7 s on average
# with Airflow's default of 1 s.
export AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME := 0.1
# Concurrent tasks. Each is a driver with all cores and SPARK_DRIVER_MEMORY; Airflow's default is 32.
export AIRFLOW__CORE__PARALLELISM ?= 2
# Where jobs run. A deployment sets its cluster's connection in Airflow instead.
export AIRFLOW_CONN_SPARK_DEFAULT ?= {"conn_type": "spark", "host": "local[*]"}

# -- Spark
export SPARK_HOME := $(CURDIR)/.cache/spark
# An empty folder. Spark puts it on the class path, where the class-data archive allows no folder with files
# in it. Its settings are in SPARK_SUBMIT_OPTS instead.
export SPARK_CONF_DIR := $(CURDIR)/.cache/spark-conf
export SPARK_LOCAL_DIRS := $(CURDIR)/.cache/tmp
export SPARK_LOCAL_IP := 127.0.0.1
export SPARK_DRIVER_MEMORY ?= 2g

# -- Java
JAVA_OPTIONS := include/spark/java_options
SHORT_JOB := $(shell $(JAVA_OPTIONS) short_job)
LONG_JOB := $(shell $(JAVA_OPTIONS) long_job)
EVERY_JOB := -XX:-UsePerfData "-Djava.io.tmpdir=$(TMPDIR)" \
	"-Dlog4j2.configurationFile=$(CURDIR)/include/spark/log4j2.properties" -Dspark.log.level=WARN \
	-Dspark.ui.enabled=false -Dspark.driver.host=127.0.0.1 -Dspark.driver.bindAddress=127.0.0.1 \
	"-Dspark.pyspark.driver.python=$(CURDIR)/include/spark/driver_python" \
	$(shell $(JAVA_OPTIONS) class_archive "$(CURDIR)/.cache/spark.jsa")
export SPARK_LAUNCHER_OPTS := -XX:-UsePerfData $(SHORT_JOB)
export SPARK_SUBMIT_OPTS := $(EVERY_JOB) $(SHORT_JOB)
# The operator takes these instead for a job with much to read: see include/orchestration/job_size.py.
export RFM_LONG_JOB_OPTS := $(EVERY_JOB) $(LONG_JOB)
