# One image for every service except the databases, so that drivers and workers have the same Python, Spark
# and user. The target `notebook` is the image of JupyterLab.
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${BASE_IMAGE} AS base
# Slim images have no folder for man pages, without which the JRE's installation fails.
RUN mkdir -p /usr/share/man/man1 \
 && apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl openjdk-17-jre-headless python3 \
 && rm -rf /var/lib/apt/lists/*
# This user owns the files of the lake. It needs a name because Java exits for a user without one.
RUN useradd --uid 50000 --create-home --shell /usr/sbin/nologin rfm \
 && install -d -o rfm -g rfm /lake /events /opt/airflow /opt/airflow/logs /opt/spark-conf /opt/spark-work \
      /home/rfm/notebooks \
 && install -d /opt/no-conf
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8

FROM base AS build
RUN apt-get update && apt-get install -y --no-install-recommends ecj python3-venv
# The base image's certificates, so that a company can add its own authority there.
ENV UV_SYSTEM_CERTS=1 UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY pyproject.toml requirements.lock ./
# The packages to run the project, without its test tools, at the versions and with the hashes of the lock.
RUN python3 -m venv /opt/venv \
 && awk '/^uv==/ {on=1} on {print} on && !/\\$/ {exit}' requirements.lock >uv.lock \
 && pip install --quiet --require-hashes -r uv.lock \
 && uv pip install --compile-bytecode --python /opt/venv/bin/python --verify-hashes -r pyproject.toml -c requirements.lock
COPY include/compose/BasicAuth.java ./
RUN jars=$(python -c 'import pyspark; print(pyspark.__path__[0])')/jars \
 && ecj -17 -proc:none -cp "$jars/jakarta.servlet-api-6.0.0.jar" -d classes BasicAuth.java \
 && (cd classes && python -m zipfile -c "$jars/rfm-basic-auth.jar" rfm)

FROM build AS build-airflow
# Without MLlib: no job uses it, and with it every session would load Scala's reflection.
RUN rm /opt/venv/lib/python3*/site-packages/pyspark/jars/spark-mllib_*.jar \
 && pip uninstall --quiet --yes uv pip

FROM base AS airflow
COPY --from=build-airflow /opt/venv /opt/venv
COPY . /opt/rfm
# The class-data archive with which drivers and executors start: include/compose/bin/spark-submit and
# include/compose/entrypoint name it.
RUN SPARK_CONF_DIR=/opt/no-conf SPARK_LOCAL_IP=127.0.0.1 PYTHONPATH=/opt/rfm \
    SPARK_SUBMIT_OPTS="$(/opt/rfm/include/spark/java_options class_archive /opt/spark.jsa) \
      -Dspark.driver.host=127.0.0.1" \
    python /opt/rfm/include/spark/class_archive.py /opt/spark.jsa || true
ENV AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/rfm/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/rfm/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    PYTHONPATH=/opt/rfm \
    RFM_LAKE=/lake \
    SPARK_CONF_DIR=/opt/spark-conf \
    PATH=/opt/rfm/include/compose/bin:/opt/venv/bin:/usr/local/bin:/usr/bin:/bin
USER rfm
WORKDIR /opt/airflow
ENTRYPOINT ["/opt/rfm/include/compose/entrypoint"]

FROM build AS build-notebook
COPY requirements-notebook.lock ./
RUN uv pip install --compile-bytecode --python /opt/venv/bin/python --require-hashes -r requirements-notebook.lock \
 && pip uninstall --quiet --yes uv pip

FROM base AS notebook
COPY --from=build-notebook /opt/venv /opt/venv
COPY . /opt/rfm
ENV PYTHONPATH=/opt/rfm SPARK_CONF_DIR=/opt/no-conf SPARK_LOCAL_IP=127.0.0.1 \
    SPARK_SUBMIT_OPTS=-Dlog4j2.configurationFile=/opt/rfm/include/spark/log4j2.properties
WORKDIR /home/rfm
USER rfm
# A copy that somebody has worked on stays as it is.
CMD ["sh", "-c", "cp -n /opt/rfm/include/notebooks/*.ipynb notebooks/; exec jupyter lab --ip=0.0.0.0 --no-browser"]
