"""Data quality: runs, files, rows and rejects."""

import csv
import io
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from include.lake.record import RECORD, FileCounts, InputFile, RunRecord
from include.lake.state import read_state, state_text
from include.published.files import write_small_csv
from include.published.tables import REJECTS
from tests.pages.conftest import AS_OF, Shop
from tests.pages.test_overview import EARLIER, words
from tests.unit.published.small import FORMULA, HOSTILE

STARTED = "2011-12-10T02:00:00+00:00"
SECOND = 10**9  # in nanoseconds


def with_files(folder: Path, files: int = 2) -> Path:
    """The snapshot with landed files of 10, 20, ... lines, of which one each is rejected, and a second one of
    the last file."""
    entries = {
        f"shop/{number:03}.csv": InputFile(
            batch="b",
            size=100 * number,
            modified=number * SECOND,
            rows=10 * number,
            kept=10 * number - (number == files),
            rejects={"quantity_unreadable": 1} if number == files else {},
            read_as="UTF-8 or Windows-1252, tabs, header in line 1" if number == files else None,
            clean=FileCounts(kept=10 * number - 1 - (number == files), rejects={"missing_customer": 1}),
        )
        for number in range(1, files + 1)
    }
    record = read_state(folder / RECORD, RunRecord)
    ingest = record.stages["ingest"].model_copy(
        update={
            "rows_in": 30,
            "rejects": {"quantity_unreadable": 1},
            "files_not_counted": {f"{HOSTILE}.csv": "still written"},
            "files_gone": {f"gone {HOSTILE}.csv": 1234},
            "warnings": [f"{HOSTILE} looks doubtful"],
        }
    )
    clean = record.stages["clean"].model_copy(update={"rows_out": 27, "rejects": {"missing_customer": 2}})
    stages = record.stages | {"ingest": ingest, "clean": clean}
    changed = record.model_copy(update={"input_files": entries, "stages": stages})
    (folder / RECORD).write_text(state_text(changed))
    reject = ("clean", "shop/001.csv", None, 7, "missing_customer", f"1,{HOSTILE}")
    formula = ("clean", "shop/001.xlsx", "a sheet", 8, "missing_customer", FORMULA)
    rows = [dict(zip(REJECTS.names, row, strict=True)) for row in (reject, formula)]
    write_small_csv(folder / "rejects.csv", REJECTS.names, rows)
    return folder


def test_rows_by_task_and_rejects_by_reason_with_examples(reader: TestClient, shop: Shop) -> None:
    with_files(shop())
    answer = reader.get("/quality")
    text = words(answer.text)
    assert "ingest 30 1 4 1.0" in text
    examples = f"shop/001.csv line 7 1,{HOSTILE} shop/001.xlsx/a sheet line 8 {FORMULA}"
    assert f"missing customer 2 6.7% {examples}" in text
    assert "quantity unreadable 1 3.3%" in text
    assert HOSTILE not in answer.text


def test_warnings_and_files_that_are_not_counted_or_gone_are_shown(reader: TestClient, shop: Shop) -> None:
    with_files(shop())
    text = words(reader.get("/quality").text)
    assert f"{HOSTILE} looks doubtful" in text
    assert f"Not counted: {HOSTILE}.csv, still written" in text
    assert f"Gone since the run before: gone {HOSTILE}.csv, with 1,234 lines that counted" in text


