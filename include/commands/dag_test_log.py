"""The log of `airflow dags test`: the state of each task while it grows, and the reason of a failure.

The command has no other output. Its lines were read in Airflow 3.3.2: `airflow/sdk/definitions/dag.py` and
`airflow/api_fastapi/execution_api/routes/task_instances.py`. They depend on LOG_SETTINGS.
"""

import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from include.errors import ConfigError, InputError, OutdatedError, TransientError, UserError
from include.pipeline import TASKS

LOG_SETTINGS = {"AIRFLOW__LOGGING__JSON_LOGS": "False", "NO_COLOR": "1"}
SECONDS_BETWEEN_READS = 0.3
EVENT = re.compile(
    r"\[DAG TEST\] starting task_id=(?P<starting>\w+)"
    r"|(?P<started>Task started) .*task_instances\.py"
    r"|Task instance state updated .* new_state=(?P<state>\w+)"
    r"|DagRun Finished: .* state=(?P<run_state>\w+)"
)
OUR_ERRORS = (UserError, ConfigError, InputError, OutdatedError, TransientError)
ERROR_NAMES = ["AirflowFailException", "AirflowException", "RuntimeError", *(e.__name__ for e in OUR_ERRORS)]
FAILURE = re.compile(rf"\b(?:{'|'.join(ERROR_NAMES)}): (.*)")


def follow(log: Path, process: "subprocess.Popen[bytes]") -> Iterator[str]:
    """The lines of a log as the process writes them, until it has ended."""
    rest, has_ended = b"", False
    with log.open("rb") as stream:
        while not has_ended:
            has_ended = process.poll() is not None  # asked before reading, so that no last line is missed
            *lines, rest = (rest + stream.read()).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
            if not has_ended:
                time.sleep(SECONDS_BETWEEN_READS)
    if rest:
        yield rest.decode(errors="replace")


def task_states(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The changes of the tasks' states, in Airflow's words. The first state of a task is `running`.

    Tasks run one after the other. Those that a failed run never started are `upstream_failed`.
    """
    begun, task = set[str](), ""
    for event in filter(None, map(EVENT.search, lines)):
        task = event["starting"] or task
        if state := "running" if event["started"] else event["state"]:
            begun.add(task)
            yield task, state
        if event["run_state"] == "failed":
            yield from ((name, "upstream_failed") for name in TASKS if name not in begun)


def failure_reason(log: str) -> str:
    """The message of the last error in a log."""
    messages = FAILURE.findall(log)
    return messages[-1] if messages else "see the log"
