"""ingest: every landed CSV file becomes typed lines, once.

A file is known by its path, size and modification time. A converted file is not read again. The next run
converts a new, changed or late file, and leaves out a deleted one. Of files with the same content the
first by path counts. A file that is still being written, or may not be read, waits for the next run.

Columns are found by the names in the file's header, in any order; other columns are ignored. Numbers are
in English notation (1,234.50 or 1.2345e3), and the customer id 17850.0 is 17850. A line that cannot be
typed is rejected with its text and the first reason that applies:

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

import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DecimalType

from include.lake.commit import commit_manifest, next_number
from include.lake.plan import plan_ingest
from include.settings import Landing, Segmentation
from include.spark.columns import has_open_quote, outcome
from include.spark.conversion import UNDECIDED, TypingRules, convert_files
from include.spark.job import job
from include.spark.schemas import (
    CANCELLATION,
    LANDED,
    LINES,
    MISSING_CUSTOMER,
    OTHER,
    PRICE,
    PURCHASE,
    PURCHASE_INVOICE,
)

log = logging.getLogger("rfm")

WIDE = DecimalType(38, 20)  # wide enough to see what DECIMAL(18,4) would round away
# Text that WIDE holds exactly. Longer text, and exponents that would take forever, are no prices.
PLAIN_NUMBER = r"^[+-]?(\d{1,38}\.?|\d{0,38}\.\d{1,19}0*)$"
WITH_EXPONENT = r"^[+-]?\d{1,16}(\.\d{0,16})?[eE][+-]?\d{1,2}$"
WITH_THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$"
LARGEST_AMOUNT = 10**12  # no line reaches it, so the sums of customers stay within schemas.MONEY
ISO = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)? ?(Z|[+-]\d\d:?\d\d)?$"
USUAL_TIME = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\z"
FORMATS_OF_USUAL_TIME = ("yyyy-MM-dd HH:mm:ss", "iso")
EXCEL = r"^\d{1,7}(\.\d{1,15})?$"
EXCEL_EPOCH = 25_569  # days from 1899-12-30 to 1970-01-01
NO_BREAK_SPACE = "\u00a0"
MISSING_ID = r"(?i)^\s*(null|nan|none|na|n/a|#n/a|<na>)?\s*\z"  # F.upper would load all scripts: 1 s


# -- fields -------------------------------------------------------------------------------------


def with_fields(lines: DataFrame) -> DataFrame:
    """Add `has_quote` and `fields`, an array of the fields of `text` with their quotes; null where there are
    not `width` of them. Text without a quote is split, other text is read by `pattern`
    (landing.field_pattern)."""
    delimiter, has_quote = F.col("delimiter"), F.col("has_quote")
    quoted = F.regexp_extract_all(F.concat(delimiter, "text"), F.col("pattern"), F.lit(1))
    # As columns, since Spark evaluates an expression again in every condition that mentions it.
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


def landed_columns() -> list[Column]:
    """The columns of schemas.LANDED as text without quotes, from `fields` and `places`."""
    return [
        unquoted(F.get("fields", F.get("places", F.lit(place)))).alias(name)
        for place, name in enumerate(LANDED.names)
    ]


def unquoted(text: Column) -> Column:
    trimmed, quote = F.trim(text), F.lit('"')
    inner = F.substring(trimmed, F.lit(2), F.length(trimmed) - 2)
    within = F.replace(inner, F.lit('""'), quote)
    return F.when(F.col("has_quote") & F.startswith(trimmed, quote), within).otherwise(text)


def number(text: Column) -> Column:
    """The exact number that a text is, as WIDE; null for other text and for numbers that WIDE would round."""
    short = (F.length(text) <= 20) & ~F.contains(text, F.lit("e")) & ~F.contains(text, F.lit("E"))
    plain = F.when(short & ~F.contains(text, F.lit(",")), text).when(text.rlike(PLAIN_NUMBER), text)
    thousands = F.when(text.rlike(WITH_THOUSANDS), F.replace(text, F.lit(","), F.lit("")))
    power = F.when(text.rlike(WITH_EXPONENT), text).try_cast(WIDE)
    too_small = (power == 0) & text.rlike("^[^eE]*[1-9]")
    return F.coalesce(plain.try_cast(WIDE), thousands.try_cast(WIDE), F.when(~too_small, power))


def date_time(text: Column, formats: Sequence[str], time_zone: str) -> Column:
    """Wall-clock time in the time zone, by the first format that fits; null when none does."""
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
    """The id as text: `17850.0` becomes `17850`, blanks and spelled-out nulls become null."""
    trimmed = F.trim(raw)
    zeros = F.endswith(trimmed, F.lit("0")) & trimmed.rlike(r"^\d+\.0+$")
    missing = (F.length(trimmed) <= len("null")) & trimmed.rlike(MISSING_ID)
    return F.when(~missing, F.when(zeros, F.substring_index(trimmed, ".", 1)).otherwise(trimmed))


# -- lines --------------------------------------------------------------------------------------


def typed_lines(lines: DataFrame, landing: Landing, time_zone: str) -> DataFrame:
    """Landed lines (text_files.READING) with typed columns, reason, outcome and line type; columns as in
    schemas.LINES. A rejected line keeps whatever could be read; no line is left out."""
    no_break = F.contains("raw", F.lit(NO_BREAK_SPACE))
    spaced = F.when(no_break, F.replace("raw", F.lit(NO_BREAK_SPACE), F.lit(" "))).otherwise(F.col("raw"))
    text = with_fields(lines.withColumn("text", spaced)).select(
        *["file", "line", "raw", "damaged", "width", "fields"], *landed_columns()
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
    return (
        typed.withColumn("reason", typing_reason(landing))
        .withColumn("outcome", outcome())
        .withColumn("line_type", F.when(F.col("reason").isNull(), line_type()).otherwise(OTHER))
        .select(*LINES.names)
    )


def typing_reason(landing: Landing) -> Column:
    """Why a line could not be typed: the first reason of the module's text that applies, or null."""
    amount = F.abs(F.col("quantity") * F.col("unit_price"))
    day = F.col("invoice_date").cast("date")
    plausible = day.between(F.lit(landing.earliest_date), F.lit(landing.latest_date))
    return (
        F.when(F.col("damaged"), "file_damaged")
        .when(F.col("width") == 0, "no_header")
        .when(F.contains("raw", F.lit("\0")), "zero_byte")
        .when(F.col("fields").isNull(), "wrong_number_of_fields")
        .when(F.col("quantity").isNull(), "quantity_unreadable")
        .when(F.col("unit_price").isNull(), "unit_price_unreadable")
        .when(amount >= LARGEST_AMOUNT, "amount_out_of_range")
        .when(F.col("invoice_date").isNull(), "invoice_date_unreadable")
        .when(~plausible, "invoice_date_out_of_range")
    )


