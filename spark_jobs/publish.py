"""publish: check the snapshot, then make it visible in one step.

It is written beside the published folder and swapped in by one link, so a reader sees the snapshot before
or the one after, whole. Before that it is checked, and refused with the numbers when

- rows in are not rows out + rejects, for any landed file or at any stage
- no line is kept, or nobody counts
- too many lines are rejected, or a law of results is broken (include/published/checks.py)

The last may be let through for one run, and are warnings then. It warns of files, orders and customers that
look doubtful (file_warnings.py, order_warnings.py, customer_warnings.py in include/published/), and of a
snapshot that looks wrong though nothing failed (alerts.py). Only warnings, in run.json and report.html,
depend on other snapshots.

A run whose params change the result publishes to variants/<label>/ and does not touch `latest`.

Then the snapshot is loaded into the warehouse, where there is one (the operator passes its address).
Files come first: they do not wait for a database, and the warehouse gets what they hold.
"""

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from zoneinfo import ZoneInfo

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from include.lake.commit import commit_version, neighbours, point_latest, share_content
from include.lake.manifest import CleanedManifest, cleaned_now, ingested_now
from include.lake.record import InputFile, PublishedConfig, RunRecord, VersionRecord, input_files
from include.lake.state import StageRecord, all_warnings
from include.pipeline import WAREHOUSE_URL_VARIABLE
from include.published import warehouse
from include.published.alerts import alerts
from include.published.checks import check_files, check_stages
from include.published.customer_warnings import customer_warnings
from include.published.figures import (
    CustomerFigures,
    Figures,
    earlier_figures,
    read_customer_figures,
    read_figures,
)
from include.published.file_warnings import file_warnings
from include.published.files import write_table
from include.published.gates import Candidate, check_somebody_counts, pass_gates
from include.published.order_warnings import order_warnings
from include.published.tables import CLEANED_DATA, CUSTOMER_SEGMENTS, REJECTS
from include.spark.columns import line_amount, refund, reject_reason
from include.spark.csv_text import write_csv
from include.spark.job import Run, job
from include.spark.lines import read_lines

log = logging.getLogger("rfm")

# Rows of rejects.csv, so that a day does not cost what all history costs. The lake's Parquet has all.
REJECTS_LIMIT = 200_000
SUMMARIES = ("segment_summary.csv", "segment_movement.csv", "cut_points.json")


def cleaned_data(kept: DataFrame) -> DataFrame:
    """Kept lines as published (tables.CLEANED_DATA), in an order that does not depend on their files."""
    ordered = ["invoice_date", "invoice_no", *[name for name in CLEANED_DATA.names if "invoice" not in name]]
    numbers = {name: without_trailing_zeros(name) for name in ("unit_price", "amount")}
    numbers["quantity"] = F.regexp_replace(F.col("quantity").cast("string"), r"\.?0+$", "").alias("quantity")
    lines = kept.withColumn("amount", line_amount() - refund()).orderBy(*ordered)
    return lines.select(*[numbers.get(name, F.col(name)) for name in CLEANED_DATA.names])


def without_trailing_zeros(name: str) -> Column:
    """Money with the decimals it has, at least two: 4.95, 0.001."""
    return F.regexp_replace(F.col(name).cast("string"), r"(\.\d{2}\d*?)0+$", "$1").alias(name)


def files_with_rejects(files: Mapping[str, InputFile]) -> list[str]:
    """The files whose rejects are published: all that have some, or else the latest ones, as many as
    REJECTS_LIMIT allows and at least one."""
    rejects = {name: file.all_rejects.total() for name, file in files.items()}
    latest_first = sorted(filter(rejects.get, rejects), key=lambda name: (files[name].modified, name))[::-1]
    up_to = accumulate(rejects[name] for name in latest_first)
    shown = [name for name, rows in zip(latest_first, up_to, strict=True) if rows <= REJECTS_LIMIT]
    return shown or latest_first[:1]


def rejected_lines(run: Run, cleaned: CleanedManifest, names: Sequence[str]) -> DataFrame:
    """Every rejected line of the files, of both stages, that is of a day before the as-of date or has no
    date that can be read; columns as in tables.REJECTS."""
    settings = run.config.settings
    ingested_stage = run.lake.ingested(settings.ingest_fingerprint)
    cleaned_stage = run.lake.cleaned(settings.clean_fingerprint)
    # Other runs may have rewritten the lines since, so the batches of today are looked up first.
    of_ingest = ingested_now(cleaned.ingested.of(names), ingested_stage)
    of_clean = cleaned_now(cleaned.of(names), cleaned_stage)
    both = (
        read_lines(run.spark, ingested_stage, of_ingest, "rejected")
        .withColumn("stage", F.lit("ingest"))
        .unionByName(
            read_lines(run.spark, cleaned_stage, of_clean, "rejected").withColumn("stage", F.lit("clean"))
        )
    )
    before = F.col("invoice_date").isNull() | (F.col("invoice_date") < F.lit(run.as_of))
    rejects = both.where(before).withColumn("reason", reject_reason())
    return rejects.select(*REJECTS.names).orderBy("stage", "file", "line")


def kept_lines(run: Run, cleaned: CleanedManifest) -> DataFrame:
    """Every kept line behind the snapshot."""
    stage = run.lake.cleaned(run.config.settings.clean_fingerprint)
    return read_lines(run.spark, stage, cleaned_now(cleaned, stage), "kept")


