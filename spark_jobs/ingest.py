"""ingest: every landed CSV file becomes typed lines, once.

A file is known by its path, size and modification time. One already converted is not read again; a
new, changed or late one is converted by whichever run comes next; a deleted one leaves the result.
Of files with the same content the first by path counts, and the others are reported.

Columns are found by the names in the file's header, in any order; more columns than ours do no
harm. A line that cannot be typed is rejected with its text and the first reason that applies:

    wrong_number_of_fields
    quantity_unreadable       not a whole number of at most 32 bits
    unit_price_unreadable     not a number, or beyond DECIMAL(18,4): nothing is rounded
    invoice_date_unreadable   none of the configured formats
"""

import csv
import gzip
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DecimalType

from include.config import Columns
from include.errors import Refused
from include.job import Run, counts_by_file, job, log, small_table
from include.lake import NOTHING, View, read_view
from include.schemas import INGESTED, LANDED_COLUMNS, PRICE

WIDE = DecimalType(38, 12)  # wide enough to see what DECIMAL(18,4) would round away
HEADER_BYTES = 64 * 1024


@dataclass(frozen=True)
class LandedFile:
    path: Path
    name: str  # relative to the landing folder
    size: int
    modified: int  # nanoseconds, as the file system tells

    @property
    def identity(self) -> tuple[int, int]:
        return self.size, self.modified


@dataclass(frozen=True)
class Layout:
    """How a file's lines are split: its delimiter and the names in its header."""

    delimiter: str
    header: tuple[str, ...]


