#!/usr/bin/env bash
# Sets up Java 17 or 21, Python 3.11 or 3.12 with venv, .venv from requirements.lock, and Spark in .cache.
# Java and Python are installed only where they are missing, and only as root on Debian or Ubuntu.
set -euo pipefail
say() { printf 'setup: %s\n' "$*" >&2; }
refuse() { say "$*"; exit 2; }
mkdir -p .cache/tmp
PATH=${PATH//"$PWD/.venv/bin:"/} # .venv is about to be replaced, so its Python must not be found

java_fits() { # Spark 4 needs 17 or 21, and a module that trimmed runtimes lack
  "${JAVA_HOME:+$JAVA_HOME/bin/}java" -XX:-UsePerfData --list-modules 2>/dev/null | grep -q '^jdk\.incubator\.vector@\(17\|21\)'
}
python_fits() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null
}
find_python() {
  local name
  for name in ${PYTHON:-} python3.11 python3.12 python3; do
    python_fits "$name" && { command -v "$name"; return; }
  done
  return 1
}
apt_install() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  say "installing $* with apt"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"; } \
    >.cache/apt.log 2>&1 || { tail -5 .cache/apt.log >&2; return 1; }
}

java_fits || { apt_install openjdk-17-jre-headless && java_fits; } ||
  refuse "no Java 17 or 21 found (complete, with jdk.incubator.vector). Install it: apt-get install openjdk-17-jre-headless"
python=$(find_python) || { apt_install python3 python3-venv && python=$(find_python); } ||
  refuse "no Python 3.11 or 3.12 with venv found. Install it: apt-get install python3 python3-venv"

say "virtual environment in .venv, with $("$python" --version)"
rm -rf .venv
"$python" -m venv .venv
# uv is in the same lock, with its hashes. It installs the other packages in half a minute.
awk '/^uv==/ {on=1} on {print} on && !/\\$/ {exit}' requirements.lock >.cache/uv.lock
.venv/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r .cache/uv.lock
# Bytecode is compiled now, as a machine that cannot store it would compile at every start of a job.
.venv/bin/uv pip install --no-cache --no-config --compile-bytecode --python .venv/bin/python \
  --require-hashes -r requirements.lock \
  >.cache/uv.log 2>&1 || { tail -20 .cache/uv.log >&2; refuse "the packages of requirements.lock could not be installed; see .cache/uv.log"; }
say "Spark in .cache/spark, with the class-data archive from which a job's JVM starts"
# Without MLlib: no job uses it, and with it every session would load Scala's reflection.
rm -rf .cache/spark
mkdir -p .cache/spark/jars .cache/spark-conf
pyspark=$(echo "$PWD"/.venv/lib/python3*/site-packages/pyspark)
ln -s "$pyspark/bin" "$pyspark/python" .cache/spark
ln -s "$pyspark"/jars/*.jar .cache/spark/jars
rm .cache/spark/jars/spark-mllib_*.jar
PATH="$PWD/.venv/bin:$PATH" .venv/bin/python include/spark/class_archive.py .cache/spark.jsa || true
touch .venv/.ready
say "ready"
