#!/usr/bin/env bash
# `make ui`: runs Airflow standalone on a lake until Ctrl-C or SIGTERM, and then ends all its processes.
# Without this script Airflow leaves some of them running, or waits forever for idle workers.
lake=$(.venv/bin/python -c 'import os, sys; print(os.path.abspath(sys.argv[1]))' "$1")
printf 'make ui: lake %s\n' "$lake" >&2
set -m # a process group for Airflow
RFM_LAKE=$lake .venv/bin/airflow standalone &
airflow=$!
stop() {
  trap - INT TERM
  echo 'make ui: stopping'
  kill -TERM -- -$airflow
  for _ in {1..20}; do
    kill -0 -- -$airflow || exit 130
    sleep 0.5
  done
  kill -KILL -- -$airflow
  exit 130
} 2>/dev/null
trap stop INT TERM
wait $airflow
