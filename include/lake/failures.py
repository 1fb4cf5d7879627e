"""Failures that somebody may wait for: dates whose run has failed, and has not succeeded since.

Each is a file. The first success of the date takes it away, so it is told as a recovery once only.
"""

from datetime import date

from include.lake.commit import replace_text
from include.lake.paths import Lake
from include.lake.state import StateFile, UnreadableError, read_state, state_text


class OpenFailure(StateFile):
    dag_run: str
    task: str
    reason: str
    notified: bool


def remember_failure(lake: Lake, as_of: date, variant: str | None, failure: OpenFailure) -> None:
    file = lake.failure(as_of, variant)
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_text(file, state_text(failure))


def take_failure(lake: Lake, as_of: date, variant: str | None) -> OpenFailure | None:
    """The open failure of a date, which is open no longer. None without one, or when it cannot be read."""
    file = lake.failure(as_of, variant)
    try:
        failure = read_state(file, OpenFailure)
    except (FileNotFoundError, UnreadableError):
        failure = None
    file.unlink(missing_ok=True)
    return failure


def open_failures(lake: Lake) -> list[OpenFailure]:
    """Every open failure that can be read, of all dates and variants."""
    found = []
    for file in sorted([*lake.failures.glob("as_of=*"), *lake.failures.glob("variants/*/as_of=*")]):
        try:
            found.append(read_state(file, OpenFailure))
        except (FileNotFoundError, UnreadableError):
            continue  # taken away since, or of a later version of the code
    return found