def write_rejects(run: Run, cleaned: CleanedManifest, files: Mapping[str, InputFile], file: Path) -> None:
    """Write rejects.csv, at most REJECTS_LIMIT rows. It is a hard link to that of a neighbouring snapshot
    where both are the same, as on most days of most shops."""
    rejects = {name: found.all_rejects.total() for name, found in files.items()}
    latest = files_with_rejects(files)
    # With a limit each task sorts its own rows. Without one Spark would read all rows twice.
    rows = write_csv(rejected_lines(run, cleaned, latest).limit(REJECTS_LIMIT), file)
    expected = sum(rejects[name] for name in latest)
    if rows < min(expected, REJECTS_LIMIT) and expected < sum(rejects.values()):
        # Some lines are of a later day, so there is room for those of earlier files.
        write_csv(rejected_lines(run, cleaned, list(rejects)).limit(REJECTS_LIMIT), file)
    snapshot = run.lake.published(run.as_of, run.config.variant)
    share_content(file, [neighbour / file.name for neighbour in neighbours(snapshot)])


def write_snapshot(run: Run, source: Path, candidate: Candidate, folder: Path) -> tuple[int, list[str]]:
    """Write all files of the snapshot but run.json. Returns the number of customers, and the warnings."""
    folder.mkdir()
    with ThreadPoolExecutor(1) as other_core:  # this process is at work there while Spark is on the rejects
        beside = other_core.submit(write_tables, run, source, candidate, folder)
        cleaned = candidate.made_by.cleaned
        write_rejects(run, cleaned, candidate.files, folder / "rejects.csv")
        if run.request.params.export_cleaned_data:
            write_csv(cleaned_data(kept_lines(run, cleaned)), folder / "cleaned_data.csv")
        return beside.result()


def write_tables(run: Run, source: Path, candidate: Candidate, folder: Path) -> tuple[int, list[str]]:
    """Copy the customers and the summaries, look at them, and write the report. Returns the number of
    customers, and the warnings. Raises InputError where a gate refuses the snapshot."""
    parquet, csv = folder / "customer_segments.parquet", folder / "rfm_df.csv"
    customers = write_table(source / "customers", CUSTOMER_SEGMENTS.names, parquet, csv)
    for name in SUMMARIES:
        shutil.copy(source / name, folder / name)
    figures = read_customer_figures(folder)
    found = pass_gates(candidate, figures, anyway=run.request.params.publish_anyway)
    found += warnings(run, read_figures(folder, run.as_of, candidate.files), figures, candidate.made_by)
    found += report_or_warning(run, folder, candidate, found)
    for sentence in found:
        log.warning(sentence)
    return customers, found


def warnings(run: Run, now: Figures, customers: CustomerFigures, made_by: VersionRecord) -> list[str]:
    """What looks wrong though nothing failed."""
    settings, gone = run.config.settings, made_by.stages["ingest"].files_gone or {}
    earlier = earlier_figures(run.lake, run.as_of, run.config.variant, run.config.fingerprint)
    return [
        *file_warnings(now, earlier, gone, ZoneInfo(settings.time_zone)),
        *order_warnings(made_by.cleaned, settings),
        *customer_warnings(customers, settings.warnings),
        *alerts(now, earlier, customers.days, settings),
    ]


def report_or_warning(run: Run, folder: Path, candidate: Candidate, warnings: Sequence[str]) -> list[str]:
    """Write report.html. A picture that fails loses no snapshot: it is a warning."""
    try:
        from include.published.report import Made, write_report  # half a second, beside Spark's work

        stages = candidate.made_by.stages
        told = [*all_warnings(stages), *warnings]
        write_report(folder, Made(run.as_of, run.config, stages, told, candidate.files))
    except Exception as error:
        return [f"report.html could not be made ({type(error).__name__}: {error}); all else is published"]
    return []


def run_record(
    run: Run, made_by: VersionRecord, files: Mapping[str, InputFile], record: StageRecord
) -> RunRecord:
    """run.json: what was run, with which configuration, from which files, with which counts."""
    return RunRecord(
        landing_version=made_by.landing_version,
        attempt=run.number,
        stages=made_by.stages | {"publish": record},
        as_of=run.as_of,
        variant=run.config.variant,
        dag_run=run.request.dag_run,
        published_at=datetime.now(UTC).isoformat(timespec="seconds"),
        config_hash=run.config.hash,
        fingerprint=run.config.fingerprint,
        config=PublishedConfig.model_validate(run.config.model_dump(mode="json")),
        input_files=dict(files),
    )


def make_visible(run: Run, folder: Path, record: RunRecord) -> None:
    """Swap the snapshot in, then load what is visible into the warehouse."""
    link = run.lake.published(run.as_of, run.config.variant)
    if not commit_version(run.lake, folder, link, record):
        log.warning("kept %s: it was made from a newer state of the landing folder", link)
    else:
        if run.config.variant is None:
            point_latest(run.lake)
        log.info("%s customers are in %s", f"{record.stages['publish'].rows_out:,}", link)
    url = os.environ.get(WAREHOUSE_URL_VARIABLE)
    if url and run.config.variant is None:
        run.spark.stop()  # the next job may have the cluster in the meantime
        warehouse.load(link.resolve(), url)


def main(argv: Sequence[str] | None = None) -> None:
    with job("publish", __doc__, argv) as run:
        source, made_by = run.made_before(run.lake.segments(run.as_of, run.config.variant))
        files = input_files(made_by.cleaned)
        check_stages(made_by.stages)
        check_files(files)
        candidate = Candidate(run.lake, run.as_of, run.config.settings, made_by, files)
        check_somebody_counts(candidate)
        folder = run.folder / "version"
        customers, found = write_snapshot(run, source, candidate, folder)
        record = run.execution.record(made_by.stages["segment"].rows_out, customers, {}, warnings=found)
        make_visible(run, folder, run_record(run, made_by, files, run.report(record)))


if __name__ == "__main__":
    main()
