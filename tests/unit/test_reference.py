"""The reference gives the published figures of the real data, and those of a few tables made by hand."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.reference import (
    NO_LONGER,
    NOT_YET,
    RF10,
    RFM11,
    Cleaned,
    Line,
    Row,
    Snapshot,
    bin_of,
    clean,
    cut_points,
    half_up,
    normalise_customer,
    read_lines,
    snapshot,
)

D = date(2011, 12, 10)

SEGMENTS = ["Champions", "Loyal Customers", "Potential Loyalists", "New Customers", "Promising"]
SEGMENTS += ["Need Attention", "About To Sleep", "At Risk", "Can't Lose Them", "Hibernating"]
FIGURES_RF10 = [604, 688, 484, 67, 169, 121, 478, 357, 35, 1335]
FIGURES_RFM11 = [803, 400, 313, 400, 243, 253, 233, 349, 128, 650, 566]


def money(*texts: str) -> list[Decimal]:
    return [Decimal(text) for text in texts]


def line(
    invoice_no: str = "1",
    customer: str | None = "A",
    day: str = "2011-01-01",
    price: str = "1",
    *,
    quantity: int = 1,
    country: str = "UK",
    stock_code: str = "85123A",
) -> Line:
    """A line of one piece at 1.00, except for what the test is about."""
    when = datetime.fromisoformat(day)
    return Line(invoice_no, stock_code, "LANTERN", quantity, when, Decimal(price), customer, country)


def snapshot_of(*lines: Line, as_of: date = date(2011, 2, 1), **settings: Any) -> Snapshot:
    return snapshot(clean(lines), as_of, **settings)


def only_customer(*lines: Line, **settings: Any) -> Row:
    (row,) = snapshot_of(*lines, **settings).customers
    return row


# The real data


@pytest.fixture(scope="module")
def real_lines(real_data: Path) -> list[Line]:
    return read_lines(sorted(real_data.glob("*.csv")))


@pytest.fixture(scope="module")
def real(real_lines: list[Line]) -> Cleaned:
    return clean(real_lines)


@pytest.fixture(scope="module")
def real_snapshot(real: Cleaned) -> Snapshot:
    return snapshot(real, D)


def test_every_step_of_cleaning_the_real_data_leaves_the_published_counts(
    real_lines: list[Line], real: Cleaned
) -> None:
    purchases = [x for x in real.kept if x.line_type == "purchase"]
    cancelled = [x for x in real.kept if x.line_type == "cancellation"]
    assert len(real_lines) == 541_909
    assert len({x.invoice_no for x in real_lines}) == 25_900
    assert len({x.customer_id for x in real_lines} - {None}) == 4_372
    # Three lines without a customer are adjustments of bad debt, which says more.
    assert real.rejects == {"missing_customer": 135_077, "price_not_positive": 40, "unknown_invoice_type": 3}
    assert len(cancelled) == 8_905
    assert len(purchases) == 397_884
    assert len({x.invoice_no for x in purchases}) == 18_532
    assert len({x.customer_id for x in purchases}) == 4_338
    assert sum(x.amount for x in purchases) == Decimal("8911407.904")


def test_the_real_customers_add_up_to_the_net_revenue(real: Cleaned, real_snapshot: Snapshot) -> None:
    rows = real_snapshot.customers
    ids = {row["customer_id"] for row in rows}
    assert len(rows) == 4_338
    net = sum(x.amount for x in real.kept if x.customer_id in ids)
    assert net == Decimal("8310477.054")
    assert sum(row["monetary"] for row in rows) == Decimal("8310477.05")
    assert sum(row["frequency"] for row in rows) == 18_532


def test_the_real_cut_points(real_snapshot: Snapshot) -> None:
    assert real_snapshot.cut_points == {
        "R": [13, 33, 72, 180],
        "F": [1, 2, 3, 6],
        "M": money("243.22", "475.28", "914.93", "2018.91"),
    }


@pytest.mark.parametrize(
    ("segment_map", "segments", "figures"),
    [(RFM11, [*SEGMENTS, "Lost"], FIGURES_RFM11), (RF10, SEGMENTS, FIGURES_RF10)],
    ids=["rfm11", "rf10"],
)
def test_the_real_segments_in_the_order_of_the_map(
    real: Cleaned, segment_map: dict[str, str], segments: list[str], figures: list[int]
) -> None:
    summary = snapshot(real, D, segment_map=segment_map).summary
    assert [row["segment"] for row in summary] == segments
    assert [row["customers"] for row in summary] == figures
    assert sum(row["revenue"] for row in summary) == Decimal("8310477.05")
    assert sum(row["revenue_share"] for row in summary) == pytest.approx(1, abs=0.001)


@pytest.mark.parametrize(
    ("customer_id", "figures"),
    [
        ("12347", (3, 7, Decimal("4310.00"), "555", "Champions")),
        ("12346", (326, 1, Decimal("0.00"), "111", "Lost")),
        ("14646", (2, 73, Decimal("279489.02"), "555", "Champions")),
        ("16446", (1, 2, Decimal("2.90"), "521", "Promising")),
    ],
)
def test_spot_checks_on_real_customers(
    real_snapshot: Snapshot, customer_id: str, figures: Sequence[object]
) -> None:
    (row,) = [row for row in real_snapshot.customers if row["customer_id"] == customer_id]
    names = ("recency_days", "frequency", "monetary", "rfm_score", "segment")
    assert tuple(row[name] for name in names) == figures


def test_without_netting_the_order_cancelled_within_minutes_counts_in_full(real: Cleaned) -> None:
    gross = snapshot(real, D, cancellations="drop").customers
    (row,) = [row for row in gross if row["customer_id"] == "16446"]
    assert (row["monetary"], row["gross"]) == tuple(money("168472.50", "168472.50"))
    assert row["returned"] == Decimal("168469.60")


def test_on_the_first_real_day_there_are_no_customers_yet(real: Cleaned) -> None:
    empty = snapshot(real, date(2010, 12, 1))
    assert empty.customers == empty.movement == []
    assert empty.cut_points == dict.fromkeys("RFM", [None] * 4)
    assert [row["segment"] for row in empty.summary] == [*SEGMENTS, "Lost"]
    assert {row["customer_share"] for row in empty.summary} == {0}
    assert {row["revenue_share"] for row in empty.summary} == {None}


def test_after_the_first_real_day_everybody_is_as_recent(real: Cleaned) -> None:
    rows = snapshot(real, date(2010, 12, 2)).customers
    assert len(rows) == 95
    assert sum(row["monetary"] for row in rows) == Decimal("46342.54")
    assert {row["r_score"] for row in rows} == {5}


def test_the_movement_of_the_real_customers_agrees_with_the_snapshot_30_days_before(
    real: Cleaned, real_snapshot: Snapshot
) -> None:
    before = snapshot(real, date(2011, 11, 10)).customers
    segment = {row["customer_id"]: row["segment"] for row in before}
    rows = real_snapshot.customers
    assert [r["previous_segment"] for r in rows] == [segment.get(r["customer_id"]) for r in rows]
    assert sum(row["customers"] for row in real_snapshot.movement) == len(rows)
    assert NO_LONGER not in {row["segment"] for row in real_snapshot.movement}


def test_the_real_scores_by_counting_are_those_by_cut_points(real_snapshot: Snapshot) -> None:
    for row in real_snapshot.customers:
        below = {
            metric: sum(cut < row[name] for cut in real_snapshot.cut_points[metric])
            for metric, name in [("R", "recency_days"), ("F", "frequency"), ("M", "monetary")]
        }
        assert row["rfm_score"] == f"{5 - below['R']}{1 + below['F']}{1 + below['M']}"


# Tables made by hand


def test_bins_by_counting_are_bins_by_cut_points_whatever_the_ties() -> None:
    for n in range(1, 7):
        for values in product(range(4), repeat=n):
            cuts = cut_points(values)
            by_cuts = [sum(cut < value for cut in cuts) for value in values]
            assert [bin_of(value, sorted(values)) for value in values] == by_cuts


def test_five_different_customers_score_one_to_five() -> None:
    assert [bin_of(value, [10, 20, 30, 40, 50]) for value in (10, 20, 30, 40, 50)] == [*range(5)]
    assert cut_points([10, 20, 30, 40, 50]) == [10, 20, 30, 40]
    assert cut_points([7]) == [7] * 4


def test_customer_ids_are_normalised() -> None:
    same = {"17850.0": "17850", " 17850 ": "17850", "C-0042": "C-0042", "1.5": "1.5"}
    assert {text: normalise_customer(text) for text in same} == same
    assert {normalise_customer(x) for x in ("", "  ", "NULL", "NaN", "none", "Na")} == {None}


def test_lines_are_read_as_written(tmp_path: Path) -> None:
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    text = header + '536365,85123a,"A ""T"" LIGHT, RED ",6,2010-12-01 08:26:00,0.001,17850.0,EIRE\n'
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    when, price = datetime.fromisoformat("2010-12-01T08:26:00"), Decimal("0.001")
    expected = Line("536365", "85123a", 'A "T" LIGHT, RED ', 6, when, price, "17850", "EIRE")
    assert read_lines([tmp_path / "a.csv"]) == [expected]


def test_a_line_is_rejected_for_the_first_reason_that_holds() -> None:
    bad: dict[str, Any] = {"stock_code": " Post", "quantity": 0, "price": "0"}
    lines = [line("A1", customer=None, **bad), line(customer=None, **bad), line(**bad)]
    lines += [line(quantity=0, price="0"), line(quantity=-1, price="0"), line(quantity=0), line(price="-1")]
    lines += [
        line("c1", quantity=2, price="0"),
        line("C1", quantity=2, price="3"),
        line(quantity=-1, price="2"),
    ]
    cleaned = clean(lines, excluded_stock_codes=["POST "])
    assert list(cleaned.rejects.items()) == [
        ("unknown_invoice_type", 1),
        ("missing_customer", 1),
        ("excluded_stock_code", 1),
        ("price_not_positive", 3),
        ("quantity_not_positive", 1),
    ]
    assert {x.line_type for x in cleaned.kept} == {"cancellation"}
    assert [x.amount for x in cleaned.kept] == [0, -6, -2]


def test_exact_duplicates_are_dropped_only_on_request() -> None:
    lines = [line(), line(price="1.00"), line(quantity=2), line(customer=None)]
    assert len(clean(lines).kept) == 3
    dropped = clean(lines, duplicates="drop")
    assert dropped.kept == [line(), line(quantity=2)]
    assert dropped.rejects == {"duplicate_line": 1, "missing_customer": 1}


def test_a_customer_row_has_the_published_columns_and_values() -> None:
    row = only_customer(
        line("1", day="2011-01-01 23:59:59", price="2.005", country="Austria"),
        line("2", day="2011-01-31 09:00", price="5", quantity=2, country="Spain"),
        line("2", day="2011-01-31 09:01", price="3", country="EIRE"),
        line("C3", day="2011-01-31 10:00", quantity=-1, price="0.1"),
        line("4", day="2011-02-01 00:00"),
    )
    assert ",".join(str(value) for value in row.values()) == (
        "2011-02-01,A,EIRE,2011-01-01,2011-01-31,1,2,14.91,15.01,0.10,7.46,5,1,1,511,"
        "New Customers,New Customers"
    )
    assert ",".join(row) == (
        "as_of,customer_id,country,first_purchase_date,last_purchase_date,recency_days,frequency,"
        "monetary,gross,returned,avg_order_value,r_score,f_score,m_score,rfm_score,segment,"
        "previous_segment"
    )


def test_money_is_rounded_half_away_from_zero_once() -> None:
    rounded = [half_up(Decimal(x)) for x in ("0.005", "-0.005", "-0.004", "0.0149")]
    assert [str(x) for x in rounded] == ["0.01", "-0.01", "0.00", "0.01"]
    assert only_customer(*[line(price="0.001")] * 5)["monetary"] == Decimal("0.01")


def test_cancellations_alone_make_no_customer_and_can_leave_a_negative_value() -> None:
    purchase, returned = line("1", "B"), line("C2", "B", quantity=-3)
    row = only_customer(line("C9", "A", quantity=-1), purchase, returned)
    assert [row["monetary"], row["gross"], row["returned"]] == money("-2", "1", "3")
    assert snapshot_of(purchase, returned).summary[3]["revenue_share"] is None
    dropped = only_customer(purchase, returned, cancellations="drop")
    assert [dropped["monetary"], dropped["returned"]] == money("1", "3")


def test_a_look_back_counts_its_first_day_and_nothing_before() -> None:
    lines = [line("1", day="2011-01-21 23:59"), line("2", day="2011-01-22 00:00")]
    row = only_customer(*lines, line("C3", day="2011-01-21", quantity=-1), lookback_days=10)
    assert (row["frequency"], row["first_purchase_date"]) == (1, date(2011, 1, 22))
    assert row["returned"] == 0


def test_movement_shows_who_came_who_went_and_who_stayed() -> None:
    lines = [line(customer="went", day="2011-01-01"), line("2", "stayed", "2011-01-15")]
    lines += [line("3", "came", "2011-01-31", price="5"), line("4", "stayed", "2011-01-31")]
    result = snapshot_of(*lines, lookback_days=20, compare_days=14)
    assert [tuple(row.values()) for row in result.movement] == [
        ("New Customers", "Potential Loyalists", 1),
        ("New Customers", NO_LONGER, 1),
        (NOT_YET, "Promising", 1),
    ]
    assert [row["previous_segment"] for row in result.customers] == [None, "New Customers"]


def test_the_summary_of_three_customers() -> None:
    lines = [line("1", "A"), line("2", "B"), line("3", "C", price="4.03"), line("4", "C")]
    result = snapshot_of(*lines, segment_map=dict.fromkeys(RFM11, "Lost") | {"511": "First"})
    shares = money("0.6667", "0.2845")
    assert [tuple(row.values()) for row in result.summary] == [
        ("Lost", 1, Decimal("0.3333"), 2, *money("5.03", "0.7155", "31", "2", "5.03", "5.03")),
        ("First", 2, shares[0], 2, Decimal("2.00"), shares[1], *money("31", "1", "1", "1")),
    ]


def test_the_median_of_an_even_number_is_the_middle_of_the_two() -> None:
    lines = [line(str(i), f"C{i}", price=f"{i}.01") for i in (1, 2, 3, 9)]
    (row,) = snapshot_of(*lines, segment_map=dict.fromkeys(RFM11, "All")).summary
    assert [row["avg_monetary"], row["median_monetary"]] == money("3.76", "2.51")


def test_an_empty_segment_has_no_averages() -> None:
    rows = {row["segment"]: tuple(row.values())[1:] for row in snapshot_of(line()).summary}
    assert list(rows) == [*SEGMENTS, "Lost"]
    assert rows["Lost"] == (0, 0, 0, 0, 0, None, None, None, None)
