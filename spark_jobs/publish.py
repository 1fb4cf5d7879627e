"""publish: check the snapshot, then make it visible in one step.

Written beside the published folder and swapped in by one link, so a reader sees the snapshot before
or the one after, whole. Checked first, and refused with the numbers when wrong:

- rows in = rows out + rejects, of every landed file and at every stage
- no reason rejects a share of the landed lines that is more than `reject_threshold` above its baseline

A run whose params change the result publishes to variants/<label>/ and leaves `latest` alone.

Then the snapshot is loaded into the warehouse, where there is one (the operator gives its address).
Files come first: they do not wait for a database, and what is loaded is what they hold.
"""

import os
import shutil
from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from include.errors import Refused
from include.lake.commit import View, with_batches_of_now
from include.published import warehouse
from include.published.files import write_csv, write_table
from include.settings import Segmentation
from include.spark.job import Run, job, line_amount, log, reconcile, reject_reason
from include.spark.schemas import CLEANED_DATA, CUSTOMER_SEGMENTS, LINES, REJECTS

# Rows of rejects.csv, so that a day does not cost what all history costs. All are in the lake's parquet.
REJECTS_LIMIT = 200_000


def check_stages(stages: dict[str, dict[str, Any]]) -> None:
    """Raises Refused unless every stage reconciles, and with the one before."""
    for task, stage in stages.items():
        reconcile(task, stage["rows_in"], stage["rows_out"], stage["rejects"])
    for before, after in [("ingest", "clean"), ("clean", "rfm")]:
        if stages[before]["rows_out"] != stages[after]["rows_in"]:
            raise Refused(
                f"{before} gave {stages[before]['rows_out']} lines and {after} took "
                f"{stages[after]['rows_in']}; clear the run from ingest on"
            )


def check_files(files: dict[str, dict[str, Any]]) -> None:
    """Raises Refused unless every line of each landed file is kept or rejected, once."""
    for name, file in files.items():
        reconcile(f"ingest of {name}", file["rows"], file["kept"], file["rejects"])
        reconcile(f"clean of {name}", file["kept"], file["clean"]["kept"], file["clean"]["rejects"])


def check_reject_shares(
    stages: dict[str, dict[str, Any]], files: dict[str, dict[str, Any]], settings: Segmentation
) -> None:
    """Raises Refused, with the numbers and the files, when a reason rejects more than its share of the lines.
    `files` is as from input_files."""
    landed = stages["ingest"]["rows_in"]
    for task in ("ingest", "clean"):
        for reason, count in stages[task]["rejects"].items():
            most = settings.most_rejects(reason)
            if count > most * landed:
                of_files = Counter({name: rejects_of(file).get(reason, 0) for name, file in files.items()})
                worst = ", ".join(f"{name} ({lines:,})" for name, lines in of_files.most_common(3) if lines)
                raise Refused(
                    f"{task} rejected {count:,} of {landed:,} lines ({count / landed:.1%}) as {reason}, "
                    f"more than the {most:.1%} that reject_baseline and reject_threshold allow. Nothing "
                    f"was published. Most are in {worst}. Correct these, or the configuration"
                )


