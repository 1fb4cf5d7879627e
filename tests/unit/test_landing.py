"""Files as shops really send them, all landed together and read once."""

import codecs
import gzip
import os
import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from pyspark.sql import SparkSession

from include.landing.records import (
    LandedFile,
    file_format,
    identity,
    landed_files,
    records,
    still_written,
    unreadable,
)
from include.settings import RunConfig
from tests.tables import HEADER, csv_bytes, ingested, land, line

KEPT = None
POUND = line(text="£5 CAFÉ")
PACKED = gzip.compress(csv_bytes(*[line(quantity=str(n)) for n in range(1, 500)]), mtime=0)

# Name, content, and what becomes of each line: KEPT or a reason.
FILES: dict[str, tuple[bytes, list[str | None]]] = {
    "utf-8.csv": (csv_bytes(POUND), [KEPT]),
    "utf-8 with its mark.csv": (codecs.BOM_UTF8 + csv_bytes(POUND), [KEPT]),
    "utf-16.csv": (csv_bytes(POUND).decode().encode("utf-16"), [KEPT]),
    "utf-16 without its mark.csv": (csv_bytes(POUND).decode().encode("utf-16-le"), [KEPT]),
    "utf-16 of the other order.csv": (csv_bytes(POUND).decode().encode("utf-16-be"), [KEPT]),
    "windows.csv": (csv_bytes(POUND).decode().encode("cp1252"), [KEPT]),
    "two encodings.csv": (csv_bytes(POUND) + POUND.encode("cp1252"), [KEPT, KEPT]),
    "crlf.csv": (csv_bytes(line(), line(), end="\r\n"), [KEPT, KEPT]),
    "old mac.csv": (csv_bytes(line(), line(), end="\r"), [KEPT, KEPT]),
    "no last line end.csv": (csv_bytes(line())[:-1], [KEPT]),
    "cut off.csv": (csv_bytes(line(), line())[:-40], [KEPT, "wrong_number_of_fields"]),
    "break in quotes.csv": (csv_bytes(line(text='"RED\n\nMUG, ""BIG"""'), line()), [KEPT, KEPT]),
    "crlf in quotes.csv": (csv_bytes(line(text='"RED\r\nMUG"'), line(), end="\r\n"), [KEPT, KEPT]),
    "break in the first column.csv": (
        b"Description,InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\r\n"
        b'"RED\r\nMUG",536365,A,6,2010-12-01 08:26:00,2.55,17850,EIRE\r\n'
        b"MUG,536366,A,6,2010-12-01 08:26:00,2.55,17850,EIRE\r\n",
        [KEPT, KEPT],
    ),
    "sloppy lines.csv": (
        csv_bytes(line(text='"RED'), line(text='MUG 12"')),
        ["wrong_number_of_fields", KEPT],
    ),
    "stray quote.csv": (
        csv_bytes(line(text='"RED'), line(), line(text='"TWO\nLINES"')),
        ["wrong_number_of_fields", KEPT, KEPT],
    ),
    "inches.csv": (csv_bytes(line(text='3" NAIL', price='"1,002.50"')), [KEPT]),
    "semicolons.csv": (csv_bytes(line()).replace(b",", b";"), [KEPT]),
    "tabs.csv": (csv_bytes(line()).replace(b",", b"\t"), [KEPT]),
    "pipes.csv": (csv_bytes(line()).replace(b",", b"|"), [KEPT]),
    "excel says sep.csv": (b"sep=;\r\n" + csv_bytes(line()).replace(b",", b";"), [KEPT]),
    "blank lines.csv": (b"\n \n" + csv_bytes(line(), "", "  ", line()), [KEPT, KEPT]),
    "other names.csv": (
        b"Country,Note,customer id,PRICE,InvoiceDate,Quantity,Description,StockCode,Invoice\n"
        b"EIRE,x,17850,2.55,2010-12-01 08:26:00,6,MUG,A,536365\n",
        [KEPT],
    ),
    "too many fields.csv": (csv_bytes(line() + ",more"), ["wrong_number_of_fields"]),
    "zeros.csv": (csv_bytes(line(), "\0" * 100), [KEPT, "zero_byte"]),
    "packed.csv.gz": (PACKED, [KEPT] * 499),
    "packed but not named so.csv": (gzip.compress(csv_bytes(line())), [KEPT]),
    "named packed but not so.csv.gz": (csv_bytes(line()), [KEPT]),
    "no header.csv": ((line() + "\n" + line()).encode(), ["no_header", "no_header"]),
    "a picture.csv": (b"\x89PNG\r\n\x1a\n\xff\xfa", ["no_header"] * 3),
    "empty.csv": (b"", []),
    "header only.csv": (csv_bytes(), []),
    os.fsdecode(b"not utf-8 \xff.csv"): (csv_bytes(line()), [KEPT]),
}


@pytest.fixture(scope="module")
def read(
    spark: SparkSession, config: RunConfig, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Any]]:
    folder = tmp_path_factory.mktemp("landing")
    for name, (data, _) in FILES.items():
        land(folder, name, data)
    table, rows = ingested(spark, config, folder)
    found: dict[str, list[Any]] = {name: [] for name in rows}
    for row in table.orderBy("file", "line").collect():
        found[row["file"]].append(row)
    assert {name: len(of_file) for name, of_file in found.items()} == rows
    return found


@pytest.mark.parametrize("name", FILES, ids=ascii)
def test_each_line_is_understood_or_rejected_with_a_reason(read: dict[str, list[Any]], name: str) -> None:
    shown = os.fsencode(name).decode("utf-8", errors="backslashreplace")
    assert [row["reason"] for row in read[shown]] == FILES[name][1]


