"""`make ui`: Airflow with its UI on this machine, until Ctrl-C.

Airflow's parts run as processes of their own on a Postgres server: on SQLite, creating a backfill while
the scheduler works ends the scheduler. A part that ends is started again; a part that keeps ending ends
all of it, so that nothing stays queued behind a dead scheduler.
"""

import argparse
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import httpx

from include.commands.postgres import Postgres, start_postgres
from include.commands.terminal import console
from include.errors import ConfigError, UserError
from include.pipeline import LAKE_VARIABLE

USER = "admin"
PARTS = {
    "api-server": ["api-server", "--host", "127.0.0.1"],
    # Without their log servers: all logs are on this machine's disk, where the API server finds them.
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
SECONDS_TO_START, SECONDS_TO_STOP = 180, 15
MOST_ENDS, WITHIN_SECONDS = 3, 120  # of one part, before all of it ends


@dataclass
class Part:
    """A process of Airflow, and when it has ended so far."""

    name: str
    command: Sequence[str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    ends: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_ENDS))

    def start(self, environment: Mapping[str, str]) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, env=environment, stdout=output, stderr=output, start_new_session=True
            )

    @property
    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    @property
    def keeps_ending(self) -> bool:
        return len(self.ends) == MOST_ENDS and self.ends[-1] - self.ends[0] < WITHIN_SECONDS


class PartsError(UserError):
    """A part that keeps ending."""


# -- its home -----------------------------------------------------------------------------------


def environment_of(home: Path, lake: Path, port: int, database: str) -> dict[str, str]:
    """What Airflow's parts share: one database, secrets that are made once, and this machine's loopback."""
    passwords = home / "passwords.json"
    return {
        **os.environ,
        LAKE_VARIABLE: str(lake),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": database,
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secret(home / "secret-key"),
        "AIRFLOW__API_AUTH__JWT_SECRET": secret(home / "jwt-secret"),
        "AIRFLOW__CORE__FERNET_KEY": "",
        # Idle, all parts take 8 % of a core; with the 0.1 s of a machine that is for Airflow 18 %.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
    }


def secret(file: Path) -> str:
    """The secret in a file that only we may read; made when it is not there."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(32))
    return file.read_text()


def password_of(home: Path) -> str:
    """The password of USER, in the file in which Airflow looks for it."""
    file = home / "passwords.json"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(json.dumps({USER: secrets.token_urlsafe(12)}))
    password: str = json.loads(file.read_text())[USER]
    return password


def migrate_database(home: Path, environment: Mapping[str, str], log: Path) -> None:
    """Make Airflow's database, or bring one of another version up to date."""
    installed, stamp = version("apache-airflow"), home / "database" / "version"
    if stamp.exists() and stamp.read_text() == installed:
        return
    with console.status("setting up Airflow's database"), log.open("ab") as output:
        command = [*airflow(), "db", "migrate"]
        done = subprocess.run(command, env=environment, stdout=output, stderr=output, check=False)
    if done.returncode:
        raise ConfigError(f"Airflow's database cannot be set up; see {log}")
    stamp.write_text(installed)


def airflow() -> list[str]:
    return [sys.executable, "-m", "airflow"]


# -- its parts ----------------------------------------------------------------------------------


def started_parts(logs: Path, environment: Mapping[str, str], database: Postgres) -> list[Part]:
    parts = [Part(name, [*airflow(), *command], logs / f"{name}.log") for name, command in PARTS.items()]
    for part in parts:
        part.start(environment)
    return [*parts, database_part(logs, database)]


def database_part(logs: Path, database: Postgres) -> Part:
    return Part("database", [], logs / "database.log", database.process)


def watch(parts: Sequence[Part], environment: Mapping[str, str]) -> None:
    """Start a part again when it has ended. Raises PartsError for one that keeps ending, and for the
    database."""
    while True:
        for part in parts:
            if part.has_ended:
                restart(part, environment)
        time.sleep(0.5)


