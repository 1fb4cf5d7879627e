"""What ingest and clean have to do, decided without Spark: for every kind of delivery, and its record."""

import gzip
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from include.errors import InputError, OutdatedError
from include.lake.commit import commit_manifest
from include.lake.manifest import (
    BatchedFiles,
    CleanedFile,
    CleanedManifest,
    FileEntry,
    IngestedFile,
    IngestedManifest,
    InvoiceExample,
    InvoiceFinding,
)
from include.lake.paths import Lake, batch_folder
from include.lake.plan import (
    MOST_ORDER_BATCHES,
    CleanPlan,
    IngestPlan,
    files_to_clean,
    files_to_compare,
    plan_clean,
    plan_ingest,
)
from include.lake.state import Execution
from include.landing.copies import Content, units_of
from include.landing.files import LandedFile, identity
from include.settings import RunConfig, Segmentation
from tests.archives import zipped
from tests.tables import LONG_AGO, land

EXECUTION = Execution("ingest", "a run")


@pytest.fixture
def settings(config: RunConfig) -> Segmentation:
    return config.settings


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    lake.landing.mkdir(parents=True)
    return lake


def ingested_file(lake: Lake, name: str, batch: str = "one", kept: int = 2) -> IngestedFile:
    """The entry of a file as it is in landing now, with one reject."""
    path = lake.landing / name
    file = LandedFile(path, name, *identity(path))
    entry = IngestedFile(
        batch=batch,
        size=file.size,
        modified=file.modified,
        rows=kept + 1,
        kept=kept,
        rejects={"quantity_unreadable": 1},
    )
    return entry.with_content(Content(file.size, file.modified, units_of(file)), None)


def commit_ingested(lake: Lake, settings: Segmentation, *names: str) -> None:
    """A manifest in which these files are converted, in one batch."""
    stage = lake.ingested(settings.ingest_fingerprint)
    batch_folder(stage, "one").mkdir(parents=True, exist_ok=True)
    files = {name: ingested_file(lake, name) for name in names}
    manifest = IngestedManifest(files=files, files_in_batch={"one": len(names)}, landing_version=1)
    commit_manifest(lake, stage, manifest)


def plan(lake: Lake, settings: Segmentation) -> IngestPlan:
    return plan_ingest(lake, settings, landing_version=2, settle_seconds=0)


def names(plan: IngestPlan) -> list[str]:
    return [file.name for file in plan.new]


# -- ingest -------------------------------------------------------------------------------------


def test_an_empty_lake_converts_every_file(lake: Lake, settings: Segmentation) -> None:
    for name in ("b.csv", "north/a.csv"):
        land(lake.landing, name, name.encode())
    assert names(plan(lake, settings)) == ["b.csv", "north/a.csv"]


def test_a_converted_file_is_not_converted_again(lake: Lake, settings: Segmentation) -> None:
    land(lake.landing, "old.csv", b"old")
    commit_ingested(lake, settings, "old.csv")
    land(lake.landing, "new.csv", b"newer")
    assert names(plan(lake, settings)) == ["new.csv"]


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_changed_file_is_converted_again(lake: Lake, settings: Segmentation, change: str) -> None:
    file = land(lake.landing, "a.csv", b"before")
    commit_ingested(lake, settings, "a.csv")
    if change == "size":
        land(lake.landing, "a.csv", b"after that")
    else:
        os.utime(file, (LONG_AGO, LONG_AGO + 1))
    assert names(plan(lake, settings)) == ["a.csv"]


def test_a_file_whose_batch_is_lost_is_converted_again(lake: Lake, settings: Segmentation) -> None:
    land(lake.landing, "a.csv", b"lines")
    commit_ingested(lake, settings, "a.csv")
    batch_folder(lake.ingested(settings.ingest_fingerprint), "one").rmdir()
    assert names(plan(lake, settings)) == ["a.csv"]


def test_a_deleted_file_leaves_the_manifest(lake: Lake, settings: Segmentation) -> None:
    for name in ("gone.csv", "stays.csv"):
        land(lake.landing, name, name.encode())
    commit_ingested(lake, settings, "gone.csv", "stays.csv")
    (lake.landing / "gone.csv").unlink()
    found = plan(lake, settings)
    assert names(found) == []
    manifest = found.manifest(BatchedFiles[IngestedFile](), EXECUTION)
    assert list(manifest.files) == ["stays.csv"]
    assert manifest.whole_batches == set(), "the batch also has lines of the deleted file"


