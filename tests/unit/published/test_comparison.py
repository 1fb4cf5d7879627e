"""The customers of two snapshots beside each other."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.errors import OutdatedError
from include.published.comparison import (
    Group,
    Moved,
    group_rows,
    moved_customers,
    moves_between,
)
from include.published.customers import Order
from include.published.snapshot import Move
from include.published.tables import CUSTOMER_SEGMENTS, NO_LONGER, NOT_YET
from tests.unit.published.small import customer_row

# Id, days since the last purchase, spend, score, segment.
Row = tuple[str, int, str, str, str]
THEN: list[Row] = [
    ("a", 5, "100.00", "555", "Champions"),
    ("b", 5, "300.00", "555", "Champions"),
    ("c", 200, "50.00", "211", "Hibernating"),
    ("d", 300, "70.00", "111", "Lost"),
]
NOW: list[Row] = [
    ("b", 90, "300.00", "255", "At Risk"),
    ("c", 3, "80.00", "522", "Potential Loyalists"),
    ("d", 330, "70.00", "111", "Lost"),
    ("e", 1, "10.00", "511", "New Customers"),
    ("é", 1, "10.00", "511", "New Customers"),
]
BY_SPENT = Order("spent_then", descending=True)


def written(folder: Path, rows: list[Row], per_group: int) -> Path:
    folder.mkdir(parents=True)
    table = pa.Table.from_pylist(
        [
            customer_row(name, "EIRE", days, 1, spent, score, segment)
            for name, days, spent, score, segment in rows
        ],
        CUSTOMER_SEGMENTS.arrow_schema,
    )
    pq.write_table(table, folder / "customer_segments.parquet", row_group_size=per_group)
    return folder


def ids(then: Path, now: Path, group: Group, order: Order, page: int = 1) -> list[str]:
    customers, _ = moved_customers(then, now, group, order, page)
    return [customer.customer_id for customer in customers]


@pytest.fixture(params=[1, 2, 100], ids="{}-in-a-row-group".format)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """Both snapshots, joined in pieces of different sizes."""
    return written(tmp_path / "then", THEN, 3), written(tmp_path / "now", NOW, request.param)


def test_each_customer_is_counted_once(pair: tuple[Path, Path]) -> None:
    assert set(moves_between(*pair)) == {
        Move("Champions", NO_LONGER, 1),
        Move("Champions", "At Risk", 1),
        Move("Hibernating", "Potential Loyalists", 1),
        Move("Lost", "Lost", 1),
        Move(NOT_YET, "New Customers", 2),
    }


def test_who_left_a_segment_includes_who_no_longer_counts_the_most_spent_first(
    pair: tuple[Path, Path],
) -> None:
    customers = [
        Moved("b", "Champions", "At Risk", Decimal("300.00"), Decimal("300.00"), 90),
        Moved("a", "Champions", NO_LONGER, Decimal("100.00"), None, None),
    ]
    assert moved_customers(*pair, Group(left="Champions"), BY_SPENT, 1) == (customers, 2)


def test_won_back_is_who_was_away_and_has_bought_again(pair: tuple[Path, Path]) -> None:
    assert ids(*pair, Group(won_back=True), BY_SPENT) == ["c"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order("spent_then", descending=True), ["b", "a", "d", "c", "e", "é"]),  # who spent nothing by id
        (Order("spent_then", descending=False), ["c", "d", "a", "b", "e", "é"]),  # or is unknown: last
        (Order("recency_days", descending=True), ["d", "b", "c", "e", "é", "a"]),
        (Order("customer_id", descending=True), ["é", "e", "d", "c", "b", "a"]),
        (Order("segment", descending=False), ["b", "d", "e", "é", "a", "c"]),
    ],
)
def test_a_list_is_sorted_by_any_column(pair: tuple[Path, Path], order: Order, expected: list[str]) -> None:
    assert ids(*pair, Group(), order) == expected


def test_a_pair_of_segments_has_its_customers_by_their_ids(pair: tuple[Path, Path]) -> None:
    group = Group(then=NOT_YET, now="New Customers")
    found = [row["customer_id"] for rows in group_rows(*pair, group) for row in rows.to_pylist()]
    assert found == ["e", "é"]


def test_a_second_page_goes_on(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("include.published.comparison.PAGE_ROWS", 1)
    assert [ids(*pair, Group(left="Champions"), BY_SPENT, page) for page in (1, 2, 3)] == [["b"], ["a"], []]


@pytest.mark.parametrize("empty", ["then", "now", "both"])
def test_an_empty_snapshot_can_be_compared(tmp_path: Path, empty: str) -> None:
    then = written(tmp_path / "then", [] if empty in ("then", "both") else THEN, 3)
    now = written(tmp_path / "now", [] if empty in ("now", "both") else NOW, 3)
    assert sum(move.customers for move in moves_between(then, now)) == {"then": 5, "now": 4, "both": 0}[empty]


def test_a_table_that_is_not_sorted_is_refused(tmp_path: Path) -> None:
    then, now = written(tmp_path / "then", THEN, 3), written(tmp_path / "now", NOW[::-1], 3)
    with pytest.raises(OutdatedError, match="are not sorted by their ids"):
        moves_between(then, now)


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    then, now = written(tmp_path / "then", THEN, 3), written(tmp_path / "now", NOW, 3)
    (then / "customer_segments.parquet").write_bytes(b"PAR1")
    with pytest.raises(OutdatedError, match=r"then/customer_segments\.parquet is missing or damaged"):
        moves_between(then, now)
