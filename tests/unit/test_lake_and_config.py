"""Commits, views and sweeping in the lake; what the configuration accepts and how it says no."""

import csv
import subprocess
import sys
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from threading import Timer
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from pyspark.sql import SparkSession

from include.commands.run import land
from include.errors import Refused
from include.lake.commit import Lake, read_record, read_view, with_batches_of_now
from include.landing.records import file_format, landed_files, same_content
from include.published.files import LINE, write_csv, write_small_csv, write_table
from include.settings import (
    CODES,
    PROJECT,
    Params,
    SegmentMap,
    as_of_date,
    load_config,
    load_params,
    load_segment_map,
    map_problems,
)
from include.spark.job import small_table
from spark_jobs.publish import check_reject_shares, check_stages

CONFIG = PROJECT / "include" / "config"
DAY = date(2011, 12, 10)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "a lake")
    lake.landing.mkdir(parents=True)
    return lake


def version(lake: Lake, listing: int, text: str, number: int = 1) -> Path | None:
    with lake.attempt("publish") as attempt:
        written = attempt / "version"
        written.mkdir()
        (written / "file").write_text(text)
        record = {"listing": listing, "attempt": number}
        return lake.commit_version(written, lake.published(DAY), record)


# -- the lake -----------------------------------------------------------------------------------


def test_a_version_replaces_the_one_before_and_leaves_it_whole_for_its_readers(lake: Lake) -> None:
    version(lake, 1, "one")
    before = lake.published(DAY).resolve()
    version(lake, 1, "two")
    assert (lake.published(DAY) / "file").read_text() == "two"
    assert (before / "file").read_text() == "one"


def test_a_result_of_an_earlier_listing_never_replaces_that_of_a_later_one(lake: Lake) -> None:
    version(lake, 2, "later")
    assert version(lake, 1, "earlier, and late to finish") is None
    assert (lake.published(DAY) / "file").read_text() == "later"
    stage = lake.ingested("rules")
    lake.commit_view(stage, {"listing": 2, "files": {}})
    assert lake.commit_view(stage, {"listing": 1, "files": {}})["listing"] == 2
    assert read_view(stage) == {"listing": 2, "files": {}}


def test_listings_are_numbered_upwards_even_when_the_counter_is_lost(lake: Lake) -> None:
    first = lake.next_number()
    lake.commit_view(lake.ingested("rules"), {"listing": first + 5, "files": {}})
    (lake.root / ".listing").unlink()
    assert lake.next_number() == first + 6


def test_a_lake_of_which_only_the_published_part_is_left_goes_on_from_its_numbers(lake: Lake) -> None:
    version(lake, 7, "old", number=9)
    (lake.root / ".listing").unlink(missing_ok=True)
    assert lake.next_number() == 10
    assert version(lake, 10, "new") is not None
    assert (lake.published(DAY) / "file").read_text() == "new"


def test_a_view_finds_lines_that_a_run_beside_has_written_anew(lake: Lake) -> None:
    stage = lake.cleaned("r")
    (stage / "batch=new").mkdir(parents=True)
    landed, cleaned = {"size": 1, "modified": 2}, {"kept": 3, "rejects": {}}

    def view(batch: str, **changed: object) -> dict[str, Any]:
        files = {"a.csv": cleaned | {"batch": batch} | changed}
        ingested = {"files": {"a.csv": landed | changed}}
        return {"listing": 1, "files": files, "sizes": {batch: 1}, "ingested": ingested}

    lake.commit_view(stage, view("new"))
    assert with_batches_of_now(view("swept"), stage)["files"] == view("new")["files"]
    other = {"modified": 3}, {"rejects": {"duplicate_line": 1}}
    for now in [*[view("new", **changed) for changed in other], {"listing": 1, "files": {}, "sizes": {}}]:
        lake.commit_view(stage, now)
        with pytest.raises(Refused, match=r"the lines of a\.csv have been replaced meanwhile; clear the run"):
            with_batches_of_now(view("swept"), stage)


def test_latest_points_to_the_newest_date_and_links_are_relative(lake: Lake, tmp_path: Path) -> None:
    version(lake, 1, "new")
    with lake.attempt("publish") as attempt:
        (attempt / "version").mkdir()
        record = {"listing": 1, "attempt": 1}
        lake.commit_version(attempt / "version", lake.published(date(2011, 1, 1)), record)
    lake.point_latest()
    lake.root.rename(tmp_path / "moved")
    assert (tmp_path / "moved" / "published" / "latest" / "file").read_text() == "new"


