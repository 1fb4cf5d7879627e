"""What Airflow calls when a task has ended."""

import logging

from airflow.sdk import Context

log = logging.getLogger("airflow.task")


def log_reason(context: Context) -> None:
    """Make the reason of a failure the last line of the task's log, below the traceback."""
    log.info("::endgroup::")  # Airflow calls this inside of a group of lines that its UI shows folded
    log.error("%s", context.get("exception") or "the task was ended from outside")