def line_type() -> Column:
    """The type of a line: a purchase or cancellation, a line without a customer, or anything else."""
    invoice = F.coalesce("invoice_no", F.lit(""))
    sold = invoice.rlike(PURCHASE_INVOICE) & (F.col("quantity") > 0) & (F.col("unit_price") > 0)
    return (
        F.when(F.col("customer_id").isNull(), MISSING_CUSTOMER)
        .when(sold, PURCHASE)
        .when(F.substring(invoice, 1, 1).isin("C", "c"), CANCELLATION)
        .otherwise(OTHER)
    )


# -- the fast path ------------------------------------------------------------------------------


def typed_fast_path(lines: DataFrame, landing: Landing) -> DataFrame:
    """The lines that typed_lines would keep and that are in the usual spelling, typed and with the outcome
    `kept`; the others with the outcome UNDECIDED. Columns as in schemas.LINES.

    The usual spelling is what a shop's own export has: whole numbers in digits, prices with at most four
    decimals, times as 2010-12-01 08:26:00. Nearly every line is, and on a large delivery these few steps for
    each line take most of the time. A test compares the two.
    """
    text = (
        with_fields(lines.withColumn("text", F.col("raw")))
        .select(*["file", "line", "raw", "damaged"], is_usual_text().alias("usual"), *landed_columns())
        .withColumns({name: F.trim(name) for name in ("invoice_no", "unit_price", "invoice_date")})
    )
    when = F.col("invoice_date")
    is_time = F.lit(landing.date_formats[0] in FORMATS_OF_USUAL_TIME) & when.rlike(USUAL_TIME)
    typed = text.withColumns(
        {
            "quantity": F.col("quantity").try_cast("int"),
            "unit_price": F.when(is_usual_price(), F.col("unit_price").try_cast(PRICE)),
            "invoice_date": F.when(is_time, when.try_cast("timestamp_ntz")),
            "customer_id": customer_id(F.col("customer_id")),
        }
    )
    usual = F.col("usual") & has_usual_values(landing)
    return (
        typed.withColumn("reason", F.when(F.col("damaged"), "file_damaged"))
        .withColumn("outcome", F.when(usual, "kept").otherwise(UNDECIDED))
        .withColumn("line_type", F.when(usual, line_type()).otherwise(OTHER))
        .select(*LINES.names)
    )


def is_usual_text() -> Column:
    plain = ~F.contains("raw", F.lit(NO_BREAK_SPACE)) & ~F.contains("raw", F.lit("\0"))
    usual = F.col("fields").isNotNull() & plain & (F.col("width") > 0) & ~F.col("damaged")
    return usual & ~(F.col("has_quote") & has_open_quote("raw"))


def is_usual_price() -> Column:
    price = F.col("unit_price")
    point = F.instr(price, ".")
    exact = (F.length(price) <= 14) & ((point == 0) | (F.length(price) - point <= PRICE.scale))
    return exact & ~F.contains(price, F.lit("e")) & ~F.contains(price, F.lit("E"))


def has_usual_values(landing: Landing) -> Column:
    """Whether all values were read, on a plausible date, with an amount below LARGEST_AMOUNT."""
    earliest, after_latest = (
        F.lit(str(day)).cast("timestamp_ntz")
        for day in (landing.earliest_date, landing.latest_date + timedelta(days=1))
    )
    quantity, price, when = F.col("quantity"), F.col("unit_price"), F.col("invoice_date")
    usual = quantity.isNotNull() & price.isNotNull() & (when >= earliest) & (when < after_latest)
    # Two limits whose product is below LARGEST_AMOUNT are quicker than a product.
    return usual & quantity.between(-99_999, 99_999) & price.between(-(10**7), 10**7)


def typing_rules(settings: Segmentation) -> TypingRules:
    return TypingRules(
        fast=partial(typed_fast_path, landing=settings.landing),
        complete=partial(typed_lines, landing=settings.landing, time_zone=settings.time_zone),
    )


def main(argv: Sequence[str] | None = None) -> None:
    with job("ingest", __doc__, argv) as run:
        settings = run.config.settings
        plan = plan_ingest(run.lake, settings, next_number(run.lake), settings.landing.settle_seconds)
        for warning in plan.warnings:
            log.warning(warning)
        conversion = convert_files(run, plan.new, typing_rules(settings))
        manifest = plan.manifest(conversion, run.execution)
        run.report(manifest.stages["ingest"])
        commit_manifest(run.lake, plan.stage, manifest)


if __name__ == "__main__":
    main()
