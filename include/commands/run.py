"""`make run`: land the data, run the DAG once through Airflow, show the segments."""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO

from rich.markup import escape

from include.as_of import as_of_date
from include.commands.dag_test_log import LOG_SETTINGS, failure_reason, follow, task_states
from include.commands.land import land
from include.commands.sample import SAMPLE_AS_OF
from include.commands.terminal import console, say_error, show_failure, show_progress, show_snapshot
from include.errors import ConfigError, UserError
from include.lake.paths import Lake
from include.pipeline import DAG_ID, LAKE_VARIABLE, NO_DEADLINE_VARIABLE
from include.settings import Params, RunConfig, config_folder, load_config, load_params

AIRFLOW = [sys.executable, "-m", "airflow"]
AIRFLOW_HOME = Path(os.environ.get("AIRFLOW_HOME", ".airflow"))


@dataclass(frozen=True)
class Request:
    """What to run."""

    data: Path
    is_sample: bool
    lake: Lake
    as_of: date
    params: Params
    config: RunConfig


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        request = checked_request(args)
        lake = escape(str(request.lake.root))
        console.print(f"[bold]RFM segmentation[/] as of {request.as_of}, lake {lake}", soft_wrap=True)
        landed = land(request.data, request.lake, request.config.settings.landing.settle_seconds)
        console.print(f"landed  {escape(landed)}", soft_wrap=True)
        if not run_dag(run_conf(request.params, request.as_of), request.lake):
            return 1
        folder = request.lake.published(request.as_of, request.config.variant)
        show_snapshot(folder, is_sample=request.is_sample)
    except (UserError, OSError) as error:
        say_error("make run", error)
        return 2
    except KeyboardInterrupt:
        say_error("make run", "stopped")
        return 130
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of exports; default: the built-in sample")
    parser.add_argument("--as-of", default="", help="default: today; for the sample the day after its end")
    parser.add_argument("--lake", type=Path, help="default: lakes/<name of the data folder>")
    parser.add_argument("--params", default="", help='such as {"segment_map": "rf10"}')
    parser.add_argument("--sample", type=Path, required=True, help="folder of the built-in sample")
    return parser.parse_args(argv)


def checked_request(args: argparse.Namespace) -> Request:
    """The request of the arguments. Raises ConfigError for a wrong date or param."""
    is_sample = args.data is None
    data = (args.sample if is_sample else args.data).resolve()
    params = load_params(args.params)
    if args.as_of and params.as_of and args.as_of != params.as_of.isoformat():
        raise ConfigError(f"as_of: AS_OF says {args.as_of} and PARAMS {params.as_of}; give one of them")
    default = SAMPLE_AS_OF if is_sample else date.today()  # noqa: DTZ011
    return Request(
        data=data,
        is_sample=is_sample,
        lake=Lake((args.lake or Path("lakes") / data.name).absolute()),
        as_of=as_of_date(args.as_of or str(params.as_of or default)),
        params=params,
        config=load_config(config_folder(), params),
    )


def run_conf(params: Params, as_of: date) -> str:
    """The conf of the Airflow run: the given params, the as-of date, and `cleaned_data.csv`, which the
    schedule does not export."""
    given = params.model_dump(mode="json", exclude_unset=True)
    return json.dumps({"export_cleaned_data": True} | given | {"as_of": as_of.isoformat()})


# -- Airflow ------------------------------------------------------------------------------------


def run_dag(conf: str, lake: Lake) -> bool:
    """Run the DAG once through Airflow; returns whether it succeeded. If it failed, shows the reason."""
    log = AIRFLOW_HOME / "logs" / f"make-run-{datetime.now(UTC):%Y%m%dT%H%M%S}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    env = os.environ | LOG_SETTINGS | {LAKE_VARIABLE: str(lake.root), NO_DEADLINE_VARIABLE: "1"}
    try:
        with log.open("wb") as output:
            migrate_database(env, output)
            run_dag_test(conf, env, output)
    except subprocess.CalledProcessError:
        show_failure(failure_reason(log.read_text(errors="replace")), log)
        return False
    return True


def migrate_database(env: Mapping[str, str], output: IO[bytes]) -> None:
    """Make Airflow's database, or migrate that of another version. Raises CalledProcessError."""
    installed, stamp = version("apache-airflow"), AIRFLOW_HOME / "airflow.db.version"
    if (AIRFLOW_HOME / "airflow.db").exists() and stamp.exists() and stamp.read_text() == installed:
        return
    with console.status("setting up Airflow's database"):
        subprocess.run([*AIRFLOW, "db", "migrate"], env=env, stdout=output, stderr=output, check=True)
    stamp.write_text(installed)


def run_dag_test(conf: str, env: Mapping[str, str], output: IO[bytes]) -> None:
    """Run the DAG and show the progress of its tasks. Raises CalledProcessError when it failed.

    No process that was started here outlives this function.
    """
    command = [*AIRFLOW, "dags", "test", DAG_ID, "--conf", conf]
    # In a process group of its own: Airflow takes Ctrl-C for the failure of one task, and tries it again.
    process = subprocess.Popen(command, env=env, stdout=output, stderr=output, start_new_session=True)
    try:
        show_progress(task_states(follow(Path(output.name), process)))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


if __name__ == "__main__":
    sys.exit(main())
