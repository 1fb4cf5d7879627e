"""What must hold before a snapshot is published, and the numbers in each refusal."""

import csv
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from include.errors import InputError, OutdatedError
from include.lake.record import FileCounts, InputFile
from include.lake.state import StageRecord, Stages
from include.published.checks import (
    amount_refusals,
    check_files,
    check_stages,
    currency_refusals,
    date_refusals,
    nobody_counts,
    nothing_kept,
    reject_refusals,
)
from include.published.examples import Only
from include.published.orders import PurchaseDays
from include.settings import RunConfig, Segmentation


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


# -- nobody counts ------------------------------------------------------------------------------

DAYS = PurchaseDays(date(2010, 12, 1), date(2011, 12, 9), "536365", "2010-12-01.csv")


def test_a_date_before_the_first_purchase_is_refused_with_a_date_that_has_customers() -> None:
    assert str(nobody_counts(date(2010, 12, 1), None, DAYS)) == (
        "as of 2010-12-01 nobody counts. Nothing was published. The first purchase is of 2010-12-01, invoice "
        "536365 in 2010-12-01.csv, and the last of 2011-12-09: run it as of 2010-12-02 or later, such as "
        "make run AS_OF=2011-12-10"
    )


def test_with_a_look_back_a_date_long_after_the_last_purchase_is_refused() -> None:
    """Of 30 days before 2012-01-09 the first is 2011-12-10, so 2012-01-08 is the last date with customers."""
    refused = str(nobody_counts(date(2012, 1, 9), 30, DAYS))
    assert refused.startswith("as of 2012-01-09 with lookback_days 30 nobody counts")
    assert "run it as of 2010-12-02 up to 2012-01-08, such as make run AS_OF=2011-12-10" in refused


def test_cancellations_alone_are_refused() -> None:
    assert "no kept line is a purchase" in str(nobody_counts(date(2011, 1, 1), None, None))


def test_a_shop_without_a_kept_line_is_refused_with_the_reasons() -> None:
    files = {"a.csv": landed(3, excluded_stock_code=3), "b.csv": landed(2, unknown_invoice_type=2)}
    refusal = nothing_kept(files)
    assert refusal.problem == (
        "no line is kept of the 5 landed lines: excluded_stock_code 3, unknown_invoice_type 2"
    )
    assert (refusal.file, refusal.about) == ("a.csv", "excluded_stock_code")


# -- rejected lines -----------------------------------------------------------------------------


def landed(rows: int, **rejects: int) -> InputFile:
    """A file of so many lines, with those that `clean` rejected."""
    return InputFile(
        batch="b",
        size=1,
        modified=1,
        rows=rows,
        kept=rows,
        rejects={},
        clean=FileCounts(kept=rows - sum(rejects.values()), rejects=rejects),
    )


@pytest.fixture
def settings(config: RunConfig) -> Segmentation:
    """10 % of the lines may lack a customer, and 20 % more may be rejected."""
    limits = {"reject_baseline": {"missing_customer": 0.1}, "reject_threshold": 0.2}
    return config.settings.model_copy(update=limits)


Refuse = Callable[..., list[str]]


@pytest.fixture
def refuse(settings: Segmentation) -> Refuse:
    def found(before: Mapping[str, InputFile] | None = None, **files: InputFile) -> list[str]:
        return [refusal.problem for refusal in reject_refusals(files, before or {}, settings)]

    return found


ALLOWED = "more than reject_baseline and reject_threshold (0.2) allow"
GOOD = landed(1000)


@pytest.mark.parametrize(
    "rejects",
    [
        {"missing_customer": 30},
        {"quantity_unreadable": 20},
        {"missing_customer": 20, "quantity_unreadable": 10},
        {"missing_customer": 5, "quantity_unreadable": 20},
        {"excluded_stock_code": 40, "duplicate_line": 30, "order_not_counted": 30},
    ],
    ids=str,
)
def test_as_many_rejects_as_are_allowed_pass(refuse: Refuse, rejects: dict[str, int]) -> None:
    assert refuse(a=landed(100, **rejects), b=GOOD) == []


def test_one_reason_above_its_share_is_refused(refuse: Refuse) -> None:
    assert refuse(a=landed(100, missing_customer=31), b=GOOD) == [
        f"31 of 100 lines (31.0%) of a are rejected as missing_customer, {ALLOWED}"
    ]


def test_reasons_that_are_too_many_only_together_are_refused(refuse: Refuse) -> None:
    """20 % of missing_customer are 10 % more than usual, and 11 % of another reason make 21 %."""
    assert refuse(a=landed(100, missing_customer=20, price_not_positive=11), b=GOOD) == [
        f"31 of 100 lines (31.0%) of a are rejected (missing_customer 20, price_not_positive 11), {ALLOWED}"
    ]


def test_a_bad_day_after_many_good_ones_is_refused(refuse: Refuse) -> None:
    """360 lines of another invoice number are few of 100,000."""
    many = {f"day {number}": GOOD for number in range(100)}
    assert refuse(bad=landed(360, unknown_invoice_type=360), **many) == [
        "360 of 360 lines (100.0%) of bad are rejected as unknown_invoice_type, and no line is kept"
    ]


def test_many_files_with_the_same_fault_are_one_refusal(refuse: Refuse) -> None:
    bad = {f"bad{number}": landed(100 + number, unknown_invoice_type=99) for number in range(4)}
    assert refuse(good=landed(9000), **bad) == [
        "396 of 406 lines (97.5%) of bad0, bad1, bad2 and 1 more are rejected as unknown_invoice_type, "
        f"{ALLOWED}; most are in bad0 (99), bad1 (99), bad2 (99)"
    ]