def test_of_files_with_equal_content_the_first_by_path_counts(lake: Lake, settings: Segmentation) -> None:
    for name in ("c.csv", "a.csv", "b.csv"):
        land(lake.landing, name, b"other" if name == "b.csv" else b"equal")
    found = plan(lake, settings)
    assert names(found) == ["a.csv", "b.csv"]
    assert found.warnings == ["not counted: c.csv has the same content as a.csv"]


def test_a_copy_of_a_converted_file_is_not_converted(lake: Lake, settings: Segmentation) -> None:
    land(lake.landing, "a.csv", b"equal")
    commit_ingested(lake, settings, "a.csv")
    land(lake.landing, "b.csv", b"equal")
    found = plan(lake, settings)
    assert names(found) == []
    entry = found.manifest(BatchedFiles[IngestedFile](), EXECUTION).files["a.csv"]
    assert entry.sha256, "kept for the next run, when the file may have changed"


def test_a_copy_counts_once_the_first_is_deleted(lake: Lake, settings: Segmentation) -> None:
    for name in ("a.csv", "b.csv"):
        land(lake.landing, name, b"equal")
    commit_ingested(lake, settings, "a.csv")
    (lake.landing / "a.csv").unlink()
    assert names(plan(lake, settings)) == ["b.csv"]