def test_sweeping_leaves_what_is_pointed_to_and_only_that(lake: Lake) -> None:
    stage, orders = lake.cleaned("r"), lake.orders("r")
    for folder in (stage, orders):
        for batch in ("kept", "together", "old"):
            (folder / f"batch={batch}").mkdir(parents=True)
    of_orders = {"files": {"a.csv": {"batch": "together"}}}
    lake.commit_view(stage, {"listing": 1, "files": {"a.csv": {"batch": "kept"}}, "orders": of_orders})
    version(lake, 1, "one")
    (lake.root / ".attempts" / "killed").mkdir(parents=True)
    with lake.alive():
        pass
    assert [path.name for path in stage.glob("batch=*")] == ["batch=kept"]
    assert [path.name for path in orders.glob("batch=*")] == ["batch=together"]
    assert (lake.published(DAY) / "file").exists()
    assert not (lake.root / ".attempts").exists()


def test_nothing_is_swept_while_another_job_lives(lake: Lake) -> None:
    left = lake.root / ".attempts" / "of another job"
    left.mkdir(parents=True)
    code = (
        "import sys; from pathlib import Path; from include.lake.commit import Lake\n"
        "with Lake(Path(sys.argv[1])).alive(): print('in', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(lake.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PROJECT,
    ) as other:
        assert other.stdin and other.stdout
        assert other.stdout.readline() == b"in\n"
        with lake.alive():
            pass
        assert left.exists()
        with pytest.raises(Refused, match="bad data"), lake.alive():
            raise Refused("bad data")  # once lost when another job was alive, and the job ended well
        other.stdin.close()
        assert other.wait(20) == 0
    assert not left.exists()


def test_a_task_before_its_time_says_what_is_missing(lake: Lake) -> None:
    with pytest.raises(Refused, match="as_of=2011-12-10: not there yet"):
        read_record(lake.rfm(DAY))


# -- landing ------------------------------------------------------------------------------------


def test_a_landing_folder_missing_or_empty_is_refused(lake: Lake) -> None:
    (lake.landing / "x.csv").mkdir()
    (lake.landing / ".y.csv").write_text("")
    (lake.landing / "z.csv.part").write_text("")
    with pytest.raises(Refused, match=r"has no \.csv"):
        landed_files(lake.landing)
    with pytest.raises(Refused, match="missing; create it"):
        landed_files(lake.landing / "nowhere")


def test_a_file_without_one_of_the_columns_is_refused_by_file_and_column(lake: Lake) -> None:
    (lake.landing / "a.csv").write_text(
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,CustomerID,Country"
    )
    columns = load_config(CONFIG, Params()).settings.landing.columns
    [file], _ = landed_files(lake.landing)
    with pytest.raises(Refused, match=r"a\.csv: line 1: column UnitPrice missing .* it has InvoiceNo"):
        file_format(file, columns)


def test_of_files_with_the_same_content_the_first_by_name_counts(lake: Lake) -> None:
    for name, text in {"a.csv": "one", "b.csv": "two", "c.csv": "one", "d.csv": "three"}.items():
        (lake.landing / name).write_text(text)
    files, _ = landed_files(lake.landing)
    entries = {file.name: {"size": file.size, "modified": file.modified} for file in files}
    assert same_content(files, entries) == {"c.csv": "a.csv"}


def test_a_file_that_counts_as_it_was_before_has_the_content_it_had(lake: Lake) -> None:
    (lake.landing / "a.csv").write_text("one")
    (lake.landing / "z.csv").write_text("one")
    files, _ = landed_files(lake.landing)
    entries = {file.name: {"size": file.size, "modified": file.modified} for file in files}
    assert same_content(files, entries) == {"z.csv": "a.csv"}
    (lake.landing / "a.csv").write_text("half of another")
    files, _ = landed_files(lake.landing)
    assert same_content(files, entries) == {"z.csv": "a.csv"}
    del entries["a.csv"]["sha256"]
    assert same_content(files, entries) == {}, "nobody knows what it held"