@pytest.mark.parametrize("name", [name for name in FILES if FILES[name][0].startswith(codecs.BOM_UTF8)])
def test_a_mark_is_no_part_of_a_column_s_name(read: dict[str, list[Any]], name: str) -> None:
    assert read[name][0]["invoice_no"] == "536365"


def test_text_is_the_same_in_every_encoding(read: dict[str, list[Any]]) -> None:
    names = [name for name in FILES if name.startswith(("utf", "windows", "two"))]
    assert {row["description"] for name in names for row in read[name]} == {"£5 CAFÉ"}
    assert {row["raw"] for name in names for row in read[name]} == {POUND}


def test_a_line_is_numbered_by_the_lines_of_its_file(read: dict[str, list[Any]]) -> None:
    assert [row["line"] for row in read["break in quotes.csv"]] == [2, 5]
    assert [row["line"] for row in read["blank lines.csv"]] == [4, 7]
    assert read["break in quotes.csv"][0]["description"] == 'RED\n\nMUG, "BIG"'
    assert read["inches.csv"][0]["description"] == '3" NAIL'
    assert read["inches.csv"][0]["unit_price"] == Decimal("1002.5000")
    first, second = read["break in the first column.csv"]
    assert (first["line"], first["description"], second["line"]) == (2, "RED\r\nMUG", 4)
    row = read["other names.csv"][0]
    assert (row["country"], row["customer_id"], row["stock_code"]) == ("EIRE", "17850", "A")


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: data[:-8] + b"x" * 8, lambda data: data[:-1]]
)
def test_of_a_damaged_archive_what_unpacks_is_read_and_the_rest_is_one_reject(
    spark: SparkSession, config: RunConfig, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    land(tmp_path, "a.csv.gz", damage(PACKED))
    table, rows = ingested(spark, config, tmp_path)
    found = table.orderBy("line").collect()
    assert rows == {"a.csv.gz": len(found)}
    *before, last = found
    assert last["reason"] == "file_damaged"
    assert [row["reason"] for row in before] == [None] * len(before)
    assert [row["quantity"] for row in before] == list(range(1, len(before) + 1))


def landed(path: Path) -> LandedFile:
    return LandedFile(path, path.name, *identity(path))


def test_what_is_no_file_is_named_and_not_read(tmp_path: Path) -> None:
    land(tmp_path, "a.csv", csv_bytes())
    (tmp_path / "b.csv").mkdir()
    land(tmp_path, "b.csv/part-0.csv", csv_bytes(line()))
    (tmp_path / "c.csv").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "d.csv")
    for name in (".e.csv", "_f.csv", "g.csv.part", "h.csv.tmp", ".part/i.csv"):
        land(tmp_path, name, csv_bytes(line()))
    files, others = landed_files(tmp_path)
    assert [file.name for file in files] == ["a.csv", "b.csv/part-0.csv"]
    assert others == {
        "b.csv": "is a folder",
        "c.csv": "is no file, or a link to nowhere",
        "d.csv": "is no file, or a link to nowhere",
    }


def as_a_stranger(check: Callable[[], bool]) -> None:
    """What holds for a user who is not root, who may read everything."""
    if os.geteuid() != 0:
        assert check()
        return
    pid = os.fork()
    if pid == 0:
        os.setuid(65534)
        os._exit(not check())
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_file_that_may_not_be_read_waits(open_to_all: Path) -> None:
    file = land(open_to_all, "a.csv", csv_bytes())
    file.chmod(0)
    as_a_stranger(lambda: "cannot be read" in unreadable([landed(file)])["a.csv"])


def test_a_folder_that_cannot_be_listed_is_not_taken_for_empty(open_to_all: Path) -> None:
    land(open_to_all, "a.csv", csv_bytes())
    land(open_to_all, "closed/b.csv", csv_bytes())
    (open_to_all / "closed").chmod(0)

    def stops() -> bool:
        try:
            landed_files(open_to_all)
        except PermissionError as error:
            return str(error.filename).endswith("closed")
        return False

    as_a_stranger(stops)
    (open_to_all / "closed").chmod(0o755)


def test_a_file_that_grows_while_it_is_watched_is_still_written(tmp_path: Path) -> None:
    old, young = land(tmp_path, "old.csv", b"x"), tmp_path / "young.csv"
    young.write_bytes(b"x")
    files = [landed(old), landed(young)]
    assert still_written(files, 0.2) == {}
    young.write_bytes(b"xx")
    files = [landed(old), landed(young)]
    Timer(0.1, young.write_bytes, [b"xxx"]).start()
    assert still_written(files, 0.5) == {"young.csv": "is still being written"}


def test_records_are_the_same_with_or_without_spark(
    config: RunConfig, tmp_path: Path, read: dict[str, list[Any]]
) -> None:
    """The driver's reader, on files that Spark has read as well."""
    for name in ("utf-8.csv", "windows.csv", "crlf.csv", "cut off.csv", "blank lines.csv", "zeros.csv"):
        file = landed(land(tmp_path, name, FILES[name][0]))
        found = list(records(file, file_format(file, config.settings.landing.columns)))
        assert found == [(row["line"], row["raw"], False) for row in read[name]], name


def test_the_header_s_names_are_compared_without_case_and_spaces_around(
    config: RunConfig, tmp_path: Path
) -> None:
    names = [f" {name.upper()} " for name in HEADER.split(",")]
    file = landed(land(tmp_path, "a.csv", csv_bytes(header=",".join(names))))
    form = file_format(file, config.settings.landing.columns)
    assert (form.width, form.places, form.header_lines) == (8, tuple(range(8)), 1)
