"""Published files: equal tables make equal files, and text is safe in a spreadsheet and back."""

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.published.files import (
    CSV_LINE_COLUMN,
    harmless_value,
    original_value,
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


@pytest.mark.parametrize("text", ["=1+1", "+VIP", "-x", "@A1", "'plain", "plain", "-2.50", ""])
def test_a_text_comes_back_from_its_harmless_form(text: str) -> None:
    assert original_value(str(harmless_value(text))) == text