def test_the_files_are_sorted_and_paged(reader: TestClient, shop: Shop) -> None:
    with_files(shop(), 60)

    def files(**query: object) -> list[str]:
        page = reader.get("/quality", params=query).text  # type: ignore[arg-type]
        return re.findall(r'<th scope="row">shop/(\d+)\.csv</th>', page)

    assert files()[0] == "060", "the newest"
    assert len(files()) == 50
    assert files(files_page=2) == [f"{number:03}" for number in range(10, 0, -1)]
    assert files(files_sort="file")[0] == "001"
    assert files(files_sort="-rejected")[:2] == ["060", "001"]
    assert "shop/060.csv 1970-01-01 00:01 6,000 600 598 2" in words(reader.get("/quality").text)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"files_sort": "raw"}, "Sort by file, modified, bytes, lines, kept, rejected, reasons, read_as."),
        ({"files_page": "2"}, "The last page of files is 1."),
        ({"runs_page": "-1"}, "Pages have numbers from 1 to 200."),
    ],
)
def test_an_order_or_a_page_that_does_not_exist_is_a_404(
    reader: TestClient, shop: Shop, query: dict[str, str], expected: str
) -> None:
    with_files(shop())
    answer = reader.get("/quality", params=query)
    assert answer.status_code == 404
    assert expected in answer.text


def test_files_are_downloaded(reader: TestClient, shop: Shop) -> None:
    with_files(shop())
    answer = reader.get("/quality/files.csv", params={"files_sort": "file"})
    assert answer.headers["content-disposition"] == 'attachment; filename="files-2011-12-10.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    found = [(row["file"], row["lines"], row["kept"], row["reasons"], row["read_as"]) for row in rows]
    assert found == [
        ("shop/001.csv", "10", "9", "missing customer 1", ""),
        (
            "shop/002.csv",
            "20",
            "18",
            "quantity unreadable 1, missing customer 1",
            "UTF-8 or Windows-1252, tabs, header in line 1",
        ),
    ]


def test_the_runs_of_all_dates_are_there_and_downloaded(reader: TestClient, shop: Shop) -> None:
    with_files(shop(EARLIER))
    with_files(shop(AS_OF))
    text = words(reader.get("/quality", params={"snapshot": "2011-12-09"}).text)
    assert "2011-12-10 30 27 4 5.0 1 2011-12-10 02:05 UTC manual__1 2011-12-09 30 27 4" in text
    lines = reader.get("/quality/runs.csv").text.splitlines()
    assert lines[1] == "2011-12-10,30,27,4,5.0,1,2011-12-10T02:05:00+00:00,manual__1"
    assert lines[2].startswith("2011-12-09,30,27,")


def test_rows_by_task_and_rejects_are_downloaded_without_formulas(reader: TestClient, shop: Shop) -> None:
    folder = with_files(shop())
    rows = [dict(zip(REJECTS.names, ("clean", "a.csv", None, 8, "missing_customer", FORMULA), strict=True))]
    write_small_csv(folder / "rejects.csv", REJECTS.names, rows)
    lines = reader.get("/quality/stages.csv").text.splitlines()
    assert lines[:2] == ["task,rows_in,rejected,rows_out,seconds,started", f"ingest,30,1,4,1.0,{STARTED}"]
    lines = reader.get("/quality/rejects.csv").text.splitlines()
    assert lines == [
        "reason,lines,share,example",
        f"missing_customer,2,{2 / 30},'{FORMULA}",
        f"quantity_unreadable,1,{1 / 30},",
    ]


def test_a_table_that_does_not_exist_is_a_404(reader: TestClient, shop: Shop) -> None:
    with_files(shop())
    answer = reader.get("/quality/<script>.csv")
    assert answer.status_code == 404
    assert "It has the tables stages, rejects, files, runs." in answer.text


def test_a_damaged_snapshot_is_left_out_and_named(reader: TestClient, shop: Shop) -> None:
    with_files(shop(AS_OF))
    (shop(EARLIER) / RECORD).write_text("{")
    text = words(reader.get("/quality").text)
    assert "Left out: 2011-12-09," in text
    assert "clear the run from `ingest` onwards" in text


def test_damaged_rejects_say_what_to_clear(reader: TestClient, shop: Shop) -> None:
    (with_files(shop()) / "rejects.csv").write_bytes(b"stage,file\r\n\xff")
    answer = reader.get("/quality")
    assert answer.status_code == 409
    assert "rejects.csv is missing or damaged" in answer.text
