"""CSV made by Spark: RFC 4180, harmless in a spreadsheet, and equal to the CSV that Python makes."""

import csv
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from include.published.files import write_small_csv
from include.spark.columns import small_table
from include.spark.csv_text import write_csv

FORMULAS = ['=HYPERLINK("x")', "+1+1", "@SUM(A1)", "-2+3", " =1+1", "\t=1", "\uff1d1+1", "-2.50\n", "\rx"]
OTHERS = ["-2.50", 'A "B", C', " padded ", "", "two\nlines", "two\r\nlines", "two\rlines", "plain"]
TEXTS = [*FORMULAS, *OTHERS]


@pytest.fixture(scope="module")
def written(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of the texts in order, from several parts."""
    folder = tmp_path_factory.mktemp("csv")
    table = small_table(spark, list(enumerate(TEXTS)), "n int, text string").repartition(3).orderBy("n")
    assert write_csv(table, folder / "t.csv") == len(TEXTS)
    return folder / "t.csv"


def texts_of(file: Path) -> list[str]:
    with file.open(newline="") as stream:
        return [row["text"] for row in csv.DictReader(stream, strict=True)]


def test_lines_are_in_order_and_end_with_crlf(written: Path) -> None:
    data = written.read_bytes()
    assert data.startswith(b"n,text\r\n0,") and data.endswith(b"16,plain\r\n")


def test_a_formula_has_an_apostrophe_before_it_and_other_text_is_as_it_was(written: Path) -> None:
    assert texts_of(written) == [*[f"'{text}" for text in FORMULAS], *OTHERS]


def test_nothing_but_the_file_is_left(written: Path) -> None:
    assert [path.name for path in written.parent.iterdir()] == ["t.csv"]


def test_python_writes_the_same_texts(written: Path, tmp_path: Path) -> None:
    write_small_csv(tmp_path / "small.csv", ["text"], [{"text": text} for text in TEXTS])
    assert texts_of(tmp_path / "small.csv") == texts_of(written)
