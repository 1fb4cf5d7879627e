"""Errors by who can put them right."""

import pytest

from include.errors import ConfigError, InputError, OutdatedError, TransientError, UserError


def test_an_outdated_run_says_from_which_task_it_is_to_be_cleared() -> None:
    error = OutdatedError("a.csv has changed", clear_from="rfm")
    assert str(error) == "a.csv has changed; clear the run from `rfm` onwards"
    assert error.clear_from == "rfm"


@pytest.mark.parametrize("error", [ConfigError, InputError, OutdatedError])
def test_errors_for_a_person_are_user_errors(error: type[Exception]) -> None:
    assert issubclass(error, UserError)


def test_a_transient_error_is_not_for_a_person() -> None:
    assert not issubclass(TransientError, UserError)
