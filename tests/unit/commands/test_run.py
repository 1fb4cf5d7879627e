"""The arguments of `make run` decide the date, the lake and the conf of the run."""

import json
from datetime import date
from pathlib import Path

import pytest

from include.commands.run import Request, checked_request, main, parse_arguments, run_conf
from include.commands.sample import SAMPLE_AS_OF
from include.errors import ConfigError
from include.settings import Params, load_params


def request(*arguments: str) -> Request:
    return checked_request(parse_arguments(["--sample", "data/sample", *arguments]))


def test_without_arguments_the_sample_is_segmented_as_of_the_day_after_its_end() -> None:
    found = request()
    assert (found.data, found.is_sample) == (Path("data/sample").resolve(), True)
    assert (found.lake.root, found.as_of) == (Path("lakes/sample").absolute(), SAMPLE_AS_OF)


def test_own_data_are_segmented_as_of_today_in_a_lake_of_their_name(tmp_path: Path) -> None:
    found = request("--data", str(tmp_path / "shop"))
    assert (found.data, found.is_sample) == (tmp_path / "shop", False)
    assert (found.lake.root, found.as_of) == (Path("lakes/shop").absolute(), date.today())  # noqa: DTZ011


@pytest.mark.parametrize(
    "arguments",
    [
        ["--as-of", "2011-12-10"],
        ["--params", '{"as_of": "2011-12-10"}'],
        ["--as-of", "2011-12-10", "--params", '{"as_of": "2011-12-10"}'],
    ],
)
def test_the_date_is_given_as_an_argument_or_a_param(arguments: list[str]) -> None:
    assert request(*arguments).as_of == date(2011, 12, 10)


def test_two_different_dates_are_refused() -> None:
    with pytest.raises(ConfigError, match="AS_OF says 2011-12-10 and PARAMS 2011-12-11"):
        request("--as-of", "2011-12-10", "--params", '{"as_of": "2011-12-11"}')


def test_the_conf_has_the_given_params_the_date_and_the_export_of_cleaned_data() -> None:
    params = load_params('{"segment_map": "rf10"}')
    expected = {"export_cleaned_data": True, "segment_map": "rf10", "as_of": "2011-12-10"}
    assert json.loads(run_conf(params, date(2011, 12, 10))) == expected


def test_the_export_of_cleaned_data_can_be_switched_off() -> None:
    conf = json.loads(run_conf(Params(export_cleaned_data=False), date(2011, 12, 10)))
    assert conf["export_cleaned_data"] is False


def test_wrong_data_end_with_exit_code_2_and_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    absent = tmp_path / "absent"
    assert main(["--sample", "data/sample", "--data", str(absent), "--lake", str(tmp_path)]) == 2
    reason = f"make run: DATA: {absent} is missing; give a folder of files with orders\n"
    assert capsys.readouterr().err == reason