def input_files(view: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each landed file with its size and time, and its lines: rows, and of ingest and clean the
    kept and the rejects by reason."""
    return {
        name: file
        | {"clean": {"kept": view["files"][name]["kept"], "rejects": view["files"][name]["rejects"]}}
        for name, file in view["ingested"]["files"].items()
    }


def cleaned_data(kept: DataFrame) -> DataFrame:
    """Kept lines as published, in an order that does not depend on the files they came in."""
    ordered = ["invoice_date", "invoice_no", *[name for name in CLEANED_DATA if "invoice" not in name]]
    money = {name: plain(name) for name in ("unit_price", "amount")}
    kept = kept.withColumns({"line_type": F.col("kind"), "amount": line_amount()})
    return kept.orderBy(*ordered).select(*[money.get(name, F.col(name)) for name in CLEANED_DATA])


def plain(name: str) -> Column:
    """Money with the decimals it has, at least two: 4.95, 0.001."""
    return F.regexp_replace(F.col(name).cast("string"), r"(\.\d{2}\d*?)0+$", "$1").alias(name)


def rejects_of(file: dict[str, Any]) -> Counter[str]:
    """The rejects of a file by reason, of both stages."""
    return Counter(file["rejects"]) + Counter(file["clean"]["rejects"])


def files_with_rejects(files: dict[str, dict[str, Any]]) -> list[str]:
    """The files whose rejects are published: all that have some, or else the latest ones, as many as
    REJECTS_LIMIT allows and at least one. `files` is as from input_files."""
    counts = {name: rejects_of(file).total() for name, file in files.items()}
    latest_first = sorted(filter(counts.get, counts), key=lambda name: (files[name]["modified"], name))[::-1]
    up_to = accumulate(counts[name] for name in latest_first)
    shown = [name for name, rows in zip(latest_first, up_to, strict=True) if rows <= REJECTS_LIMIT]
    return shown or latest_first[:1]


def rejected(run: Run, view: dict[str, Any], files: Collection[str]) -> DataFrame:
    """Every rejected line of the files, of both stages: stage, file, line, reason, raw."""
    ingested, cleaned = (
        lines_of(run, stage, part | {"files": {file: part["files"][file] for file in files}}, "rejected")
        for stage, part in (
            (run.lake.ingested(run.config.settings.ingest_rules), view["ingested"]),
            (run.lake.cleaned(run.config.settings.clean_rules), view),
        )
    )
    both = ingested.withColumn("stage", F.lit("ingest")).unionByName(
        cleaned.withColumn("stage", F.lit("clean"))
    )
    return both.withColumn("reason", reject_reason()).select(*REJECTS)


def lines_of(run: Run, stage: Path, view: View, outcome: str) -> DataFrame:
    """The lines behind the snapshot: the view is as old as that, and runs beside go on."""
    return run.read_batches(stage, with_batches_of_now(view, stage), LINES, outcome)


def main(argv: Sequence[str] | None = None) -> None:
    with job("publish", __doc__, argv) as run:
        source, made_from = run.made_before(run.lake.segments(run.as_of, run.config.variant))
        view, stages = made_from["view"], made_from["stages"]
        check_stages(stages)
        files = input_files(view)
        check_files(files)
        check_reject_shares(stages, files, run.config.settings)

        folder = run.attempt / "version"
        folder.mkdir()
        parquet, csv = folder / "customer_segments.parquet", folder / "rfm_df.csv"
        with ThreadPoolExecutor(1) as beside:  # this process copies the table, Spark sorts the rejects
            table = beside.submit(write_table, source / "customers", CUSTOMER_SEGMENTS, parquet, csv)
            rejects = rejected(run, view, files_with_rejects(files)).orderBy("stage", "file", "line")
            # With the limit each task sorts its own; without, Spark would read all twice, to part it.
            write_csv(rejects.limit(REJECTS_LIMIT), folder / "rejects.csv")
            rows = table.result()
        record = run.record(stages["segment"]["rows_out"], rows, {})
        for name in ("segment_summary.csv", "segment_movement.csv", "cut_points.json"):
            shutil.copy(source / name, folder / name)
        if run.export_cleaned_data:
            stage = run.lake.cleaned(run.config.settings.clean_rules)
            write_csv(cleaned_data(lines_of(run, stage, view, "kept")), folder / "cleaned_data.csv")

        link = run.lake.published(run.as_of, run.config.variant)
        version = run.lake.commit_version(folder, link, run_record(run, made_from, record))
        if version is None:
            log.warning("publish  %s already holds a run over a later listing; it stays", link)
        else:
            if run.config.variant is None:
                run.lake.point_latest()
            log.info("publish  %s customers are in %s", f"{rows:,}", link)
        url = os.environ.get(warehouse.URL)
        if url and run.config.variant is None:
            run.spark.stop()  # the next job may have the cluster meanwhile
            warehouse.load(link.resolve(), url)


def run_record(run: Run, made_from: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """run.json: what was run, with what configuration, from which files, with which counts."""
    return {
        "as_of": run.as_of.isoformat(),
        "variant": run.config.variant,
        "dag_run": run.dag_run,
        "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "listing": made_from["listing"],
        "attempt": run.number,
        "config_hash": run.config.hash,
        "config": run.config.model_dump(mode="json"),
        "stages": made_from["stages"] | {"publish": record},
        "input_files": input_files(made_from["view"]),
    }


if __name__ == "__main__":
    main()