def test_a_file_that_is_being_written_waits(
    lake: Lake, settings: Segmentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("new.csv", "known.csv", "done.csv"):
        land(lake.landing, name, name.encode())
    commit_ingested(lake, settings, "known.csv")
    before = (lake.landing / "known.csv").stat()
    for name in ("new.csv", "known.csv"):
        (lake.landing / name).write_bytes(b"half of")

    def write_on(seconds: float) -> None:
        for name in ("new.csv", "known.csv"):
            (lake.landing / name).write_bytes(b"half of it and more")

    monkeypatch.setattr("include.landing.files.time.sleep", write_on)
    found = plan_ingest(lake, settings, landing_version=2, settle_seconds=3)
    assert names(found) == ["done.csv"]
    assert found.there.not_counted == {
        "new.csv": "is still being written",
        "known.csv": "is still being written; counted as it was before",
    }
    assert found.converted["known.csv"].identity == (before.st_size, before.st_mtime_ns)


def test_a_manifest_counts_what_is_converted_and_known(lake: Lake, settings: Segmentation) -> None:
    for name in ("known.csv", "new.csv"):
        land(lake.landing, name, name.encode())
    commit_ingested(lake, settings, "known.csv")
    new = {"new.csv": ingested_file(lake, "new.csv", batch="two", kept=5)}
    conversion = BatchedFiles[IngestedFile](files=new, files_in_batch={"two": 1})
    manifest = plan(lake, settings).manifest(conversion, EXECUTION)
    assert (manifest.landing_version, manifest.files_in_batch) == (2, {"one": 1, "two": 1})
    record = manifest.stages["ingest"]
    assert (record.rows_in, record.rows_out, record.rejects) == (9, 7, {"quantity_unreadable": 2})
    assert (record.files_landed, record.files_converted, record.files_not_counted) == (2, 1, {})
    assert record.dag_run == "a run"


def test_files_without_a_line_are_no_shop(lake: Lake, settings: Segmentation) -> None:
    land(lake.landing, "a.csv", b"header")
    empty = IngestedFile(batch="one", size=6, modified=LONG_AGO * 10**9, rows=0, kept=0, rejects={})
    conversion = BatchedFiles[IngestedFile](files={"a.csv": empty}, files_in_batch={"one": 1})
    with pytest.raises(InputError, match="no landed file has a line below its header"):
        plan(lake, settings).manifest(conversion, EXECUTION)


def test_a_lake_without_a_landed_file_has_no_plan(lake: Lake, settings: Segmentation) -> None:
    with pytest.raises(InputError, match="has no file that can be read"):
        plan(lake, settings)


def test_what_cannot_be_read_is_not_counted_and_named(lake: Lake, settings: Segmentation) -> None:
    land(lake.landing, "a.csv", b"lines")
    land(lake.landing, "b.pdf", b"")
    land(lake.landing, "c.xlsx", b"not a real workbook, only its name counts")
    land(lake.landing, "d.zip", zipped({"d.csv": b"others", "readme.doc": b""}))
    found = plan(lake, settings)
    assert names(found) == ["a.csv", "d.zip"]
    assert found.there.not_counted == {
        "b.pdf": "is not read; .csv, .tsv, .txt and .xlsx are read, also inside .gz and .zip",
        "c.xlsx": "is no workbook, whatever its name says",
        "d.zip/readme.doc": "is not read; .csv, .tsv, .txt and .xlsx are read, also inside .gz and .zip",
    }


def test_what_cannot_be_read_in_a_converted_file_is_named_in_each_run_without_opening_it(
    lake: Lake, settings: Segmentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(lake.landing, "d.zip", zipped({"d.csv": b"one", "e.csv": b"two", "readme.doc": b""}))
    found = plan(lake, settings)
    new = {"d.zip": ingested_file(lake, "d.zip")}
    batch_folder(found.stage, "one").mkdir(parents=True)
    conversion = BatchedFiles[IngestedFile](files=new, files_in_batch={"one": 1})
    commit_manifest(lake, found.stage, found.manifest(conversion, EXECUTION))
    for opening in ("include.lake.plan.contents_of", "include.landing.copies.parts_of"):
        monkeypatch.setattr(opening, None)
    again = plan(lake, settings)
    assert (names(again), list(again.there.not_counted)) == ([], ["d.zip/readme.doc"])
    assert again.there.contents == found.there.contents
    record = again.manifest(BatchedFiles[IngestedFile](), EXECUTION).stages["ingest"]
    assert record.files_not_counted == found.there.not_counted


def test_a_landing_folder_of_which_nothing_can_be_opened_is_refused_with_what_it_has(
    lake: Lake, settings: Segmentation
) -> None:
    land(lake.landing, "a.xlsx", b"not a real workbook, only its name counts")
    land(lake.landing, "b.xls", b"")
    with pytest.raises(InputError, match=r"It has: b\.xls is not read; .*; a\.xlsx is no workbook"):
        plan(lake, settings)


def test_a_file_that_is_gone_is_named_with_its_lines_in_the_next_run(
    lake: Lake, settings: Segmentation
) -> None:
    for name in ("gone 'é' #1.csv", "copy.csv", "stays.csv"):
        land(lake.landing, name, name.encode())
    commit_ingested(lake, settings, "gone 'é' #1.csv", "copy.csv", "stays.csv")
    (lake.landing / "gone 'é' #1.csv").unlink()
    land(lake.landing, "a.csv", b"copy.csv")
    found = plan(lake, settings)
    assert found.gone == {"gone 'é' #1.csv": 2}, "copy.csv is there, and named as a copy"
    assert found.warnings == [
        "not counted: copy.csv has the same content as a.csv",
        "gone since the run before: gone 'é' #1.csv with 2 lines that counted",
    ]
    new = {"a.csv": ingested_file(lake, "a.csv")}
    manifest = found.manifest(BatchedFiles[IngestedFile](files=new, files_in_batch={"one": 3}), EXECUTION)
    assert manifest.stages["ingest"].files_gone == {"gone 'é' #1.csv": 2}
    commit_manifest(lake, found.stage, manifest)
    assert plan(lake, settings).gone == {}


def test_the_same_content_in_another_wrapping_counts_once(lake: Lake, settings: Segmentation) -> None:
    land(lake.landing, "orders.csv", b"lines\nand more\n")
    commit_ingested(lake, settings, "orders.csv")
    land(lake.landing, "orders.csv.gz", gzip.compress(b"lines\r\nand more\r\n"))
    land(lake.landing, "orders.csv.zip", zipped({"x.csv": b"lines\nand more\n"}))
    found = plan(lake, settings)
    assert names(found) == []
    assert found.there.not_counted == {
        "orders.csv.gz": "has the same content as orders.csv",
        "orders.csv.zip": "has the same content as orders.csv",
    }


# -- clean --------------------------------------------------------------------------------------


def cleaned_file(batch: str = "clean", ingested_batch: str = "one") -> CleanedFile:
    return CleanedFile(
        batch=batch,
        ingested_batch=ingested_batch,
        kept=1,
        rejects={"missing_customer": 1},
        countries=["EIRE"],
        needs_decimal=False,
    )


def commit_cleaned(lake: Lake, settings: Segmentation, orders: Mapping[str, str]) -> None:
    """A manifest in which these files are cleaned: name -> batch of its orders."""
    stage, orders_stage = lake.cleaned(settings.clean_fingerprint), lake.orders(settings.clean_fingerprint)
    for folder in [batch_folder(stage, "clean"), *(batch_folder(orders_stage, b) for b in orders.values())]:
        folder.mkdir(parents=True, exist_ok=True)
    manifest = CleanedManifest(
        files={name: cleaned_file() for name in orders},
        files_in_batch={"clean": len(orders)},
        landing_version=1,
        orders=BatchedFiles[FileEntry](
            files={name: FileEntry(batch=batch) for name, batch in orders.items()},
            files_in_batch=dict.fromkeys(orders.values(), 1),
        ),
    )
    commit_manifest(lake, stage, manifest)


@pytest.fixture
def two_files(lake: Lake, settings: Segmentation) -> Lake:
    """Two ingested files, a.csv cleaned and b.csv not."""
    for name in ("a.csv", "b.csv"):
        land(lake.landing, name, name.encode())
    commit_ingested(lake, settings, "a.csv", "b.csv")
    commit_cleaned(lake, settings, {"a.csv": "orders"})
    return lake


def test_a_file_is_cleaned_once(two_files: Lake, settings: Segmentation) -> None:
    plan = plan_clean(two_files, settings)
    assert (plan.new, list(plan.cleaned.files), plan.is_done) == (["b.csv"], ["a.csv"], False)
    assert list(plan.new_files.files) == ["b.csv"]


@pytest.mark.parametrize("lost", ["lines", "orders"])
def test_a_file_whose_lines_or_orders_are_lost_is_cleaned_again(
    two_files: Lake, settings: Segmentation, lost: str
) -> None:
    stages = {"lines": two_files.cleaned, "orders": two_files.orders}
    batch = {"lines": "clean", "orders": "orders"}[lost]
    batch_folder(stages[lost](settings.clean_fingerprint), batch).rmdir()
    assert plan_clean(two_files, settings).new == ["a.csv", "b.csv"]


def test_a_file_that_was_converted_again_is_cleaned_again() -> None:
    ingested = BatchedFiles[IngestedFile](
        files={
            n: IngestedFile(batch=b, size=1, modified=1, rows=1, kept=1, rejects={})
            for n, b in (("a", "one"), ("b", "two"))
        }
    )
    cleaned = BatchedFiles[CleanedFile](files={"a": cleaned_file(), "b": cleaned_file()})
    assert files_to_clean(ingested, cleaned, across_files=False) == ["b"]


@pytest.mark.parametrize(
    ("ingested_names", "cleaned_names", "expected"),
    [("ab", "a", ["a", "b"]), ("a", "ab", ["a"]), ("ab", "ab", [])],
    ids=["a new file", "a file less", "no change"],
)
def test_dropping_repeats_cleans_all_files_when_any_has_changed(
    ingested_names: str, cleaned_names: str, expected: list[str]
) -> None:
    one = IngestedFile(batch="one", size=1, modified=1, rows=1, kept=1, rejects={})
    ingested = BatchedFiles[IngestedFile](files=dict.fromkeys(ingested_names, one))
    cleaned = BatchedFiles[CleanedFile](files=dict.fromkeys(cleaned_names, cleaned_file()))
    assert files_to_clean(ingested, cleaned, across_files=True) == expected


REPEATED = InvoiceFinding(
    what="repeated",
    older_folder="",
    invoices=1,
    lines=1,
    alike=1,
    example=InvoiceExample(
        invoice_no="1",
        older_file="a",
        file="b",
        customers=("c", "c"),
        days=(date(2024, 3, 1), date(2024, 3, 1)),
    ),
)


@dataclass(frozen=True)
class Compared:
    """The files in landing with their ages, those cleaned before, and which are compared then."""

    landed: dict[str, int]  # name -> modification time
    cleaned: str  # one letter for each file
    new: str
    expected: str


@pytest.mark.parametrize(
    "case",
    [
        Compared({"a": 1, "b": 2, "c": 3}, cleaned="abc", new="", expected=""),
        Compared({"a": 1, "b": 2, "c": 3}, cleaned="", new="abc", expected="abc"),
        Compared({"a": 1, "b": 2, "c": 3}, cleaned="ab", new="c", expected="c"),
        Compared({"a": 1, "b": 2, "c": 1}, cleaned="ab", new="c", expected="bc"),
        Compared({"b": 2, "c": 3}, cleaned="abc", new="", expected="b"),
        Compared({"a": 4, "b": 2, "c": 3}, cleaned="abc", new="a", expected="ab"),
    ],
    ids=["no change", "all new", "the newest", "an older one", "one gone", "one replaced"],
)
def test_invoices_are_compared_only_where_a_change_of_files_can_matter(case: Compared) -> None:
    """Only b has an invoice that an older file has as well."""
    ingested = {
        name: IngestedFile(batch="one", size=1, modified=modified, rows=1, kept=1, rejects={})
        for name, modified in case.landed.items()
    }
    found = {name: [REPEATED] if name == "b" else None for name in case.cleaned}
    cleaned = {
        name: cleaned_file().model_copy(update={"findings": findings}) for name, findings in found.items()
    }
    assert files_to_compare(ingested, cleaned, case.new) == list(case.expected)


def test_files_without_findings_lose_a_file_without_spark(two_files: Lake, settings: Segmentation) -> None:
    commit_ingested(two_files, settings, "b.csv")
    commit_cleaned(two_files, settings, {"a.csv": "orders", "b.csv": "orders"})
    assert plan_clean(two_files, settings).is_done


def test_a_manifest_has_the_new_findings_of_compared_files(two_files: Lake, settings: Segmentation) -> None:
    plan = plan_clean(two_files, settings)
    orders = plan.orders_with({"b.csv": "more orders"})
    execution = Execution("clean", "a run")
    manifest = plan.manifest({"b.csv": cleaned_file("clean too")}, orders, {"b.csv": [REPEATED]}, execution)
    assert {name: entry.findings for name, entry in manifest.files.items()} == {
        "a.csv": None,
        "b.csv": [REPEATED],
    }


def test_a_manifest_of_cleaned_files_has_the_files_it_was_made_from(
    two_files: Lake, settings: Segmentation
) -> None:
    plan = plan_clean(two_files, settings)
    orders = plan.orders_with({"b.csv": "more orders"})
    manifest = plan.manifest({"b.csv": cleaned_file("clean too")}, orders, {}, Execution("clean", "a run"))
    assert manifest.files_in_batch == {"clean": 1, "clean too": 1}
    assert manifest.orders.batches == {"orders", "more orders"}
    assert list(manifest.ingested.files) == ["a.csv", "b.csv"]
    record = manifest.stages["clean"]
    assert (record.rows_in, record.rows_out, record.rejects) == (4, 2, {"missing_customer": 2})
    assert record.files_cleaned == 1


def plan_with_order_batches(lake: Lake, settings: Segmentation, count: int) -> CleanPlan:
    names = [f"{number:03}.csv" for number in range(count)]
    for name in names:
        land(lake.landing, name, name.encode())
    commit_ingested(lake, settings, *names)
    commit_cleaned(lake, settings, {name: f"orders {name}" for name in names})
    return plan_clean(lake, settings)


def test_clean_is_done_until_orders_are_in_too_many_batches(lake: Lake, settings: Segmentation) -> None:
    assert plan_with_order_batches(lake, settings, MOST_ORDER_BATCHES).is_done
    assert not plan_with_order_batches(lake, settings, MOST_ORDER_BATCHES + 1).is_done


def test_clean_before_ingest_is_refused(lake: Lake, settings: Segmentation) -> None:
    with pytest.raises(
        OutdatedError, match="no ingested lines for these settings; clear the run from `ingest`"
    ):
        plan_clean(lake, settings)
