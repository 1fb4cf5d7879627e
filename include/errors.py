"""Errors by who can put them right.

A `UserError` is for a person: it says what is wrong, where, and what to do. A job that raises one ends
with exit code 2, and its Airflow task fails without a retry. A `TransientError` is for Airflow: another
try may succeed. Anything else is a bug, and shows its traceback.
"""


class UserError(Exception):
    """Something that the person running this can put right."""


class ConfigError(UserError):
    """A wrong key or value in the configuration, in a run's params or in the environment."""


class InputError(UserError):
    """Wrong data, or none: the landing folder, or what a job counted in it."""


class OutdatedError(UserError):
    """The lake no longer holds what this run was made from, or does not hold it yet.

    Clearing the run from the task `clear_from` onwards makes it again.
    """

    def __init__(self, problem: str, *, clear_from: str) -> None:
        super().__init__(f"{problem}; clear the run from `{clear_from}` onwards")
        self.clear_from = clear_from


class TransientError(Exception):
    """Something that may be gone at the next try."""