def restart(part: Part, environment: Mapping[str, str]) -> None:
    code = part.process.returncode if part.process else None
    part.ends.append(time.monotonic())
    if part.keeps_ending or not part.command:
        raise PartsError(f"the {part.name} has ended (exit code {code}) and does not stay up; see {part.log}")
    # Workers outlive a killed scheduler and hold its database connection open, with the locks of its last
    # transaction: the next scheduler would never queue a task. Their drivers end with them, and are retried.
    kill_group(part)
    console.print(f"make ui: the {part.name} has ended (exit code {code}) and is started again")
    part.start(environment)


def stop(parts: Sequence[Part]) -> None:
    """End all parts, the database last. A part gets time to end its own processes; then they are killed."""
    for group in ([part for part in parts if part.command], [part for part in parts if not part.command]):
        for part in group:
            if part.process and part.process.poll() is None:
                part.process.send_signal(signal.SIGTERM if part.command else signal.SIGINT)
        for part in group:
            with suppress(subprocess.TimeoutExpired):
                if part.process:
                    part.process.wait(timeout=SECONDS_TO_STOP)
            kill_group(part)


def kill_group(part: Part) -> None:
    """Kill every process that is left of a part."""
    with suppress(ProcessLookupError):
        if part.process:
            os.killpg(part.process.pid, signal.SIGKILL)


def wait_for_sign_in(address: str, password: str, parts: Sequence[Part]) -> None:
    """Wait until a user can sign in, and the scheduler is at work."""
    deadline = time.monotonic() + SECONDS_TO_START
    with console.status("starting Airflow"), httpx.Client(base_url=address, timeout=5) as client:
        while not can_sign_in(client, password):
            for part in parts:
                if part.has_ended:
                    raise PartsError(f"the {part.name} does not start; see {part.log}")
            if time.monotonic() > deadline:
                raise PartsError(f"Airflow does not answer at {address}; see {parts[0].log}")
            time.sleep(0.5)


def can_sign_in(client: httpx.Client, password: str) -> bool:
    with suppress(httpx.TransportError, ValueError, KeyError):
        signed_in = client.post("/auth/token", json={"username": USER, "password": password}).is_success
        health = client.get("/api/v2/monitor/health").json()
        return signed_in and health["scheduler"]["status"] == "healthy"
    return False


def refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ConfigError(f"port {port} is taken; choose another one: make ui PORT=8081") from None


@contextmanager
def stopped_at_the_end(parts: list[Part]) -> Iterator[None]:
    try:
        yield
    finally:
        console.print("make ui: stopping")
        stop(parts)


def serve(home: Path, lake: Path, port: int) -> None:
    """Run Airflow until it is stopped. Raises UserError when it cannot go on."""
    refuse_taken_port(port)
    logs = home / "logs" / "parts"
    logs.mkdir(parents=True, exist_ok=True)
    password, address = password_of(home), f"http://127.0.0.1:{port}"
    database = start_postgres(home / "database", logs / "database.log")
    parts = [database_part(logs, database)]
    with stopped_at_the_end(parts):
        environment = environment_of(home, lake, port, database.url)
        migrate_database(home, environment, logs / "migrate.log")
        parts[:] = started_parts(logs, environment, database)
        wait_for_sign_in(address, password, parts)
        console.print(f"lake     {lake}", markup=False, soft_wrap=True)
        console.print(f"Airflow  {address}  user {USER}  password {password}", markup=False, soft_wrap=True)
        watch(parts, environment)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make ui", description=__doc__)
    parser.add_argument("lake", type=Path, help="the lake that the UI shows and its runs use")
    parser.add_argument("--home", type=Path, required=True, help="Airflow's home")
    parser.add_argument("--port", type=int, default=8080)
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve(args.home.absolute(), args.lake.absolute(), args.port)
    except UserError as error:
        print(f"make ui: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
