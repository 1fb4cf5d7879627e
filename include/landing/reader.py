"""Reading: a landed file becomes typed lines and rejects. Neither Spark nor Airflow is needed.

Columns are found by the names in the file's header, as its shop's format says (shop_formats.py). Dates and
numbers are read by evidence (dates.py, values.py), customer ids as in customer_ids.py. Why a line is
rejected, and what types of lines there are, is in outcomes.py.

Most lines are in the usual spelling and take the fast pass. The complete one reads what that leaves.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from include.landing.blocks import Block
from include.landing.customer_ids import customer_ids
from include.landing.dates import date_times
from include.landing.evidence import COMMA, LINE_PRICE, OTHER_HEADER, POINT, UNIT_PRICE
from include.landing.fields import fields, plain_fields, unquoted
from include.landing.formats import Format, Header, fitting_header
from include.landing.line_types import CANCELLATION, PURCHASE
from include.landing.outcomes import (
    ANY_INVOICE,
    LARGEST_QUANTITY,
    MONEY,
    NUMBERS,
    QUANTITY,
    has_value,
    is_counted,
    is_plausible,
    line_type,
    numbers_of,
    outcome,
    reason,
)
from include.landing.records import records, text_of_records
from include.landing.rows import LANDED, TOLD, filled_down, landed_text
from include.landing.values import currency, scaled_numbers
from include.settings import Landing, Segmentation
from include.shop_formats import Decimals

NO_BREAK_SPACE = "\u00a0"
USUAL_QUANTITY = r"^-?[0-9]{1,5}$"
USUAL_NUMBER: dict[Decimals | None, str] = {
    POINT: r"^[0-9]{1,7}(\.[0-9]{0,4})?$",
    COMMA: r"^[0-9]{1,7}(,[0-9]{0,4})?$",
    None: r"^[0-9]{1,7}$",
}
# A usual number whose mark can only be that of decimals: all but AMBIGUOUS ones of values.py.
PROOF = r"[.,](?:[0-9]{0,2}|[0-9]{4})$|^(?:0[0-9]*|[0-9]{4,})[.,][0-9]{3}$"
WHOLE_INVOICE = r"^[=']*\"?([0-9]+)(?:\.0)?\"?$"  # as Excel and pandas write one: ="5001", 5001.0
ONE_PIECE = r"^[-(]?1(?:[.,]0*)?[-)]?$"
PROVEN_EVERY = 16  # lines, in the fast pass: one line is proof enough for its file
LINES_AT_ONCE = 50_000
TYPED = [
    *["file", "part", "line", "raw", "invoice_no", "stock_code", "description", "quantity", "invoice_date"],
    *["unit_price", "amount", "refunded", "customer_id", "country", "reason", "outcome", "line_type"],
]
EVIDENCE = ["order", "marks"]  # what the date proves, and what the numbers do: words with a blank between


@dataclass(frozen=True)
class ReadingRules:
    """The configuration of reading."""

    landing: Landing
    time_zone: str
    guest_ids: tuple[str, ...]

    @classmethod
    def of(cls, settings: Segmentation) -> "ReadingRules":
        return cls(settings.landing, settings.time_zone, tuple(settings.guest_ids))


def typed_lines(blocks: Iterable[Block], rules: ReadingRules) -> Iterator[pl.DataFrame]:
    """The lines of blocks, many at a time: TYPED, EVIDENCE, the currency and the telling columns. Each is
    there once, with a reason if it is rejected; a kept purchase or cancellation has no `raw`. A rejected
    line keeps whatever could be read."""
    for form, found in records_of_alike_files(blocks):
        yield typed(found, form, rules)


def typed(found: pl.DataFrame, form: Format, rules: ReadingRules) -> pl.DataFrame:
    """Records as typed lines. Raises RuntimeError where some are lost or doubled, whatever the input."""
    header = form.header
    if header and not header.shop.fill_down:
        usual, others = fast_pass(found, form, header, rules)
        lines = usual if others.is_empty() else pl.concat([usual, complete_pass(others, form, rules)])
    else:
        lines = complete_pass(found, form, rules)
    if lines.height != found.height:
        raise RuntimeError(f"{found.height:,} records were read as {lines.height:,} lines")
    return with_shop(lines) if rules.landing.shop_from == "folder" else lines


def with_shop(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines with the first folder of their file before invoice and customer."""
    shop = pl.col("file").str.extract("^([^/]+/)").fill_null("")
    return lines.with_columns(pl.concat_str(shop, name).alias(name) for name in ("invoice_no", "customer_id"))


