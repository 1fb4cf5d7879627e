"""What Airflow calls when a task has ended."""

import logging
from typing import Any

log = logging.getLogger("airflow.task")


def tell_why(context: dict[str, Any]) -> None:
    """Make the reason of a failure the last thing in the task's log, below the traceback."""
    log.info("::endgroup::")  # Airflow calls this within a group of lines that its UI shows folded
    log.error("%s", context.get("exception") or "the task was ended from outside")
