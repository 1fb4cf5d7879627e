"""A Postgres server for tests, which ends with them."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def postgres_programs() -> str | None:
    """The folders with initdb and pg_ctl, which Debian keeps out of the PATH. None without a server."""
    path = os.pathsep.join([os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])
    return path if shutil.which("initdb", path=path) else None


class Server:
    """A server on a socket in a temporary folder. It runs as another user where we are root, since Postgres
    refuses to run as root."""

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
    # Not below pytest's folder, which only root may enter, and because a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="rfm-pg-") as folder:
        server = Server(programs, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
