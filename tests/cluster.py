"""A Spark standalone cluster on this machine."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.conftest import free_port


@contextmanager
def cluster(cores: int, folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """A master on this machine with one worker of `cores` cores; its URL. Executors have the worker's
    environment."""
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    sizes = {"SPARK_WORKER_CORES": str(cores), "SPARK_WORKER_MEMORY": f"{2 * cores}g"}
    master = ["Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", str(free_port())]
    worker = ["Worker", "--webui-port", str(free_port()), "--work-dir", str(folder / "work"), url]
    services = []
    try:
        for name, *arguments in (master, worker):
            command = ["spark-class", f"org.apache.spark.deploy.{name.lower()}.{name}", *arguments]
            with (folder / f"{name}.log").open("wb") as log:
                services.append(
                    subprocess.Popen(command, env={**environment, **sizes}, stdout=log, stderr=log)
                )
        deadline = time.monotonic() + 60
        while b"Registering worker" not in (folder / "Master.log").read_bytes():
            assert time.monotonic() < deadline, f"no worker at {url}, see {folder}/Master.log"
            time.sleep(0.2)
        yield url
    finally:
        for service in services:
            service.terminate()
            service.wait()