def test_data_around_the_lake_are_refused_and_nothing_is_removed(lake: Lake, tmp_path: Path) -> None:
    (lake.landing / "shop").mkdir()
    (lake.landing / "shop" / "keep.csv").write_text("lines")
    (tmp_path / "a.csv").write_text("lines")
    for data in (tmp_path, lake.root / "..", lake.root, lake.landing):
        with pytest.raises(Refused, match="would land in itself"):
            land(data, lake, 0)
    assert (lake.landing / "shop" / "keep.csv").exists()


def test_a_file_of_the_data_folder_that_is_still_written_is_not_landed(lake: Lake, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("a.csv", "b.csv"):
        (data / name).write_text("lines")
    Timer(0.1, (data / "b.csv").write_text, ["more lines"]).start()
    told = land(data, lake, 0.5)
    assert [file.name for file in (lake.landing / "data").iterdir()] == ["a.csv"]
    assert "b.csv is still being written" in told


def test_a_linked_folder_is_reported_since_it_is_not_followed(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.csv").write_text("two")
    (lake.landing / "a.csv").write_text("one")
    (lake.landing / "more").symlink_to(tmp_path / "elsewhere")
    files, others = landed_files(lake.landing)
    assert [file.name for file in files] == ["a.csv"]
    assert others == {"more": "is a link to a folder, which is not followed"}


def test_what_is_removed_from_the_data_folder_is_removed_from_landing(lake: Lake, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("A.CSV", "b.csv", "c.csv.gz"):
        (data / name).write_text("lines")
    land(data, lake, 0)
    (lake.landing / "data" / "d.csv.part").write_text("of somebody else")
    (data / "A.CSV").unlink()
    (data / "c.csv.gz").unlink()
    land(data, lake, 0)
    assert {file.name for file in (lake.landing / "data").iterdir()} == {"b.csv", "d.csv.part"}


# -- publish ------------------------------------------------------------------------------------


def stages(**changed: int) -> dict[str, dict[str, object]]:
    rows = {"ingest": (100, 100), "clean": (100, 80), "rfm": (80, 80), "segment": (9, 9)}
    return {
        task: {"rows_in": given, "rows_out": out, "rejects": {"missing_customer": given - out}}
        for task, (given, out) in rows.items()
    } | {task: {"rows_in": n, "rows_out": n, "rejects": {}} for task, n in changed.items()}


def test_a_snapshot_that_does_not_reconcile_is_refused_with_the_numbers() -> None:
    check_stages(stages())
    with pytest.raises(Refused, match="clean gave 80 lines and rfm took 79"):
        check_stages(stages(rfm=79))


def test_more_rejects_than_configured_are_refused_with_the_numbers() -> None:
    settings = load_config(CONFIG, Params()).settings
    files = {
        name: {"rejects": {}, "clean": {"rejects": {"missing_customer": lines}}}
        for name, lines in {"a.csv": 1, "b.csv": 12, "c.csv": 7}.items()
    }
    check_reject_shares(stages(), files, settings)
    changed = {"reject_baseline": {"missing_customer": 0.1}, "reject_threshold": 0.05}
    strict = settings.model_copy(update=changed)
    with pytest.raises(
        Refused, match=r"rejected 20 of 100 lines \(20\.0%\) as missing_customer.* 15\.0%"
    ) as told:
        check_reject_shares(stages(), files, strict)
    assert "Most are in b.csv (12), c.csv (7), a.csv (1)." in str(told.value)


def test_csv_is_rfc_4180_and_harmless_in_a_spreadsheet(spark: SparkSession, tmp_path: Path) -> None:
    formulas = ['=HYPERLINK("x")', "+1+1", "@SUM(A1)", "-2+3", " =1+1", "\t=1", "\uff1d1+1", "-2.50\n", "\rx"]
    others = ["-2.50", 'A "B", C', " padded ", "", "two\nlines", "two\r\nlines", "two\rlines", "plain"]
    texts = [*formulas, *others]
    table = small_table(spark, list(enumerate(texts)), "n int, text string").repartition(3).orderBy("n")
    write_csv(table, tmp_path / "t.csv")
    data = (tmp_path / "t.csv").read_bytes()
    assert data.startswith(b"n,text\r\n0,") and data.endswith(b"16,plain\r\n")
    with (tmp_path / "t.csv").open(newline="") as stream:
        found = [row["text"] for row in csv.DictReader(stream, strict=True)]
    assert found == [*[f"'{text}" for text in formulas], *others]
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
    write_small_csv(tmp_path / "small.csv", ["text"], [{"text": text} for text in texts])
    with (tmp_path / "small.csv").open(newline="") as stream:
        assert [row["text"] for row in csv.DictReader(stream, strict=True)] == found


def test_equal_tables_make_equal_files_however_they_were_parted(tmp_path: Path) -> None:
    rows = pa.table({"a": list(range(1000)), "b": [Decimal(n) for n in range(1000)]})
    parts = rows.append_column(LINE, [[f"{n},é" for n in range(1000)]])
    for name, cuts in {"one": [0, 1000], "many": [0, 1, 500, 500, 1000]}.items():
        (tmp_path / name).mkdir()
        for number, (start, end) in enumerate(pairwise(cuts)):
            pq.write_table(parts.slice(start, end - start), tmp_path / name / f"part-{number:05}.parquet")
        files = tmp_path / f"{name}.parquet", tmp_path / f"{name}.csv"
        assert write_table(tmp_path / name, ["a", "b"], *files) == 1000
    for end in ("parquet", "csv"):
        assert (tmp_path / f"one.{end}").read_bytes() == (tmp_path / f"many.{end}").read_bytes()
    assert pq.read_table(tmp_path / "one.parquet").equals(rows)
    assert (tmp_path / "one.csv").read_bytes().decode().startswith("a,b\r\n0,é\r\n1,é\r\n")


# -- configuration ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rfm11", "rf10"])
def test_the_maps_that_come_with_the_project_cover_each_code_once(name: str) -> None:
    assert sorted(load_segment_map(CONFIG / "segment_maps", name).by_code) == CODES


def test_a_map_that_misses_or_doubles_codes_is_told_with_them() -> None:
    segments = [
        {"name": "low", "description": "", "codes": ["[1-3]..", "[123]..", "111"]},
        {"name": "high", "description": "", "codes": ["5..", "4[1234]."]},
    ]
    assert map_problems(SegmentMap.model_validate({"segments": segments})) == [
        "low: '[1-3]..' matches none of the codes 111 to 555",
        "codes missing: 451 452 453 454 455",
        "codes doubled: 111 (low, low)",
    ]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ('{"lookback_days": 0}', "params: lookback_days"),
        ('{"cancellations": "gross"}', "params: cancellations"),
        ('{"lookback": 5}', "params: lookback"),
        ("{", "not valid JSON"),
        ("[]", "params"),
    ],
)
def test_wrong_params_are_refused_by_name(params: str, told: str) -> None:
    with pytest.raises(Refused, match=told):
        load_params(params)


@pytest.mark.parametrize("text", ["2011-13-01", "10.12.2011", "today", "", "1899-12-31", "2999-01-01"])
def test_what_is_no_date_of_a_shop_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="as_of"):
        as_of_date(text)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("time_zone", "Europe/Lundon", "time_zone: .*unknown time zone"),
        ("compare_days", 0, "compare_days"),
        ("segment_map", "rfm12", "unknown map 'rfm12'; .* has rf10, rfm11"),
        ("look_back", 3, "look_back"),
        ("landing", {}, r"landing\.columns: Field required"),
    ],
)
def test_a_wrong_key_of_the_configuration_is_refused_by_file_and_name(
    tmp_path: Path, key: str, value: object, told: str
) -> None:
    (tmp_path / "segment_maps").symlink_to(CONFIG / "segment_maps")
    given = yaml.safe_load((CONFIG / "segmentation.yaml").read_text()) | {key: value}
    (tmp_path / "segmentation.yaml").write_text(yaml.safe_dump(given))
    with pytest.raises(Refused, match=told):
        load_config(tmp_path, Params())


def test_only_params_that_change_the_result_make_a_variant() -> None:
    same = Params(as_of=DAY, segment_map="rfm11", export_cleaned_data=True)
    assert load_config(CONFIG, same).variant is None
    other = Params(segment_map="rf10", cancellations="drop")
    assert load_config(CONFIG, other).variant == "cancellations=drop,segment_map=rf10"
