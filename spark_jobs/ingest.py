"""ingest: every landed CSV file becomes typed lines, once.

A file is known by its path, size and modification time. One already converted is not read again; a
new, changed or late one is converted by whichever run comes next; a deleted one leaves the result.
Of files with the same content the first by path counts. A file that is still being written, or may
not be read, waits for the next run. Both are reported.

Columns are found by the names in the file's header, in any order; more columns than ours do no
harm. Numbers are in English notation (1,234.50 or 1.2345e3); the customer id 17850.0 is 17850. A line
that cannot be typed is rejected with its text and the first reason that applies:

    no_header                  the file's first line has none of our columns
    file_damaged               a compressed file breaks off here
    zero_byte                  in the line: the file is no text, or damaged
    wrong_number_of_fields     fewer or more than in the header, or quotes that do not close
    quantity_unreadable        not a whole number of at most 32 bits
    unit_price_unreadable      not a number, or beyond DECIMAL(18,4): nothing is rounded
    amount_out_of_range        quantity times unit price is a trillion or more, such as a barcode as price
    invoice_date_unreadable    none of the configured formats
    invoice_date_out_of_range  before earliest_date or after latest_date
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import reduce
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DecimalType

from include.errors import Refused
from include.lake.commit import NOTHING, View, read_view
from include.landing.records import (
    LATIN,
    WINDOWS,
    Format,
    LandedFile,
    field_pattern,
    file_format,
    identity,
    is_damaged,
    landed_files,
    records,
    same_content,
    still_written,
    unreadable,
)
from include.settings import Landing, Segmentation
from include.spark.job import TASKS_PER_CORE, Run, job, log, small_table, write_lines
from include.spark.schemas import (
    CANCELLATION,
    LANDED_COLUMNS,
    LINES,
    MISSING_CUSTOMER,
    OTHER,
    PRICE,
    PURCHASE,
    PURCHASE_INVOICE,
)

WIDE = DecimalType(38, 20)  # wide enough to see what DECIMAL(18,4) would round away
# Texts that WIDE holds exactly; longer ones, and exponents that would take for ever, are no prices.
PLAIN_NUMBER = r"^[+-]?(\d{1,38}\.?|\d{0,38}\.\d{1,19}0*)$"
LARGEST_AMOUNT = 10**12  # not reached by a line: customers' sums stay within schemas.PENCE
WITH_EXPONENT = r"^[+-]?\d{1,16}(\.\d{0,16})?[eE][+-]?\d{1,2}$"
WITH_THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$"
ISO = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)? ?(Z|[+-]\d\d:?\d\d)?$"
USUAL_TIME = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\z"
READ_USUAL_TIME = ("yyyy-MM-dd HH:mm:ss", "iso")  # the formats that do
EXCEL = r"^\d{1,7}(\.\d{1,15})?$"
EXCEL_EPOCH = 25_569  # days from 1899-12-30 to 1970-01-01
NO_BREAK_SPACE = "\u00a0"
RECORDS_AT_ONCE = 50_000
SMALLEST_BLOCK, LARGEST_BLOCK = 32 << 20, 128 << 20  # bytes of a file that one task reads
TEXT_OF_A_TASK = 64 << 20  # bytes of whole files, on average
MISSING_ID = r"(?i)^\s*(null|nan|none|na|n/a|#n/a|<na>)?\s*\z"  # F.upper would load all scripts: 1 s
READING = "separator string, delimiter string, pattern string, width int, places array<int>"
READINGS = [column.split()[0] for column in READING.split(", ")]


# -- from files to lines ------------------------------------------------------------------------


def block_size(files: Sequence[tuple[LandedFile, Format]], cores: int) -> int:
    """Into blocks of how many bytes files are parted, so that all cores have some."""
    size = sum(file.size for file, _ in files)
    return min(LARGEST_BLOCK, max(SMALLEST_BLOCK, size // (TASKS_PER_CORE * cores)))


@contextmanager
def a_partition_for_each(block: int, spark: SparkSession) -> Iterator[None]:
    """What is read meanwhile has no two files, nor two blocks of a large one, in a partition."""
    meanwhile = {"maxPartitionBytes": block, "openCostInBytes": block, "maxPartitionNum": (1 << 31) - 1}
    before = {name: spark.conf.get(f"spark.sql.files.{name}", None) for name in meanwhile}
    for name, value in meanwhile.items():
        spark.conf.set(f"spark.sql.files.{name}", value)
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                spark.conf.unset(f"spark.sql.files.{name}")
            else:
                spark.conf.set(f"spark.sql.files.{name}", old)


def text_lines(spark: SparkSession, folder: Path) -> DataFrame:
    """Every line of the text files in a folder: name (of the file), block (where in the file it begins),
    place (of the line in the block, from 0) and raw, the text. To be read with a_partition_for_each block.
    A line that is not UTF-8 is read as Windows-1252."""
    text = F.col("value")
    latin = F.decode(text.cast("binary"), "ISO-8859-1")
    return spark.read.text(str(folder)).select(
        F.col("_metadata.file_name").alias("name"),
        F.col("_metadata.file_block_start").alias("block"),
        # Spark numbers the rows of a partition in these bits, and the partitions in those above.
        F.monotonically_increasing_id().bitwiseAND(F.lit((1 << 33) - 1)).alias("place"),
        F.when(F.is_valid_utf8(text), text).otherwise(F.translate(latin, LATIN, WINDOWS)).alias("raw"),
    )


def starts_of_blocks(lines: DataFrame) -> dict[tuple[str, int], int]:
    """The number of the first line of each (name, block): one more than the lines of the blocks before."""
    counts = lines.groupBy("name", "block").count().collect()  # a row for each 128 MB
    starts, above = {}, Counter[str]()
    for name, block, count in sorted(counts):
        starts[name, block] = above[name] + 1
        above[name] += count
    return starts


def landed_lines(
    spark: SparkSession,
    files: Sequence[tuple[LandedFile, Format]],
    folder: Path,
    block: int,
    seen: Observation,
) -> DataFrame:
    """Every line of the files but for headers and blank lines: file, line (from 1), raw, damaged (false);
    and how to read it (READING). To be read with a_partition_for_each block. `seen` counts the `lines`, with
    the headers, as they are read.

    Spark does not number lines. Of a file that is one block the place in it is the number; those of a larger
    one are counted first.
    """
    whole, parted = dict[str, tuple[LandedFile, Format]](), dict[str, tuple[LandedFile, Format]]()
    for number, (file, form) in enumerate(files):
        is_whole = file.size <= block or form.compressed
        # Numbered links, so that no character of a name means anything to Spark.
        name = f"{number:06}.csv{'.gz' if form.compressed else ''}"
        link = folder / ("whole" if is_whole else "parted") / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file.path.resolve())
        (whole if is_whole else parted)[name] = (file, form)

    parts, starts = [], dict.fromkeys(((name, 0) for name in whole), 1)
    if parted:
        parts.append(text_lines(spark, folder / "parted"))
        starts |= starts_of_blocks(parts[0])
    if whole:
        size = sum(file.size for file, _ in whole.values())
        # Neighbours by size are put together, as many in each task, and the largest come first: in many
        # tasks, so that the first are not very long.
        least = 2 * TASKS_PER_CORE * spark.sparkContext.defaultParallelism
        tasks = max(least, size // TEXT_OF_A_TASK + 1)
        parts.append(text_lines(spark, folder / "whole").coalesce(tasks))
    lines = reduce(DataFrame.unionByName, parts).where(F.trim("raw") != "")

    # All that is to be known of a line comes with one look-up, of which there is one for each line.
    named = whole | parted
    blocks = [
        (name, at, file.name, start, form.header_lines, *reading(form))
        for (name, at), start in starts.items()
        for file, form in [named[name]]
    ]
    columns = f"name string, block long, file string, start long, header_lines long, {READING}"
    return (
        lines.observe(seen, F.count("*").alias("lines"))
        .join(F.broadcast(small_table(spark, blocks, columns)), ["name", "block"])
        .withColumn("line", F.col("place") + F.col("start"))
        .where(F.col("line") > F.col("header_lines"))
        .select("file", "line", "raw", F.lit(False).alias("damaged"), *READINGS)
    )


def readings(spark: SparkSession, files: Sequence[tuple[LandedFile, Format]]) -> DataFrame:
    """How the lines of each file are read: file and READING."""
    rows = [(file.name, *reading(form)) for file, form in files]
    return small_table(spark, rows, f"file string, {READING}")


def reading(form: Format) -> tuple[str, str, str, int, tuple[int, ...]]:
    """How the lines of a format are read, as in READING; the separator is the delimiter as a pattern."""
    return f"\\{form.delimiter}", form.delimiter, field_pattern(form.delimiter), form.width, form.places


def written_records(files: Sequence[tuple[LandedFile, Format]], to: Path) -> int:
    """Write the records of files that Spark cannot read line by line: file, line, raw, damaged. Returns
    how many there are."""
    count = 0
    schema = pa.schema([("file", "string"), ("line", "int64"), ("raw", "string"), ("damaged", "bool")])
    with pq.ParquetWriter(to, schema) as writer:
        for file, form in files:
            log.info("ingest  %s is read record by record", file.name)
            found = records(file, form)
            while some := [(file.name, *record) for record in islice(found, RECORDS_AT_ONCE)]:
                count += len(some)
                writer.write_table(pa.table([list(column) for column in zip(*some, strict=True)], schema))
    return count


# -- from lines to typed lines ------------------------------------------------------------------


def with_fields(lines: DataFrame) -> DataFrame:
    """The lines with their text's `fields` as an array, with their quotes if it has_quote; null where there
    are not `width` of them. Without a quote a text is split, else read by `pattern` (landing.field_pattern).
    """
    delimiter, has_quote = F.col("delimiter"), F.col("has_quote")
    quoted = F.regexp_extract_all(F.concat(delimiter, "text"), F.col("pattern"), F.lit(1))
    # As columns, since Spark would compute an expression anew wherever a condition mentions it.
    ways = lines.withColumn("has_quote", F.contains("text", F.lit('"'))).withColumns(
        {
            "plain": F.when(~has_quote, F.split("text", F.col("separator"), -1)),
            "quoted": F.when(has_quote, quoted),
        }
    )
    whole = F.call_function("array_join", F.col("quoted"), delimiter) == F.col("text")
    fields = F.when(F.size("plain") == F.col("width"), F.col("plain")).when(
        (F.size("quoted") == F.col("width")) & whole, F.col("quoted")
    )
    return ways.withColumn("fields", fields).drop("plain", "quoted")


def our_fields() -> list[Column]:
    """From the column `fields` those of LANDED_COLUMNS, by that name and without their quotes."""
    return [
        unquoted(F.get("fields", F.get("places", F.lit(place)))).alias(name)
        for place, name in enumerate(LANDED_COLUMNS)
    ]


def unquoted(text: Column) -> Column:
    trimmed, quote = F.trim(text), F.lit('"')
    inner = F.substring(trimmed, F.lit(2), F.length(trimmed) - 2)
    within = F.replace(inner, F.lit('""'), quote)
    return F.when(F.col("has_quote") & F.startswith(trimmed, quote), within).otherwise(text)


def number(text: Column) -> Column:
    """The exact number that a text is, as WIDE; null for others and for those WIDE would round."""
    short = (F.length(text) <= 20) & ~F.contains(text, F.lit("e")) & ~F.contains(text, F.lit("E"))
    plain = F.when(short & ~F.contains(text, F.lit(",")), text).when(text.rlike(PLAIN_NUMBER), text)
    thousands = F.when(text.rlike(WITH_THOUSANDS), F.replace(text, F.lit(","), F.lit("")))
    power = F.when(text.rlike(WITH_EXPONENT), text).try_cast(WIDE)
    too_small = (power == 0) & text.rlike("^[^eE]*[1-9]")
    return F.coalesce(plain.try_cast(WIDE), thousands.try_cast(WIDE), F.when(~too_small, power))


def date_time(text: Column, formats: Sequence[str], time_zone: str) -> Column:
    """Wall-clock time in the time zone, from the first format that fits; else null."""
    with_seconds = F.regexp_replace(text, r"([T ]\d\d:\d\d)(?!:)", "$1:00")
    iso = F.when(text.rlike(ISO), F.replace(with_seconds, F.lit(","), F.lit(".")))
    zoned = text.rlike(r"(Z|[+-]\d\d:?\d\d)$") & text.rlike(":")
    instant = iso.try_cast("timestamp")
    days = F.when(text.rlike(EXCEL), text).try_cast(DecimalType(24, 15))
    known = {
        "iso": F.when(zoned, F.from_utc_timestamp(instant, time_zone)).otherwise(instant),
        "excel": F.timestamp_seconds(F.round((days - EXCEL_EPOCH) * 86_400).cast("long")),
    }
    read = [known.get(f, F.try_to_timestamp(text, F.lit(f))) for f in formats]
    return F.coalesce(*read).cast("timestamp_ntz")


def customer_id(raw: Column) -> Column:
    """The id as text: `17850.0` is `17850`, blanks and spelled-out nulls are null."""
    trimmed = F.trim(raw)
    zeros = F.endswith(trimmed, F.lit("0")) & trimmed.rlike(r"^\d+\.0+$")
    missing = (F.length(trimmed) <= len("null")) & trimmed.rlike(MISSING_ID)
    return F.when(~missing, F.when(zeros, F.substring_index(trimmed, ".", 1)).otherwise(trimmed))


def opens_quotes(text: str) -> Column:
    """Whether the number of quotes is odd (as landing.opens_quotes)."""
    without = F.replace(F.col(text), F.lit('"'), F.lit(""))
    return (F.octet_length(text) - F.octet_length(without)) % 2 == 1


def kind() -> Column:
    """What a typed line is: a customer's purchase or cancellation that can count, one of nobody, or
    none of them. Lines of each kind are written apart, so that `clean` need not write them again."""
    invoice = F.coalesce("invoice_no", F.lit(""))
    sold = invoice.rlike(PURCHASE_INVOICE) & (F.col("quantity") > 0) & (F.col("unit_price") > 0)
    return (
        F.when(F.col("customer_id").isNull(), MISSING_CUSTOMER)
        .when(sold, PURCHASE)
        .when(F.substring(invoice, 1, 1).isin("C", "c"), CANCELLATION)
        .otherwise(OTHER)
    )


def typed_lines(lines: DataFrame, landing: Landing, time_zone: str) -> DataFrame:
    """Lines as from landed_lines with their typed columns, and reason and outcome; columns as in
    schemas.LINES. A rejected line has what could be read; nothing is left out."""
    has_zero = F.contains("raw", F.lit("\0"))
    spaced = F.when(
        F.contains("raw", F.lit(NO_BREAK_SPACE)), F.replace("raw", F.lit(NO_BREAK_SPACE), F.lit(" "))
    ).otherwise(F.col("raw"))
    text = with_fields(lines.withColumn("text", spaced)).select(
        *["file", "line", "raw", "damaged", "width", "fields"], *our_fields()
    )
    quantity, price = number(F.trim("quantity")), number(F.trim("unit_price"))
    typed = text.withColumns(
        {
            "invoice_no": F.trim("invoice_no"),
            "quantity": F.when(quantity.try_cast("int") == quantity, quantity.try_cast("int")),
            "unit_price": F.when(price.try_cast(PRICE) == price, price.try_cast(PRICE)),
            "invoice_date": date_time(F.trim("invoice_date"), landing.date_formats, time_zone),
            "customer_id": customer_id(F.col("customer_id")),
        }
    )
    amount = F.abs(F.col("quantity") * F.col("unit_price"))
    day = F.col("invoice_date").cast("date")
    plausible = day.between(F.lit(landing.earliest_date), F.lit(landing.latest_date))
    reason = (
        F.when(F.col("damaged"), "file_damaged")
        .when(F.col("width") == 0, "no_header")
        .when(has_zero, "zero_byte")
        .when(F.col("fields").isNull(), "wrong_number_of_fields")
        .when(F.col("quantity").isNull(), "quantity_unreadable")
        .when(F.col("unit_price").isNull(), "unit_price_unreadable")
        .when(amount >= LARGEST_AMOUNT, "amount_out_of_range")
        .when(F.col("invoice_date").isNull(), "invoice_date_unreadable")
        .when(~plausible, "invoice_date_out_of_range")
    )
    return (
        typed.withColumn("reason", reason)
        .withColumn("outcome", F.when(F.col("reason").isNull(), "kept").otherwise("rejected"))
        .withColumn("kind", F.when(F.col("reason").isNull(), kind()).otherwise(OTHER))
        .select(*LINES.names)
    )


def usual_lines(lines: DataFrame, landing: Landing) -> DataFrame:
    """Lines as from landed_lines; those in the usual spelling typed and with outcome `kept`, as
    typed_lines would have it, the others with outcome `unusual` and damaged ones with a reason.
    Columns as in schemas.LINES.

    Usual is what a shop's export looks like: whole numbers in digits, prices with at most four
    decimals, times as 2010-12-01 08:26:00. Nearly all lines are, and of a large delivery it is these
    few steps for each line that take the time.
    """
    plain = ~F.contains("raw", F.lit(NO_BREAK_SPACE)) & ~F.contains("raw", F.lit("\0"))
    usual = F.col("fields").isNotNull() & plain & (F.col("width") > 0) & ~F.col("damaged")
    usual = usual & ~(F.col("has_quote") & opens_quotes("raw"))
    text = (
        with_fields(lines.withColumn("text", F.col("raw")))
        .select(*["file", "line", "raw", "damaged"], usual.alias("usual"), *our_fields())
        .withColumns({name: F.trim(name) for name in ("invoice_no", "unit_price", "invoice_date")})
    )

    price, when = F.col("unit_price"), F.col("invoice_date")
    point = F.instr(price, ".")
    exact = (F.length(price) <= 14) & ((point == 0) | (F.length(price) - point <= PRICE.scale))
    exact = exact & ~F.contains(price, F.lit("e")) & ~F.contains(price, F.lit("E"))
    is_time = F.lit(landing.date_formats[0] in READ_USUAL_TIME) & when.rlike(USUAL_TIME)
    typed = text.withColumns(
        {
            "quantity": F.col("quantity").try_cast("int"),
            "unit_price": F.when(exact, price.try_cast(PRICE)),
            "invoice_date": F.when(is_time, when.try_cast("timestamp_ntz")),
            "customer_id": customer_id(F.col("customer_id")),
        }
    )
    earliest, after_latest = (
        F.lit(str(day)).cast("timestamp_ntz")
        for day in (landing.earliest_date, landing.latest_date + timedelta(days=1))
    )
    usual = F.col("usual") & F.col("quantity").isNotNull() & F.col("unit_price").isNotNull()
    usual = usual & (F.col("invoice_date") >= earliest) & (F.col("invoice_date") < after_latest)
    # Their product is below LARGEST_AMOUNT, and two limits are quicker than a product.
    usual = usual & F.col("quantity").between(-99_999, 99_999) & F.col("unit_price").between(-(10**7), 10**7)
    return (
        typed.withColumn("reason", F.when(F.col("damaged"), "file_damaged"))
        .withColumn("outcome", F.when(usual, "kept").otherwise("unusual"))
        .withColumn("kind", F.when(usual, kind()).otherwise(OTHER))
        .select(*LINES.names)
    )


class Batch(NamedTuple):
    """Where lines were written, of how many files, and of those files that count from here how many lines
    are kept and rejected by reason."""

    folder: Path
    files: int
    counts: dict[str, dict[str, int]]


def written_lines(
    spark: SparkSession,
    lines: DataFrame,
    files: Sequence[tuple[LandedFile, Format]],
    settings: Segmentation,
    to: Path,
) -> set[str]:
    """Write lines as from landed_lines, typed, as kept and rejected ones (schemas.LINES). Returns the files
    with a line whose quotes do not close. Unusual lines, these among them, are looked at a second time,
    with all that is understood.
    """
    unusual = to.with_name("unusual")
    write_lines(usual_lines(lines, settings.landing), to)
    if not (to / "outcome=unusual").exists():
        return set()
    (to / "outcome=unusual").rename(unusual)
    again = spark.read.schema(LINES).parquet(str(unusual))
    with_readings = again.join(F.broadcast(readings(spark, files)), "file")
    typed = typed_lines(
        with_readings.withColumn("damaged", F.col("reason").isNotNull()),
        settings.landing,
        settings.time_zone,
    )
    write_lines(typed, to, mode="append")
    return {row["file"] for row in again.where(opens_quotes("raw")).select("file").distinct().collect()}


def written_batches(
    spark: SparkSession, files: Sequence[tuple[LandedFile, Format]], settings: Segmentation, attempt: Path
) -> list[Batch]:
    """Write all lines of the files, typed. Files of which several lines are one record are read again, record
    by record, and count from a batch of their own. Raises OSError when not all that was read was written.
    """
    by_record = [(f, form) for f, form in files if form.encoding or (form.compressed and is_damaged(f.path))]
    by_line = [pair for pair in files if pair not in by_record]
    batches = []
    if by_line:
        folder, seen = attempt / "by line" / "ingested", Observation()
        block = block_size(by_line, spark.sparkContext.defaultParallelism)
        with a_partition_for_each(block, spark):
            lines = landed_lines(spark, by_line, attempt / "landed", block, seen)
            open_quotes = written_lines(spark, lines, by_line, settings, folder)
        counts = counts_by_file(spark.read.schema(LINES).parquet(str(folder)))
        check_all_are_written(seen.get["lines"] - sum(form.header_rows for _, form in by_line), counts)
        by_record += [pair for pair in by_line if pair[0].name in open_quotes]
        counted = [f.name for f, _ in by_line if f.name not in open_quotes]
        batches.append(Batch(folder, len(by_line), {name: counts.get(name, {}) for name in counted}))
    if by_record:
        folder, table = attempt / "by record" / "ingested", attempt / "records.parquet"
        read = written_records(by_record, table)
        lines = spark.read.parquet(str(table)).join(F.broadcast(readings(spark, by_record)), "file")
        written_lines(spark, lines, by_record, settings, folder)
        counts = counts_by_file(spark.read.schema(LINES).parquet(str(folder)))
        check_all_are_written(read, counts)
        batches.append(Batch(folder, len(by_record), {f.name: counts.get(f.name, {}) for f, _ in by_record}))
    return [batch for batch in batches if batch.counts]


def counts_by_file(lines: DataFrame) -> dict[str, dict[str, int]]:
    """Lines per file and reason, where the reason of kept lines is `kept`."""
    reason = F.when(F.col("outcome") == "kept", "kept").otherwise(F.col("reason")).alias("reason")
    counts: dict[str, dict[str, int]] = {}
    for file, why, number in lines.groupBy("file", reason).count().collect():  # a few rows per landed file
        counts.setdefault(file, {})[why] = number
    return counts


def check_all_are_written(read: int, counts: Mapping[str, Mapping[str, int]]) -> None:
    """Raises OSError unless as many lines are in the tables as were read of the files."""
    written = sum(sum(of_file.values()) for of_file in counts.values())
    if read != written:
        raise OSError(f"{read:,} lines were read, and {written:,} written; run it again")


# -- one conversion -----------------------------------------------------------------------------


def converted(run: Run, files: list[LandedFile]) -> tuple[dict[str, int], dict[str, dict[str, Any]]]:
    """Convert files together: the new batches with how many files each has; and of each file its batch,
    rows, kept and rejects."""
    settings = run.config.settings
    forms = [(file, file_format(file, settings.landing.columns)) for file in files]
    written = written_batches(run.spark, forms, settings, run.attempt)
    for file in files:
        if not file.path.exists() or file.identity != identity(file.path):
            raise OSError(f"{file.name} was changed while it was read; try again when it is complete")
    sizes, results = {}, {}
    for folder, number_of_files, counts in written:
        batch = run.lake.commit_batch(folder, run.lake.ingested(settings.ingest_rules))
        sizes[batch] = number_of_files
        for name, of_file in counts.items():
            rejects = {reason: lines for reason, lines in of_file.items() if reason != "kept"}
            rows = sum(of_file.values())
            results[name] = {"batch": batch, "rows": rows, "kept": of_file.get("kept", 0), "rejects": rejects}
    return sizes, results


def main(argv: Sequence[str] | None = None) -> None:
    with job("ingest", __doc__, argv) as run:
        settings = run.config.settings
        stage = run.lake.ingested(settings.ingest_rules)
        listing = run.lake.next_number()
        landed, not_counted = landed_files(run.lake.landing)
        current = read_view(stage) or NOTHING
        entries = {file.name: entry for file in landed if (entry := known_entry(file, stage, current))}
        fresh = [file for file in landed if not file.is_of(entries.get(file.name))]
        waits = unreadable(fresh) | still_written(fresh, settings.landing.settle_seconds)
        not_counted |= waits
        for file in fresh:
            if file.name not in waits:
                entries[file.name] = {"size": file.size, "modified": file.modified}
            elif file.name in entries:  # rather the file as it was than without it
                not_counted[file.name] += "; counted as it was before"
        for copy, first in same_content(landed, entries).items():
            not_counted[copy] = f"has the same content as {first}"
            del entries[copy]
        for name, why in not_counted.items():
            log.warning("ingest  not counted: %s %s", name, why)

        new = [file for file in landed if "batch" not in entries.get(file.name, {"batch": None})]
        sizes = dict(current["sizes"])
        if new:
            log.info("ingest  converting %d of %d landed files", len(new), len(landed))
            new_sizes, results = converted(run, new)
            sizes |= new_sizes
            for file in new:
                entries[file.name] |= (of_file := results[file.name])
                if not of_file["kept"]:
                    why = ", ".join(f"{lines:,} {reason}" for reason, lines in of_file["rejects"].items())
                    log.warning("ingest  %s: no line is kept; %s", file.name, why or "it has none")

        rejects: Counter[str] = Counter()
        for entry in entries.values():
            rejects.update(entry["rejects"])
        rows_in = sum(entry["rows"] for entry in entries.values())
        if not rows_in:
            raise Refused(f"{run.lake.landing}: no landed file has a line below its header")
        record = run.record(
            rows_in,
            sum(entry["kept"] for entry in entries.values()),
            dict(sorted(rejects.items())),
            files_landed=len(landed),
            files_converted=len(new),
            files_not_counted=dict(sorted(not_counted.items())),
        )
        view = {"listing": listing, "files": entries, "sizes": sizes, "stages": {"ingest": record}}
        run.lake.commit_view(stage, view)


def known_entry(file: LandedFile, stage: Path, view: View) -> dict[str, Any] | None:
    """What the view says of a file, as it is or as it was before, where its lines are still there."""
    entry = view["files"].get(file.name)
    return dict(entry) if entry and (stage / f"batch={entry['batch']}").is_dir() else None


if __name__ == "__main__":
    main()
