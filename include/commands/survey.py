"""What `make check` finds out about a folder: the plan and the reading of `ingest`, in this process.

Nothing is written. What `clean` would reject by its types and codes is counted here too; exact repeats and
older deliveries are left in.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import polars as pl

from include.errors import InputError
from include.lake.deliveries import deliveries
from include.lake.ingested import ingested_files
from include.lake.invoices import invoice_findings
from include.lake.manifest import CleanedFile, CleanedManifest, IngestedFile
from include.lake.plan import look_at
from include.lake.record import FileCounts, InputFile
from include.landing.blocks import Block
from include.landing.by_evidence import read_by_evidence
from include.landing.files import LandedFile
from include.landing.formats import FormattedFile, formatted_files
from include.landing.line_types import CANCELLATION, PURCHASE
from include.landing.line_values import ReadingRules
from include.landing.notation import without_proofs
from include.landing.part_lines import PartLines, added_up, parts_of_lines
from include.landing.reader import typed_lines
from include.published.examples import Example
from include.published.figures import CustomerFigures
from include.settings import Segmentation, code_pattern

EXAMPLES = 3  # of lines, for each reason
EXCLUDED = "excluded_stock_code"


@dataclass
class Lines:
    """What the lines of all files are, added up while they are read."""

    parts: list[PartLines] = field(default_factory=list)
    rejects: Counter[tuple[str, str]] = field(default_factory=Counter)  # of clean, by file and reason
    examples: dict[str, list[Example]] = field(default_factory=dict)
    orders: list[pl.DataFrame] = field(default_factory=list)
    products: list[pl.DataFrame] = field(default_factory=list)


@dataclass(frozen=True)
class Survey:
    """What `ingest` would do with a folder."""

    not_counted: Mapping[str, str]
    problems: Mapping[str, str]  # by file, or by nothing: why `ingest` would stop
    files: Mapping[str, InputFile]
    examples: Mapping[str, Sequence[Example]]  # by reason
    orders: pl.DataFrame  # file, part, invoice_no, customer_id, order_date, line_type, lines, amount, refund
    cleaned: CleanedManifest  # what is doubtful about invoices

    @property
    def rejects(self) -> Counter[str]:
        return sum((file.all_rejects for file in self.files.values()), Counter[str]())


def surveyed(folder: Path, settings: Segmentation) -> Survey:
    """Look at everything in a folder, and read what can be read. Raises InputError where nothing can be."""
    there = look_at(folder, {}, settle_seconds=0)
    formatted, problems = with_formats(there.counted, settings)
    reader = LineReader(ReadingRules.of(settings), excluded(settings))
    try:
        read, _ = read_by_evidence(formatted, [], reader.rules, reader.read)
    except InputError as error:
        problems[""] = str(error)
        read = formatted
    lines = reader.lines
    entries, orders = input_files(read, lines), orders_of(lines)
    cleaned = with_findings(entries, orders, lines)
    return Survey(there.not_counted, problems, entries, lines.examples, orders, cleaned)


def with_formats(
    files: Sequence[LandedFile], settings: Segmentation
) -> tuple[list[FormattedFile], dict[str, str]]:
    """The files with their formats; and why `ingest` would stop at others, by file."""
    found, problems = list[FormattedFile](), dict[str, str]()
    for file in files:
        try:
            found += formatted_files([file], settings.landing.formats)
        except InputError as error:
            problems[file.name] = str(error)
    return found, problems


@dataclass
class LineReader:
    """Reads files, and keeps what their lines are."""

    rules: ReadingRules
    excluded_codes: str | None  # as a pattern
    lines: Lines = field(default_factory=Lines)  # of the last reading

    def read(self, files: Sequence[FormattedFile]) -> list[PartLines]:
        parts = [PartLines(file=file.name, part=file.part.name) for file in files]
        self.lines = Lines(parts)
        for some in typed_lines([Block(file, 0, file.part.size, 1) for file in files], self.rules):
            parts += parts_of_lines(some)
            add(self.lines, some.with_columns(reason=reason_of_clean(self.excluded_codes)))
        self.lines.parts = added_up(parts)
        return self.lines.parts


def excluded(settings: Segmentation) -> str | None:
    """The excluded codes as one pattern of codes in upper case."""
    patterns = map(code_pattern, sorted(settings.excluded_codes))
    return f"^(?s:{'|'.join(patterns)})$" if settings.excluded_codes else None


def reason_of_clean(codes: str | None) -> pl.Expr:
    """The reject reason of `ingest`, or that by which `clean` would reject a line; null for a kept one."""
    is_order = pl.col("line_type").is_in([PURCHASE, CANCELLATION])
    code = pl.col("stock_code").str.strip_chars(" ").str.to_uppercase()
    is_excluded = code.str.contains(codes).fill_null(value=False) if codes else pl.lit(value=False)
    return (
        pl.when(pl.col("reason").is_not_null())
        .then(pl.col("reason"))
        .when(~is_order)
        .then(pl.col("line_type"))
        .when(is_excluded)
        .then(pl.lit(EXCLUDED))
    )


def add(lines: Lines, some: pl.DataFrame) -> None:
    rejected = some.filter(pl.col("reason").is_not_null())
    of_clean = rejected.filter(pl.col("outcome") == "kept").group_by("file", "reason").len()
    for file, reason, count in of_clean.iter_rows():
        lines.rejects[file, reason] += count
    first = rejected.sort("file", "line").group_by("reason", maintain_order=True).head(EXAMPLES)
    for row in first.iter_rows(named=True):
        found = lines.examples.setdefault(row["reason"], [])
        if len(found) < EXAMPLES:
            example = Example(row["file"], row["line"], row["raw"] or "", row["invoice_no"], part=row["part"])
            found.append(example)
    kept = some.filter(pl.col("reason").is_null())
    product = pl.coalesce("stock_code", "description", pl.lit("")).alias("product")
    lines.products.append(kept.select("file", "part", "invoice_no", product).unique())
    lines.orders.append(orders(kept))


def orders(kept: pl.DataFrame) -> pl.DataFrame:
    """Kept lines added up to orders, as `clean` does."""
    product = (
        pl.col("quantity").cast(pl.Decimal(38, 3)) * pl.col("unit_price").cast(pl.Decimal(38, 4))
    ).cast(pl.Decimal(38, 7))
    amount = pl.coalesce(pl.col("amount").cast(pl.Decimal(38, 7)), product)
    signed = pl.when(pl.col("line_type") == CANCELLATION).then(-amount.abs()).otherwise(amount)
    refund = pl.col("refunded").abs().cast(pl.Decimal(38, 7)).fill_null(0)
    return (
        kept.with_columns(order_date=pl.col("invoice_date").dt.date(), amount=signed, refund=refund)
        .group_by("file", "part", "invoice_no", "customer_id", "order_date", "line_type")
        .agg(pl.len().alias("lines"), pl.col("amount").sum(), pl.col("refund").sum())
    )


def orders_of(lines: Lines) -> pl.DataFrame:
    keys = ["file", "part", "invoice_no", "customer_id", "order_date", "line_type"]
    if not lines.orders:
        return pl.DataFrame(schema=[*keys, "lines", "amount", "refund"])
    return pl.concat(lines.orders).group_by(keys).agg(pl.col("lines", "amount", "refund").sum())


def input_files(files: Sequence[FormattedFile], lines: Lines) -> dict[str, InputFile]:
    """The files as a snapshot would record them."""
    if not lines.parts:
        return {}
    return {
        name: InputFile(**file.model_dump(), clean=counts_of_clean(name, file, lines))
        for name, file in ingested_files(files, lines.parts, batch="").items()
    }


def counts_of_clean(name: str, file: IngestedFile, lines: Lines) -> FileCounts:
    rejects = {reason: count for (of, reason), count in lines.rejects.items() if of == name}
    return FileCounts(kept=file.kept - sum(rejects.values()), rejects=rejects)


def with_findings(files: Mapping[str, InputFile], orders: pl.DataFrame, lines: Lines) -> CleanedManifest:
    """What `clean` would find doubtful about the invoices of the files."""
    if orders.is_empty():
        return CleanedManifest()
    counts = dict(orders.group_by("file").len().iter_rows())
    products = pl.concat(lines.products).lazy()
    found = invoice_findings(orders.lazy(), lambda: products, deliveries(files), files.keys())
    return CleanedManifest(
        files={
            name: CleanedFile(
                batch="",
                ingested_batch="",
                kept=file.clean.kept,
                rejects=file.clean.rejects,
                countries=[],
                needs_decimal=False,
                orders=counts.get(name, 0),
                findings=found.get(name),
            )
            for name, file in files.items()
        }
    )


def customer_figures(orders: pl.DataFrame) -> CustomerFigures | None:
    """The customers of all orders, whatever their date; None without any."""
    bought = orders.filter(pl.col("line_type") == PURCHASE)
    if bought.is_empty():
        return None
    by_customer = bought.group_by("customer_id").agg(
        pl.col("invoice_no").n_unique().alias("orders"), pl.col("amount").sum()
    )
    busiest = by_customer.sort("orders", "customer_id", descending=[True, False]).row(0, named=True)
    largest = by_customer.sort("amount", "customer_id", descending=[True, False]).row(0, named=True)
    cent = Decimal("0.01")
    return CustomerFigures(
        customers=by_customer.height,
        one_order=by_customer.filter(pl.col("orders") == 1).height,
        orders=int(by_customer["orders"].sum()),
        most_orders=(busiest["customer_id"], busiest["orders"]),
        gross=Decimal(by_customer["amount"].sum()).quantize(cent),
        most_gross=(largest["customer_id"], largest["amount"].quantize(cent)),
        less_than_nothing={},
        days=set(),
    )


def groups(files: Mapping[str, InputFile]) -> Iterator[tuple[str, list[str]]]:
    """The files that are read alike, the largest group first: how they are read, and their names."""
    found: dict[str, list[str]] = {}
    for name, file in files.items():
        found.setdefault(without_proofs(file.read_as or ""), []).append(name)
    yield from sorted(found.items(), key=lambda group: (-len(group[1]), group[1][0]))
