"""What surrounds a job's `main`: its arguments, and how it ends when they cannot be used."""

from datetime import date
from pathlib import Path

import pytest

from include.errors import ConfigError
from include.pipeline import ERROR_MARK
from include.spark import job as job_module
from include.spark.job import first_cause, job, read_request


@pytest.fixture(autouse=True)
def without_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RFM_LAKE", "RFM_CONFIG", "RFM_TASK_PROCESS"):
        monkeypatch.delenv(name, raising=False)


def test_a_request_has_what_the_arguments_say(tmp_path: Path) -> None:
    given = ["--as-of", "2011-12-10", "--lake", str(tmp_path), "--dag-run", "a run"]
    request = read_request("rfm", None, [*given, "--params", '{"segment_map": "rf10"}'])
    assert (request.task, request.as_of, request.dag_run) == ("rfm", date(2011, 12, 10), "a run")
    assert request.lake.root == tmp_path
    assert request.config.variant == "segment_map=rf10"


def test_the_as_of_date_may_be_a_param(tmp_path: Path) -> None:
    request = read_request("rfm", None, ["--lake", str(tmp_path), "--params", '{"as_of": "2011-12-10"}'])
    assert request.as_of == date(2011, 12, 10)


def test_the_lake_may_be_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RFM_LAKE", str(tmp_path))
    assert read_request("rfm", None, ["--as-of", "2011-12-10"]).lake.root == tmp_path


@pytest.mark.parametrize("name", ["lake [new]", "lake*", "{lake}", "lake?", "la\\ke"])
def test_a_lake_whose_path_is_a_pattern_to_spark_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="a pattern to Spark; rename it"):
        read_request("rfm", None, ["--as-of", "2011-12-10", "--lake", str(tmp_path / name)])


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [(["--as-of", "2011-12-10"], "no lake: give --lake"), (["--lake", "x"], "no as-of date: give --as-of")],
)
def test_a_missing_argument_is_asked_for(
    arguments: list[str], missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        read_request("rfm", None, arguments)
    assert missing in capsys.readouterr().err


def test_a_request_that_cannot_be_done_ends_the_job_with_one_line_and_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(job_module, "start_log", lambda task: None)
    with pytest.raises(SystemExit) as ended, job("rfm", None, ["--as-of", "soon", "--lake", str(tmp_path)]):
        raise AssertionError("no job was to be started")
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert printed == f"{ERROR_MARK}rfm: as_of: 'soon' is not a date; write it as 2011-12-10\n"


def test_the_cause_of_an_error_is_one_line() -> None:
    assert first_cause(ValueError("first\nsecond")) == "ValueError: first"