def test_few_lines_are_refused_where_none_is_kept(refuse: Refuse) -> None:
    assert refuse(small=landed(5, invoice_date_unreadable=4), b=GOOD) == []
    assert refuse(small=landed(5, invoice_date_unreadable=5), b=GOOD) == [
        "5 of 5 lines (100.0%) of small are rejected as invoice_date_unreadable, and no line is kept"
    ]


def test_a_small_file_whose_lines_the_configuration_leaves_out_passes(refuse: Refuse) -> None:
    assert refuse(postage=landed(5, excluded_stock_code=5), b=GOOD) == []


def test_a_small_list_of_something_else_passes_and_a_long_one_does_not(refuse: Refuse) -> None:
    assert refuse(stock=landed(99, no_header=99), b=GOOD) == []
    assert len(refuse(stock=landed(100, no_header=100), b=GOOD)) == 1


def test_a_file_without_a_line_passes(refuse: Refuse) -> None:
    assert refuse(empty=landed(0), b=GOOD) == []


BAD = landed(200, unknown_invoice_type=200)


@pytest.mark.parametrize(
    ("before", "refused"),
    [
        ({}, 1),
        ({"bad": BAD}, 0),
        ({"bad": BAD.model_copy(update={"modified": 2})}, 1),
        ({"bad": landed(200)}, 1),
    ],
    ids=["new", "let through before", "changed since", "read otherwise before"],
)
def test_a_file_is_judged_when_it_is_new(refuse: Refuse, before: dict[str, InputFile], refused: int) -> None:
    assert len(refuse(before, bad=BAD, good=GOOD)) == refused


def test_all_landed_lines_are_judged_each_time(refuse: Refuse) -> None:
    files = {
        "a": landed(100, price_not_positive=50),
        "b": landed(100, price_not_positive=20),
        "c": landed(50),
        "d": landed(50),
    }
    assert refuse(files, **files) == [
        f"70 of 300 lines (23.3%) of all files are rejected as price_not_positive, {ALLOWED}; "
        "most are in a (50), b (20)"
    ]


def test_a_file_that_is_all_there_is_is_named_once(refuse: Refuse) -> None:
    assert refuse(a=landed(100, price_not_positive=50)) == [
        f"50 of 100 lines (50.0%) of a are rejected as price_not_positive, {ALLOWED}"
    ]


def test_the_guests_of_the_worst_day_of_the_public_data_pass(config: RunConfig) -> None:
    """30 August 2011: 2,829 of 3,235 lines have no customer."""
    assert reject_refusals({"a": landed(3235, missing_customer=2829)}, {}, config.settings) == []


# -- currencies ---------------------------------------------------------------------------------


def in_currencies(column: str, *values: str) -> InputFile:
    return landed(9).model_copy(update={"values": {column: list(values)}})


def test_two_currencies_are_refused_with_their_files() -> None:
    files = {
        "a.csv": in_currencies("Currency", "GBP"),
        "b.csv": in_currencies("currency", "gbp", "JPY"),
        "c.csv": in_currencies("Status", "paid", "open"),
    }
    (refusal,) = currency_refusals(files)
    assert refusal.problem == (
        "2 currencies are in column Currency, GBP (a.csv, b.csv), JPY (b.csv): they cannot be added up"
    )
    assert (refusal.file, refusal.only) == ("b.csv", Only("Currency", "GBP", "JPY"))


def test_one_currency_passes() -> None:
    files = {"a.csv": in_currencies("Currency", "GBP"), "b.csv": in_currencies("currency code", "gbp")}
    assert currency_refusals(files) == []


# -- laws of results ----------------------------------------------------------------------------

LONDON = ZoneInfo("Europe/London")
LANDED = int(datetime(2011, 6, 1, 3, tzinfo=LONDON).timestamp()) * 10**9  # 02:00 in UTC


def dated(newest: str | None) -> InputFile:
    """A file that was landed on 1 June 2011 at 03:00, with the date of its newest line."""
    newest_line = newest and datetime.fromisoformat(newest)
    return landed(9).model_copy(update={"modified": LANDED, "newest": newest_line})


def test_a_line_may_be_a_day_later_than_its_file() -> None:
    files = {
        "a.csv": dated("2011-06-02 03:00"),
        "b.csv": dated(None),
    }
    assert date_refusals(files, LONDON) == []


def test_a_line_of_days_after_its_file_is_refused() -> None:
    """The 5th of July, read as the 7th of May, would pass; the 6th of December does not."""
    files = {
        "a.csv": dated("2011-06-02 03:01"),
        "b.csv": dated("2011-12-06 08:26"),
    }
    (refusal,) = date_refusals(files, LONDON)
    assert refusal.problem == (
        "a line of b.csv is of 2011-12-06 08:26, 188 days after the file was modified (2011-06-01 03:00) "
        "(2 files have such lines)"
    )
    assert refusal.file == "b.csv"


def test_a_customer_who_returned_less_than_nothing_is_refused() -> None:
    assert amount_refusals({}) == []
    (refusal,) = amount_refusals({"17850": Decimal("-7.50"), "17851": Decimal("-1.00")})
    assert refusal.problem == (
        "returned is -7.50 for customer 17850 and negative for 1 more: what is taken back was added"
    )


@pytest.mark.real_data
def test_no_day_of_the_real_data_is_refused(real_data: Path, config: RunConfig) -> None:
    """Each file is judged when it is new, after those of the days before."""
    files = dict[str, InputFile]()
    for file in sorted(real_data.glob("*.csv")):
        with file.open(newline="", encoding="utf-8") as stream:
            customers = [row["CustomerID"] for row in csv.DictReader(stream)]
        before = dict(files)
        files[file.name] = landed(len(customers), missing_customer=customers.count(""))
        assert reject_refusals(files, before, config.settings) == [], file.name
    assert len(files) == 305