def records_of_alike_files(blocks: Iterable[Block]) -> Iterator[tuple[Format, pl.DataFrame]]:
    """The records of blocks with their file's name and part, those of small files together. A file whose
    order's fields are filled down stays whole."""
    waiting = defaultdict[Format, list[pl.DataFrame]](list)
    lines = Counter[Format]()
    for block in blocks:
        form = block.file.format.of_lines
        stays_whole = form.header is not None and form.header.shop.fill_down
        names = pl.lit(block.file.name).alias("file"), pl.lit(block.file.part.name, pl.String).alias("part")
        for found in records(block.file, block.start, block.end, block.first_line):
            waiting[form].append(found.with_columns(names))
            lines[form] += found.height
            if lines[form] >= LINES_AT_ONCE and not stays_whole:
                yield form, text_of_records(pl.concat(waiting.pop(form)))
                lines[form] = 0
    for form, parts in waiting.items():
        yield form, text_of_records(pl.concat(parts))


# -- the fast pass ------------------------------------------------------------------------------


def fast_pass(
    found: pl.DataFrame, form: Format, header: Header, rules: ReadingRules
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The records in the usual spelling, typed; and the others as they are.

    The usual spelling has no quotes, whole quantities in digits, and money with at most four decimals. The
    complete pass would type these records equally. A test compares the two.
    """
    unusual = pl.any_horizontal(
        pl.col("raw").str.contains(text, literal=True) for text in ('"', NO_BREAK_SPACE, "\0")
    )
    is_usual = found.select(~unusual & ~pl.col("damaged") & ~pl.col("cut_off")).to_series()
    usual = found.filter(is_usual)
    text = usual.hstack(landed_text(plain_fields(usual.get_column("raw"), form), header))
    numbers, decimals = numbers_of(header), form.notation.decimals
    marks = proofs(text, [name for name in numbers if name != "quantity"], decimals)
    read = with_dates_and_ids(text, form, rules).with_columns(order=with_proofs_of_prices(header))
    values = read.with_columns(usual_number(name, decimals) for name in numbers)
    is_kept = values.select(is_read(header, rules.landing)).to_series().fill_null(value=False)
    left = pl.concat([found.filter(~is_usual), usual.filter(~is_kept)])
    kept = values.with_columns(marks).filter(is_kept).with_columns(reason=pl.lit(None, pl.String))
    return finished(kept, header), left


def usual_number(name: str, decimals: Decimals | None) -> pl.Expr:
    """A number in the usual spelling; null for any other."""
    text = pl.col(name)
    if name == "quantity":
        whole = pl.when(text.str.contains(USUAL_QUANTITY)).then(text.cast(pl.Int32, strict=False))
        return whole.cast(QUANTITY).alias(name)
    pointed = text.str.replace(",", ".", literal=True) if decimals == COMMA else text
    return (
        pl.when(text.str.contains(USUAL_NUMBER[decimals])).then(pointed.cast(MONEY, strict=False)).alias(name)
    )


def is_read(header: Header, landing: Landing) -> pl.Expr:
    """Whether the fast pass has read all of a line."""
    numbers = [pl.col(name).is_not_null() for name in numbers_of(header)]
    return pl.all_horizontal(*numbers, is_counted(header), is_plausible(landing), ~pl.col("has_damaged_id"))


def proofs(text: pl.DataFrame, numbers: list[str], decimals: Decimals | None) -> pl.Series:
    """Which lines prove the mark of decimals: of some lines only, since the file has many. All are looked at
    where those prove nothing: what a look has proven must be found again, or reading would never end."""
    marks = pl.repeat(None, text.height, dtype=pl.String, eager=True).alias("marks")
    if decimals is None or not numbers:
        return marks
    is_proof = pl.any_horizontal(pl.col(name).str.contains(PROOF) for name in numbers)
    for step in (PROVEN_EVERY, 1):
        some = text.select(numbers).gather_every(step)
        proven = some.select(is_proof.fill_null(value=False)).to_series()
        if proven.any():
            return marks.scatter(proven.arg_true() * step, decimals)
    return marks


# -- the complete pass --------------------------------------------------------------------------


def complete_pass(found: pl.DataFrame, form: Format, rules: ReadingRules) -> pl.DataFrame:
    """All records, typed or rejected with a reason."""
    header = form.header
    if header is None:
        empty = [pl.lit(None, pl.String).alias(name) for name in [*LANDED, *EVIDENCE]]
        unread = found.with_columns(empty).with_columns(pl.col("invoice_date").cast(pl.Datetime("us")))
        return finished(
            unread.with_columns(has_fields=pl.lit(value=False)).with_columns(
                reason=reason(form, rules.landing)
            ),
            None,
        )
    spaced = found.get_column("raw").str.replace_all(NO_BREAK_SPACE, " ", literal=True)
    text = found.hstack(landed_text(fields(spaced, form), header).select(unquoted(pl.all())))
    text = text.with_columns(has_fields=pl.col("invoice_no").is_not_null())
    text = filled_down(text) if header.shop.fill_down else text
    values = with_dates_and_ids(text, form, rules).with_columns(order=with_proofs_of_prices(header))
    has_refund = pl.col("refunded").str.strip_chars() != ""
    values = with_currency(values.with_columns(has_refund=has_refund.fill_null(value=False)), header)
    values = with_other_headers(with_numbers(values, form, header), header, rules)
    reasoned = values.with_columns(reason=reason(form, rules.landing))
    return finished(reasoned.with_columns(as_decimal(name) for name in numbers_of(header)), header)


def with_currency(text: pl.DataFrame, header: Header) -> pl.DataFrame:
    """The same with the currency that is written with the money, where no column has it."""
    money = [name for name in numbers_of(header) if name != "quantity"]
    if "currency" in header.place_of:
        return text
    return text.with_columns(currency=pl.coalesce(currency(pl.col(name)) for name in money))


def with_other_headers(values: pl.DataFrame, header: Header, rules: ReadingRules) -> pl.DataFrame:
    """The same with rows marked as evidence that are a header, but with our columns at other places: exports
    of different kinds were put together. A header has no digits, so few rows are looked at."""
    undated = values.filter(pl.col("invoice_date").is_null()).get_column("raw")
    suspects = undated.filter(~undated.str.contains("[0-9]")).unique()
    others = [
        raw
        for raw in suspects
        if (other := fitting_header(raw, rules.landing.formats)) and other.places != header.places
    ]
    if not others:
        return values
    is_other = pl.col("raw").is_in(others)
    return values.with_columns(order=pl.when(is_other).then(pl.lit(OTHER_HEADER)).otherwise("order"))


def with_numbers(text: pl.DataFrame, form: Format, header: Header) -> pl.DataFrame:
    """The same with the numbers as whole ones, times ten to the power of their scale; and what they are
    evidence of as `marks`."""
    numbers = numbers_of(header)
    read = {
        name: scaled_numbers(text.get_column(name), NUMBERS[name].scale, form.notation.decimals)
        for name in numbers
    }
    values = text.with_columns(found["number"].alias(name) for name, found in read.items())
    if "quantity" in read:
        largest = LARGEST_QUANTITY * 10**QUANTITY.scale
        is_quantity = pl.col("quantity").is_between(-largest, largest, closed="left")
        values = values.with_columns(pl.when(is_quantity).then("quantity"))
    marks = pl.DataFrame([found["mark"].alias(name) for name, found in read.items()])
    return values.hstack(marks.select(marks=pl.concat_str(pl.all(), separator=" ", ignore_nulls=True)))


def as_decimal(name: str) -> pl.Expr:
    """A whole number, times ten to the power of the column's scale, as the decimal."""
    scaled, kind = pl.col(name), NUMBERS[name]
    digits = scaled.abs().cast(pl.String).str.zfill(kind.scale + 1)
    sign = pl.when(scaled < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    whole, decimals = digits.str.head(-kind.scale), digits.str.tail(kind.scale)
    return pl.concat_str([sign, whole, pl.lit("."), decimals]).cast(kind).alias(name)


# -- what both passes do ------------------------------------------------------------------------


def with_dates_and_ids(text: pl.DataFrame, form: Format, rules: ReadingRules) -> pl.DataFrame:
    """The same with the columns typed that both passes read alike, and what a date is evidence of as `order`.
    Each of their values is there for many lines, and read once."""

    def dates(texts: pl.Series) -> pl.Series:
        patterns = form.header.shop.date_patterns if form.header else ()
        order = form.notation.date_order
        return date_times(texts.str.strip_chars(" "), order, patterns, rules.time_zone).to_struct("date")

    def ids(texts: pl.Series) -> pl.Series:
        return customer_ids(texts, rules.guest_ids)

    number = text.get_column("invoice_no").str.strip_chars(" ")
    if form.header and form.header.shop.purchase_invoices == ANY_INVOICE:
        number = whole_invoices(number)
    date = read_once_each(text.get_column("invoice_date"), dates)
    customer = read_once_each(text.get_column("customer_id"), ids)
    return text.with_columns(
        invoice_no=number,
        invoice_date=date.struct.field("time"),
        order=date.struct.field("order"),
        customer_id=customer.struct.field("id"),
        has_damaged_id=customer.struct.field("is_damaged").fill_null(value=False),
    )


def whole_invoices(numbers: pl.Series) -> pl.Series:
    """The numbers as they were before Excel or pandas wrote them. Most exports have none of these, which is
    seen in a tenth of the time."""
    marked = numbers.str.ends_with(".0") | numbers.str.starts_with("=") | numbers.str.starts_with("'")
    return numbers.str.replace(WHOLE_INVOICE, "$1") if marked.any() else numbers


def with_proofs_of_prices(header: Header) -> pl.Expr:
    """What a line is evidence of as `order`, with what its price is: that of a piece, or that of the line. It
    shows where the line has its amount too."""
    if not {"quantity", "unit_price", "amount"} <= header.place_of.keys():
        return pl.col("order")
    quantity, price, amount = (
        pl.col(name).str.strip_chars(" ") for name in ("quantity", "unit_price", "amount")
    )
    several = ~quantity.str.contains(ONE_PIECE) & price.str.contains("[1-9]") & amount.str.contains("[1-9]")
    proof = (
        pl.when(several & (price == amount)).then(pl.lit(LINE_PRICE)).when(several).then(pl.lit(UNIT_PRICE))
    )
    return pl.concat_str("order", proof, separator=" ", ignore_nulls=True)


def read_once_each(texts: pl.Series, read: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """What `read` makes of each text, asked once for those that are there many times."""
    different = texts.unique().drop_nulls()
    values = pl.DataFrame({"text": different, "value": read(different)})
    return texts.to_frame("text").join(values, on="text", how="left", maintain_order="left").to_series(1)


def finished(values: pl.DataFrame, header: Header | None) -> pl.DataFrame:
    """The lines with outcome, line type and evidence, as typed_lines gives them."""
    unused = [name for name in NUMBERS if header is None or name not in numbers_of(header)]
    lines = values.with_columns(pl.lit(None, NUMBERS[name]).alias(name) for name in unused)
    lines = lines.with_columns(refunds(header)).with_columns(line_type=line_type(header), outcome=outcome())
    is_order = pl.col("line_type").is_in([PURCHASE, CANCELLATION])
    kept = lines.with_columns(
        pl.when(~is_order).then(pl.col("raw")).alias("raw"),
        invoice_key(header),
    )
    told = [name for name in values.columns if name.startswith(TOLD)]
    return kept.select(*TYPED, *EVIDENCE, "currency", *told)


def refunds(header: Header | None) -> pl.Expr:
    """What was given back of a line: the landed refund, or all of a line whose order was refunded."""
    refunded = pl.col("refunded")
    if header is None or not header.shop.only or "refunded" in header.place_of:
        return refunded
    whole = pl.col("amount")
    if "unit_price" in numbers_of(header):
        whole = (pl.col("quantity") * pl.col("unit_price")).cast(MONEY, strict=False)
    return pl.when(has_value("only", header.shop.only.refunded)).then(whole).alias("refunded")


def invoice_key(header: Header | None) -> pl.Expr:
    """The invoice number; with its day before it, where a till starts again at 1."""
    number = pl.col("invoice_no")
    if header is None or header.shop.invoice_is == "number":
        return number
    return pl.concat_str(pl.col("invoice_date").dt.date().cast(pl.String), pl.lit("/"), number).alias(
        "invoice_no"
    )
