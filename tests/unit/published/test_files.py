"""Published files: equal tables make equal files, and text is safe in a spreadsheet and back."""

from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.published.files import (
    CSV_LINE_COLUMN,
    ROWS_PER_GROUP,
    harmless_value,
    original_value,
    table_csv,
    write_small_csv,
    write_table,
)

TABLE = pa.table({"a": list(range(1000)), "b": [Decimal(n) for n in range(1000)]})
PARTS = {"one": [0, 1000], "many": [0, 1, 500, 500, 1000]}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table written from one part, and from many."""
    folder = tmp_path_factory.mktemp("tables")
    rows = TABLE.append_column(CSV_LINE_COLUMN, [[f"{n},é" for n in range(1000)]])
    for name, cuts in PARTS.items():
        (folder / name).mkdir()
        for number, (start, end) in enumerate(pairwise(cuts)):
            pq.write_table(rows.slice(start, end - start), folder / name / f"part-{number:05}.parquet")
        files = folder / f"{name}.parquet", folder / f"{name}.csv"
        assert write_table(folder / name, ["a", "b"], *files) == 1000
    return folder


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_equal_tables_make_equal_files_however_they_were_divided(written: Path, ending: str) -> None:
    assert (written / f"one.{ending}").read_bytes() == (written / f"many.{ending}").read_bytes()


def test_the_parquet_file_has_the_columns_without_the_csv_lines(written: Path) -> None:
    assert pq.read_table(written / "one.parquet").equals(TABLE)


def test_a_row_group_is_small_and_its_money_is_quickly_read(tmp_path: Path) -> None:
    """A look-up of a customer reads one row group, and a page goes through all money."""
    rows = ROWS_PER_GROUP + 1
    money = pa.array([Decimal("1.50")] * rows, pa.decimal128(18, 2))
    part = pa.table({"money": money, CSV_LINE_COLUMN: ["1.50"] * rows})
    (tmp_path / "parts").mkdir()
    pq.write_table(part, tmp_path / "parts" / "part-0.parquet")
    write_table(tmp_path / "parts", ["money"], tmp_path / "t.parquet", tmp_path / "t.csv")
    with pq.ParquetFile(tmp_path / "t.parquet") as written:
        assert [written.metadata.row_group(n).num_rows for n in (0, 1)] == [ROWS_PER_GROUP, 1]
        assert written.schema.column(0).physical_type == "INT64"
        assert written.read().equals(part.select(["money"]))


def test_the_csv_file_has_a_header_and_the_lines(written: Path) -> None:
    assert (written / "one.csv").read_bytes().decode().startswith("a,b\r\n0,é\r\n1,é\r\n")


def test_a_small_table_is_rfc_4180_with_empty_fields_for_null(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"segment": 'A "B", C', "revenue": Decimal("-2.50")},
        {"segment": "=1+1", "revenue": None},
    ]
    write_small_csv(tmp_path / "t.csv", ["segment", "revenue"], rows)
    expected = b'segment,revenue\r\n"A ""B"", C",-2.50\r\n\'=1+1,\r\n'
    assert (tmp_path / "t.csv").read_bytes() == expected


def test_a_large_table_has_the_same_lines_as_a_small_one(tmp_path: Path) -> None:
    texts = ["plain", 'A "B", C', "a\nb", "=1+1", "\uff1dx", " -x", "-2.50", "C-0042", "é", "", None, "A1\n"]
    numbers = [*[Decimal("-2.50"), None] * 5, Decimal("0.00"), Decimal("1000000.10")]
    days = [date(2011, 12, 10)] * 12
    table = pa.table({"text": [*texts, *texts], "number": numbers * 2, "day": days * 2})
    for rows in (table, table.slice(3, 1), table.slice(0, 0), pa.concat_tables([table, table])):
        write_small_csv(tmp_path / "small.csv", table.column_names, rows.to_pylist())
        head = b"text,number,day\r\n"
        assert head + table_csv(rows) == (tmp_path / "small.csv").read_bytes()


@pytest.mark.parametrize("text", ["=1+1", "+VIP", "-x", "@A1", "'plain", "plain", "-2.50", ""])
def test_a_text_comes_back_from_its_harmless_form(text: str) -> None:
    assert original_value(str(harmless_value(text))) == text
