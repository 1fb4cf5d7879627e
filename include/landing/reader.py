"""Reading: a landed file becomes typed lines and rejects. Neither Spark nor Airflow is needed.

Columns are found by the names in the file's header, as its shop's format says (shop_formats.py). Dates and
numbers are read by evidence (dates.py, values.py), customer ids as in customer_ids.py. Why a line is
rejected, and what types of lines there are, is in outcomes.py.

Most lines are in the usual spelling and take the fast pass. The complete one reads what that leaves.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import polars as pl

from include.landing.blocks import Block
from include.landing.complete_pass import complete_pass
from include.landing.fast_pass import fast_pass
from include.landing.formats import Format
from include.landing.line_values import ReadingRules
from include.landing.records import records, text_of_records

LINES_AT_ONCE = 100_000  # half as many take longer, twice as many 100 MB more: see performance-tried.md


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
