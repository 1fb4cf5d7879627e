"""The pages at size: how long a request takes, and how much memory, with millions of customers.

    python -m tests.benchmarks.pages PORT

serves the pages on this machine, without authorization. Each kind of request goes to a process of its own, so
that none finds what another one has left in the caches.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

import httpx

from include.lake.paths import Lake
from include.pipeline import LAKE_VARIABLE, PROJECT
from tests.benchmarks.large_lake import NEWEST, customer_id
from tests.benchmarks.measure import say
from tests.e2e.conftest import free_port

AIRFLOW = {"AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
SEGMENT = f"/snapshots/{NEWEST}/segments/{quote('At Risk')}"


def requests(customers: int) -> Mapping[str, Sequence[str]]:
    """The requests of each kind in their order. The first one finds nothing in the caches, the others what
    those before have left there."""
    ids = [customer_id(customers * n // 7) for n in range(1, 7)]
    return {
        "overview": ["/"] * 6,
        "customer": [f"/customer?id={one}" for one in ids],
        "segment, by spend": [f"{SEGMENT}?page={page}" for page in (1, 2, 3, 4, 200)],
        "segment, by country": [f"{SEGMENT}?sort=country&page={page}" for page in (1, 2, 3, 4, 200)],
        "movement": [f"/movement?group={group}" for group in ("left", "won-back", "left", "won-back")],
        "movement, file": ["/movement/list.csv?group=won-back"] * 3,
        "campaign, file": [f"/snapshots/{NEWEST}/campaigns/{quote('At Risk')}"] * 3,
        "trends": ["/trends"] * 4,
        "quality": ["/quality"] * 4,
    }


def measure_pages(lake: Lake, customers: int, folder: Path) -> Iterator[dict[str, Any]]:
    for what, paths in requests(customers).items():
        with server(lake, folder) as (process, client):
            base = memory_of(process, "VmRSS")
            first, *later = [seconds_of(client, path) for path in paths]
            row = {
                "what": what,
                "first": round(first, 3),
                "later": [round(seconds, 3) for seconds in later],
                "peak_mib": (memory_of(process, "VmHWM") - base) >> 10,
            }
        say(f"  pages: {what} {median(later):.2f} s, {row['peak_mib']} MiB")
        yield row


@contextmanager
def server(lake: Lake, folder: Path) -> Iterator[tuple[int, httpx.Client]]:
    """A process that serves the pages, and a client of it. It has answered one request."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.pages", str(port)]
    own = {"AIRFLOW_HOME": str(folder / "airflow"), LAKE_VARIABLE: str(lake.root)}
    process = subprocess.Popen(command, env=os.environ | AIRFLOW | own, cwd=PROJECT)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300) as client:
            while not answers(client):
                assert process.poll() is None, "the pages cannot be served"
                time.sleep(0.05)
            yield process.pid, client
    finally:
        process.terminate()
        process.wait()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/static/style.css").is_success
    except httpx.ConnectError:
        return False


def seconds_of(client: httpx.Client, path: str) -> float:
    """From the request to the last byte of its answer."""
    start = time.monotonic()
    with client.stream("GET", path) as answer:
        assert answer.status_code == 200, f"{path}: {answer.read().decode()}"
        for _ in answer.iter_raw():
            pass
    return time.monotonic() - start


def memory_of(process: int, what: str) -> int:
    """KiB by the kernel's count: VmRSS is what a process holds, VmHWM the most that it has ever held."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{what}:")))


def serve(port: int) -> None:
    import uvicorn

    from include.pages.app import app, may_read_dag

    app.dependency_overrides[may_read_dag] = lambda: None
    uvicorn.run(app, port=port, log_level="warning")


if __name__ == "__main__":
    serve(int(sys.argv[1]))
