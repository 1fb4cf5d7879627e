"""A Postgres server of a test's own, and what publish loads into it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

CUSTOMER_SEGMENTS_ARROW = pa.schema(
    [
        *[("as_of", pa.date32()), ("customer_id", pa.string()), ("country", pa.string())],
        *[(name, pa.date32()) for name in ("first_purchase_date", "last_purchase_date")],
        *[("recency_days", pa.int32()), ("frequency", pa.int64())],
        *[(name, pa.decimal128(18, 2)) for name in ("monetary", "gross", "returned", "avg_order_value")],
        *[(name, pa.int32()) for name in ("r_score", "f_score", "m_score")],
        *[(name, pa.string()) for name in ("rfm_score", "segment", "previous_segment")],
    ]
)


def postgres_programs() -> str | None:
    """Where to look for initdb and pg_ctl: Debian has them beside the PATH. None without them."""
    path = os.pathsep.join([os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])
    return path if shutil.which("initdb", path=path) else None


class Server:
    """On a socket in a temporary folder; root may not run one."""

    def __init__(self, programs: str, folder: Path) -> None:
        self.programs, self.folder = programs, folder
        self.url = f"postgresql://test@/postgres?host={folder}"
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(folder, self.user)
        self.run("initdb", "-D", "data", "-U", "test", "-E", "UTF8", "--auth=trust", "--no-sync")

    def run(self, program: str, *arguments: str) -> None:
        command = [str(shutil.which(program, path=self.programs)), *arguments]
        done = subprocess.run(command, cwd=self.folder, user=self.user, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c max_wal_size=4GB"
        self.run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")


@contextmanager
def postgres(programs: str) -> Iterator[Server]:
    # Not below pytest's folder, which root keeps to itself; and a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="rfm-pg-") as folder:
        server = Server(programs, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
