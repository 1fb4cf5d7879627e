"""Looking customers up in a table of several row groups."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.errors import OutdatedError
from include.published.customers import Customer, CustomerRow, Order, customers_of, find_customer, segment_csv
from include.published.tables import CUSTOMER_SEGMENTS
from tests.unit.published.small import customer_row

CHAMPIONS, LOST = "Champions", "Lost"


@pytest.fixture(params=[True, False], ids=["with-statistics", "without-statistics"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Customers 000 to 009 in row groups of three; the odd ones are Lost. Each spent the number of its id."""
    rows = [
        customer_row(
            f"{n:03}", None if n == 4 else "EIRE", 1, 1, f"{n}.00", "511", LOST if n % 2 else CHAMPIONS
        )
        for n in range(10)
    ]
    table = pa.Table.from_pylist(rows, CUSTOMER_SEGMENTS.arrow_schema)
    file = tmp_path / "customer_segments.parquet"
    pq.write_table(table, file, row_group_size=3, write_statistics=request.param)
    return tmp_path


@pytest.mark.parametrize("customer_id", ["000", "002", "003", "009"])
def test_a_customer_is_found_wherever_in_the_table(folder: Path, customer_id: str) -> None:
    found = find_customer(folder, customer_id, Customer)
    assert found is not None
    assert (found.customer_id, found.monetary) == (customer_id, Decimal(customer_id))
    row = find_customer(folder, customer_id, CustomerRow)
    assert row is not None and row.segment == found.segment


@pytest.mark.parametrize("customer_id", ["", "0", "0000", "010", "zzz", "00\0"])
def test_another_id_is_found_nowhere(folder: Path, customer_id: str) -> None:
    assert find_customer(folder, customer_id, Customer) is None


@pytest.mark.parametrize(
    ("order", "first"),
    [
        (Order("monetary", descending=True), ["008", "006", "004", "002", "000"]),
        (Order("monetary", descending=False), ["000", "002", "004", "006", "008"]),
        (Order("country", descending=False), ["000", "002", "006", "008", "004"]),  # unknown ones last
        (Order("frequency", descending=True), ["000", "002", "004", "006", "008"]),  # all equal: by id
    ],
)
def test_pages_follow_the_order_over_all_row_groups(
    folder: Path, monkeypatch: pytest.MonkeyPatch, order: Order, first: list[str]
) -> None:
    monkeypatch.setattr("include.published.customers.PAGE_ROWS", 2)
    pages = [
        [row.customer_id for row in customers_of(folder, CHAMPIONS, order, page)] for page in (1, 2, 3, 4)
    ]
    assert pages == [first[:2], first[2:4], first[4:], []]


def test_the_csv_file_has_all_in_the_order_of_the_table(folder: Path) -> None:
    head, *lines = b"".join(segment_csv(folder, LOST)).decode().splitlines()
    assert head == ",".join(CUSTOMER_SEGMENTS.names)
    assert [line.split(",")[1] for line in lines] == ["001", "003", "005", "007", "009"]


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutdatedError, match=r"customer_segments\.parquet is missing or damaged"):
        find_customer(tmp_path, "1", Customer)
