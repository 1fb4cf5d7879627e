"""The real data in the spellings of its public copies: each is read as the same orders, to the penny."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from include.commands.survey import Survey, surveyed
from include.landing.line_types import PURCHASE
from include.settings import RunConfig
from tests.tables import land

Write = Callable[[pl.DataFrame], bytes]
SECOND_EDITION = {"InvoiceNo": "Invoice", "UnitPrice": "Price", "CustomerID": "Customer ID"}
GERMAN = {"InvoiceNo": "BillNo", "Description": "Itemname", "InvoiceDate": "Date", "UnitPrice": "Price"}


def dated(lines: pl.DataFrame, form: str) -> pl.DataFrame:
    time = pl.col("InvoiceDate").str.to_datetime("%Y-%m-%d %H:%M:%S")
    return lines.with_columns(time.dt.strftime(form).alias("InvoiceDate"))


def with_whole_ids(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.with_columns(pl.col("CustomerID").str.replace(r"\.0$", ""))


def text(lines: pl.DataFrame, separator: str = ",") -> str:
    return lines.write_csv(separator=separator)


def german(lines: pl.DataFrame) -> bytes:
    commas = with_whole_ids(lines).with_columns(pl.col("UnitPrice").str.replace(".", ",", literal=True))
    return text(dated(commas, "%d.%m.%Y %H:%M").rename(GERMAN), ";").encode("cp1252", errors="replace")


def two_editions(lines: pl.DataFrame) -> bytes:
    return text(lines.rename(SECOND_EDITION)).replace("\n", "\r\n").encode("utf-16")


SPELLINGS: dict[str, Write] = {
    "pandas": lambda lines: text(lines).encode(),
    "data.csv": lambda lines: (
        b"\xef\xbb\xbf" + text(dated(with_whole_ids(lines), "%-m/%-d/%Y %-H:%M")).encode()
    ),
    "Online_Retail.csv": lambda lines: text(dated(lines, "%-m/%-d/%y %-H:%M")).encode(
        "latin-1", errors="replace"
    ),
    "OnlineRetail.csv": lambda lines: text(dated(lines, "%d-%m-%Y %H:%M")).encode(),
    "twelve hours": lambda lines: text(dated(lines, "%m/%d/%Y %I:%M:%S %p"), "\t").encode(),
    "the second edition": two_editions,
    "a German Excel": german,
}


@pytest.fixture(scope="module")
def lines(real_data: Path) -> pl.DataFrame:
    """All landed lines as text."""
    files = sorted(real_data.glob("*.csv"))
    return pl.concat(pl.read_csv(file, infer_schema=False) for file in files)


@pytest.fixture(scope="module")
def expected(config: RunConfig, real_data: Path) -> pl.DataFrame:
    return customers(surveyed(real_data, config.settings))


def customers(found: Survey) -> pl.DataFrame:
    """The orders, first and last day, and exact amounts of each customer."""
    assert not found.problems
    bought = pl.col("line_type") == PURCHASE
    return (
        found.orders.group_by("customer_id")
        .agg(
            pl.col("invoice_no").filter(bought).n_unique().alias("frequency"),
            pl.col("order_date").filter(bought).min().alias("first"),
            pl.col("order_date").filter(bought).max().alias("last"),
            pl.col("amount").filter(bought).sum().alias("gross"),
            pl.col("amount").sum().alias("monetary"),
        )
        .sort("customer_id")
    )


def test_the_orders_are_those_of_the_facts(expected: pl.DataFrame) -> None:
    assert expected.filter(pl.col("frequency") > 0).height == 4338
    assert str(expected["gross"].sum()) == "8911407.9040000"
    assert expected.filter(pl.col("customer_id") == "12347").select("frequency", "last").row(0) == (
        7,
        datetime(2011, 12, 7).date(),  # noqa: DTZ001
    )


@pytest.mark.parametrize("name", SPELLINGS)
def test_each_spelling_is_the_same_orders(
    config: RunConfig, tmp_path: Path, lines: pl.DataFrame, expected: pl.DataFrame, name: str
) -> None:
    land(tmp_path, f"{name}.csv", SPELLINGS[name](lines))
    found = surveyed(tmp_path, config.settings)
    (file,) = found.files.values()
    assert (file.rows, sum(file.all_rejects.values())) == (541_909, 135_120)
    assert customers(found).equals(expected)
