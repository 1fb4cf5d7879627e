"""Exports as shops really write them: how each is read, customer by customer, without Spark."""

from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import polars as pl
import pytest

from include.commands.survey import Survey, surveyed
from include.landing.line_types import PURCHASE
from include.settings import Params, load_config
from tests.shapes import (
    EXPECTED,
    NOT_IN_THE_DESIGN,
    SETTINGS,
    SKIPPED,
    Figures,
    configured,
    figures,
    is_as_expected,
    landed,
)

OF_CLEAN = {shape for shape, settings in SETTINGS.items() if "invoice_in_several_files" in settings}


@pytest.mark.skipif(not EXPECTED, reason=SKIPPED)
@pytest.mark.parametrize("shape", [shape for shape in EXPECTED if shape not in OF_CLEAN])
def test_a_shape_is_read_customer_by_customer(tmp_path: Path, shape: str) -> None:
    if shape in NOT_IN_THE_DESIGN:
        pytest.skip(f"{NOT_IN_THE_DESIGN[shape]} is not in the design")
    settings = load_config(configured(tmp_path / "config", shape), Params()).settings
    found = surveyed(landed(shape, tmp_path / "landing"), settings)
    assert not found.problems
    rejects = Counter(found.rejects)
    del rejects["no_header"]  # of files that are no orders
    assert rejects == EXPECTED[shape]["rejects"]
    if EXPECTED[shape]["outcome"] == "published":
        assert is_as_expected(shape, customers(found))


def customers(found: Survey) -> dict[str, Figures]:
    """The figures of all who bought, as of a day after all orders."""
    bought = pl.col("line_type") == PURCHASE
    amount, cent = pl.col("amount"), Decimal("0.01")
    rows = found.orders.group_by("customer_id").agg(
        first=pl.col("order_date").filter(bought).min().cast(pl.String),
        last=pl.col("order_date").filter(bought).max().cast(pl.String),
        frequency=pl.col("invoice_no").filter(bought).n_unique(),
        gross=amount.filter(bought).sum(),
        returned=pl.col("refund").sum() - amount.filter(~bought).sum(),
    )
    result = {}
    for row in rows.filter(pl.col("frequency") > 0).iter_rows(named=True):
        exact = row | {"monetary": row["gross"] - row["returned"]}
        money = {
            name: exact[name].quantize(cent, ROUND_HALF_UP) for name in ("gross", "returned", "monetary")
        }
        result[row["customer_id"]] = figures(row | money)
    return result
