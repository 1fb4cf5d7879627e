"""What must hold before a snapshot is published, and the numbers in each refusal."""

import pytest

from include.errors import InputError, OutdatedError
from include.lake.record import FileCounts, InputFile
from include.lake.state import StageRecord, Stages
from include.published.checks import check_files, check_reject_shares, check_stages
from include.settings import RunConfig


def stage(rows_in: int, rows_out: int, **rejects: int) -> StageRecord:
    return StageRecord(
        rows_in=rows_in,
        rows_out=rows_out,
        rejects=rejects,
        seconds=0.1,
        started="2011-12-10T02:00:00+00:00",
        dag_run="a run",
        application_id=None,
    )


STAGES: Stages = {
    "ingest": stage(100, 100, missing_customer=0),
    "clean": stage(100, 80, missing_customer=20),
    "rfm": stage(80, 80),
    "segment": stage(9, 9),
}


def input_file(rows: int = 13, kept: int = 13, missing_customer: int = 0, after_clean: int = 0) -> InputFile:
    return InputFile(
        batch="b",
        size=1,
        modified=1,
        rows=rows,
        kept=kept,
        rejects={},
        clean=FileCounts(kept=after_clean, rejects={"missing_customer": missing_customer}),
    )


def test_stages_that_reconcile_pass() -> None:
    check_stages(STAGES)


def test_stages_that_do_not_fit_together_are_refused_with_the_numbers() -> None:
    with pytest.raises(OutdatedError, match="clean gave 80 lines and rfm took 79") as refused:
        check_stages(STAGES | {"rfm": stage(79, 79)})
    assert refused.value.clear_from == "ingest"


def test_a_stage_that_does_not_reconcile_is_refused_with_the_numbers() -> None:
    with pytest.raises(InputError, match=r"segment: 9 rows in, but 8 rows out and rejects \{\}: not equal"):
        check_stages(STAGES | {"segment": stage(9, 8)})


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (input_file(rows=14, missing_customer=13), r"ingest of a\.csv: 14 rows in, but 13 rows out"),
        (input_file(missing_customer=12), r"clean of a\.csv: 13 rows in, but 0 rows out"),
    ],
    ids=["ingest", "clean"],
)
def test_a_file_that_does_not_reconcile_is_refused_by_name(file: InputFile, problem: str) -> None:
    check_files({"b.csv": input_file(missing_customer=12, after_clean=1)})
    with pytest.raises(InputError, match=problem):
        check_files({"a.csv": file})


FILES = {
    name: input_file(missing_customer=lines) for name, lines in {"a.csv": 1, "b.csv": 12, "c.csv": 7}.items()
}


def test_as_many_rejects_as_usual_pass(config: RunConfig) -> None:
    check_reject_shares(STAGES, FILES, config.settings)


def test_more_rejects_than_configured_are_refused_with_the_numbers_and_the_files(config: RunConfig) -> None:
    changed = {"reject_baseline": {"missing_customer": 0.1}, "reject_threshold": 0.05}
    strict = config.settings.model_copy(update=changed)
    with pytest.raises(
        InputError, match=r"rejected 20 of 100 lines \(20\.0%\) as missing_customer.* 15\.0%"
    ) as refused:
        check_reject_shares(STAGES, FILES, strict)
    assert "Most are in b.csv (12), c.csv (7), a.csv (1)." in str(refused.value)


def test_a_share_of_rejects_at_the_limit_passes(config: RunConfig) -> None:
    """10 % and 10 points above them allow 20 of 100 lines."""
    changed = {"reject_baseline": {"missing_customer": 0.1}, "reject_threshold": 0.1}
    check_reject_shares(STAGES, FILES, config.settings.model_copy(update=changed))