def identity(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


# -- the landing folder -------------------------------------------------------------------------


def landed_files(landing: Path) -> list[LandedFile]:
    """The CSV files below the landing folder, by name. Raises Refused when there is none."""
    if not landing.is_dir():
        raise Refused(f"landing folder {landing} is missing; create it and drop the shop's CSV files there")
    found = []
    for path in sorted(landing.rglob("*")):
        name = path.relative_to(landing).as_posix()
        hidden = any(part.startswith((".", "_")) for part in Path(name).parts)
        if not hidden and name.lower().endswith((".csv", ".csv.gz")) and path.is_file():
            found.append(LandedFile(path, name, *identity(path)))
    if not found:
        raise Refused(f"landing folder {landing} has no .csv or .csv.gz file")
    return found


def layout(file: LandedFile, columns: Columns) -> Layout:
    """The layout told by the file's first line. Raises Refused when one of our columns is absent."""
    with (gzip.open if file.name.lower().endswith(".gz") else open)(file.path, "rb") as stream:
        first_line = stream.read(HEADER_BYTES).decode("utf-8-sig", errors="replace").splitlines()[:1]
    header_text = first_line[0] if first_line else ""
    delimiter = max(",;\t|", key=header_text.count)
    header = tuple(name.strip() for name in next(csv.reader([header_text], delimiter=delimiter), []))
    wanted = columns.model_dump().values()
    if missing := [name for name in wanted if header.count(name) != 1]:
        raise Refused(
            f"{file.name}: line 1: column {', '.join(missing)} missing or doubled in the header; "
            f"it has {', '.join(header) or 'nothing'}. Correct the file, or the names under "
            f"landing.columns in segmentation.yaml"
        )
    return Layout(delimiter, header)


def same_content(files: list[LandedFile], entries: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Files whose bytes are those of an earlier file: name -> the earlier name. Only files of
    equal size are looked into; their digest is kept in their entry."""
    of_size = Counter(file.size for file in files)
    copies, first_with = dict[str, str](), dict[str, str]()
    for file in files:
        if of_size[file.size] > 1:
            entry = entries[file.name]
            entry["sha256"] = entry.get("sha256") or sha256(file.path)
            first = first_with.setdefault(entry["sha256"], file.name)
            if first != file.name:
                copies[file.name] = first
    return copies


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# -- from text to typed lines -------------------------------------------------------------------


def text_lines(spark: SparkSession, folder: Path) -> tuple[DataFrame, dict[str, int]]:
    """Every line of the text files in a folder, but for headers and blank ones: name (of the file),
    line (from 1) and raw; and how many there are of each name.

    Spark reads large files in blocks and does not number lines. A first pass counts the lines of
    each block; a line's number is its place in the block plus the lines of the blocks before.
    """
    lines = spark.read.text(str(folder)).select(
        F.col("_metadata.file_name").alias("name"),
        F.col("_metadata.file_block_start").alias("block"),
        F.monotonically_increasing_id().alias("place"),
        F.col("value").alias("raw"),
    )
    blank = F.trim("raw") == ""
    blocks = lines.groupBy("name", "block").agg(
        F.min("place").alias("first"), F.count("*").alias("all"), F.count_if(~blank).alias("filled")
    )
    offsets, above, rows = [], dict[str, int](), dict[str, int]()
    for block in sorted(blocks.collect(), key=lambda row: (row["name"], row["block"])):  # per 128 MB
        name, before = block["name"], above.get(block["name"], 0)
        offsets.append((name, block["block"], before - block["first"] + 1))
        above[name] = before + block["all"]
        rows[name] = rows.get(name, -1) + block["filled"]  # -1: the header
    start = small_table(spark, offsets, "name string, block long, start long")
    numbered = lines.join(F.broadcast(start), ["name", "block"], "inner").select(
        "name", (F.col("place") + F.col("start")).alias("line"), "raw"
    )
    return numbered.where((F.col("line") > 1) & ~blank), rows


def fields(raw: Column, table: Layout) -> Column:
    """The fields of a line as an array; null where there are not as many as in the header.
    Most lines have no quote and are simply split."""
    n = len(table.header)
    schema = ", ".join([*(f"_{i} string" for i in range(n)), "_wrong string"])
    options = {"sep": table.delimiter, "quote": '"', "escape": '"', "columnNameOfCorruptRecord": "_wrong"}
    parsed = F.from_csv(raw, schema, options)
    in_quotes = F.when(parsed["_wrong"].isNull(), F.array(*[parsed[f"_{i}"] for i in range(n)]))
    plain = F.split(raw, re.escape(table.delimiter), -1)
    return F.when(F.contains(raw, F.lit('"')), in_quotes).otherwise(F.when(F.size(plain) == n, plain))


def typed_lines(lines: DataFrame, table: Layout, columns: Columns, date_formats: Sequence[str]) -> DataFrame:
    """Lines (file, line, raw) with their typed columns, and reason and outcome; columns as in
    schemas.INGESTED. A rejected line has what could be read; nothing is left out."""
    place = {ours: table.header.index(theirs) for ours, theirs in columns.model_dump().items()}
    text = lines.withColumn("fields", fields(F.col("raw"), table)).select(
        "file",
        "line",
        "raw",
        F.col("fields").isNull().alias("wrong"),
        *[F.get("fields", F.lit(place[name])).alias(name) for name in LANDED_COLUMNS],
    )
    number = F.trim("quantity").try_cast(WIDE)
    price = F.trim("unit_price").try_cast(WIDE)
    when = F.trim("invoice_date")
    typed = text.withColumns(
        {
            "invoice_no": F.trim("invoice_no"),
            "quantity": F.when(number.try_cast("int") == number, number.try_cast("int")),
            "unit_price": F.when(price.try_cast(PRICE) == price, price.try_cast(PRICE)),
            "invoice_date": F.coalesce(
                *[F.try_to_timestamp(when, F.lit(pattern)) for pattern in date_formats]
            ).cast("timestamp_ntz"),
        }
    )
    reason = (
        F.when(F.col("wrong"), "wrong_number_of_fields")
        .when(F.col("quantity").isNull(), "quantity_unreadable")
        .when(F.col("unit_price").isNull(), "unit_price_unreadable")
        .when(F.col("invoice_date").isNull(), "invoice_date_unreadable")
    )
    return (
        typed.withColumn("reason", reason)
        .withColumn("outcome", F.when(F.col("reason").isNull(), "kept").otherwise("rejected"))
        .select(*INGESTED.names)
    )


# -- one conversion -----------------------------------------------------------------------------


def converted(run: Run, files: list[LandedFile]) -> tuple[str, dict[str, dict[str, Any]]]:
    """Convert files together into one new batch: its id, and rows, kept and rejects of each file.

    The files are read through numbered links, so that no character of a name means anything to
    Spark, one folder for each layout.
    """
    settings = run.config.settings
    folders: dict[Layout, Path] = {}
    names, rows, parts = [], dict[str, int](), []
    for number, file in enumerate(files):
        table = layout(file, settings.landing.columns)
        folder = folders.setdefault(table, run.attempt / f"landed-{len(folders)}")
        folder.mkdir(exist_ok=True)
        link = folder / f"{number:06}.csv{'.gz' if file.name.lower().endswith('.gz') else ''}"
        link.symlink_to(file.path.resolve())
        names.append((link.name, file.name))
    file_of = small_table(run.spark, names, "name string, file string")
    for table, folder in folders.items():
        lines, counts = text_lines(run.spark, folder)
        rows |= counts
        lines = lines.join(F.broadcast(file_of), "name", "inner")
        parts.append(typed_lines(lines, table, settings.landing.columns, settings.landing.date_formats))
    written = run.attempt / "ingested"
    reduce(DataFrame.unionByName, parts).write.partitionBy("outcome").parquet(str(written))
    outcomes = counts_by_file(run.spark.read.schema(INGESTED).parquet(str(written)))
    for file in files:
        if not file.path.exists() or file.identity != identity(file.path):
            raise OSError(f"{file.name} was changed while it was read; try again when it is complete")
    batch = run.lake.commit_batch(written, run.lake.ingested(settings.ingest_rules))
    return batch, {
        file: {
            "rows": rows.get(name, 0),
            "kept": outcomes.get(file, {}).pop("kept", 0),
            "rejects": outcomes.get(file, {}),
        }
        for name, file in names
    }


def main(argv: Sequence[str] | None = None) -> None:
    with job("ingest", __doc__, argv) as run:
        stage = run.lake.ingested(run.config.settings.ingest_rules)
        listing = run.lake.next_listing()
        landed = landed_files(run.lake.landing)
        current = read_view(stage) or NOTHING
        entries = {file.name: known_entry(file, current) for file in landed}
        for copy, first in same_content(landed, entries).items():
            log.warning("ingest  %s has the same content as %s and is not counted", copy, first)
            entries[copy] |= {"batch": None, "same_as": first}

        new = [file for file in landed if "batch" not in entries[file.name]]
        sizes = dict(current["sizes"])
        if new:
            log.info("ingest  converting %d of %d landed files", len(new), len(landed))
            batch, results = converted(run, new)
            sizes[batch] = len(new)
            for file in new:
                entries[file.name] |= results[file.name] | {"batch": batch}

        counted = {name: entry for name, entry in entries.items() if entry["batch"]}
        rejects: Counter[str] = Counter()
        for entry in counted.values():
            rejects.update(entry["rejects"])
        record = run.record(
            sum(entry["rows"] for entry in counted.values()),
            sum(entry["kept"] for entry in counted.values()),
            dict(sorted(rejects.items())),
            files_landed=len(landed),
            files_converted=len(new),
            files_not_counted={name: e["same_as"] for name, e in entries.items() if not e["batch"]},
        )
        view = {"listing": listing, "files": entries, "sizes": sizes, "stages": {"ingest": record}}
        run.lake.commit_view(stage, view)


def known_entry(file: LandedFile, view: View) -> dict[str, Any]:
    """What the view says of the very same file, or the start of a new entry."""
    entry = view["files"].get(file.name, {})
    if entry.get("batch") and (entry["size"], entry["modified"]) == file.identity:
        return dict(entry)
    return {"size": file.size, "modified": file.modified}


if __name__ == "__main__":
    main()
