"""CSV made by Spark: RFC 4180 with CRLF, and no text that a spreadsheet would run as a formula.

Spark's own CSV writer changes line breaks inside of fields, so lines are put together as text.
"""

import shutil
from functools import reduce
from operator import or_
from pathlib import Path

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from include.published.files import CSV_LINE_COLUMN, FORMULA, header


def csv_line(table: DataFrame) -> Column:
    """Each row as a line of CSV without its end; the column CSV_LINE_COLUMN."""
    texts = [
        quoted(harmless(F.col(field.name)))
        if field.dataType == StringType()
        else F.col(field.name).cast("string")
        for field in table.schema.fields
    ]
    return F.concat_ws(",", *[F.coalesce(text, F.lit("")) for text in texts]).alias(CSV_LINE_COLUMN)


def write_csv(table: DataFrame, file: Path) -> int:
    """Write the table as one CSV file in its own order; returns the number of rows. Tasks write the parts in
    parallel, which are then joined byte by byte, so the table never passes through one task or the driver's
    memory."""
    parts, rows = file.with_name(f"{file.name}.parts"), Observation()
    lines = table.select(csv_line(table)).observe(rows, F.count(F.lit(1)).alias("rows"))
    lines.write.option("lineSep", "\r\n").text(str(parts))
    with file.open("wb") as joined:
        joined.write(header(table.columns))
        for part in sorted(parts.glob("part-*")):
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, joined, 1 << 20)
    shutil.rmtree(parts)
    return int(rows.get["rows"])


def quoted(text: Column) -> Column:
    """The field in quotes, with quotes inside doubled, where its text needs them."""
    doubled = F.replace(text, F.lit('"'), F.lit('""'))
    found = reduce(or_, [F.contains(text, F.lit(special)) for special in ('"', ",", "\r", "\n")])
    return F.when(found, F.concat(F.lit('"'), doubled, F.lit('"'))).otherwise(text)


def harmless(text: Column) -> Column:
    """The text, with an apostrophe before one that a spreadsheet would take for a formula."""
    first = F.ascii(text)
    # Fast path: text starting with a letter or digit cannot be a formula. The pattern is ten times slower.
    plain = reduce(or_, [first.between(ord(a), ord(z)) for a, z in ("09", "AZ", "az")])
    return F.when(plain | ~text.rlike(FORMULA), text).otherwise(F.concat(F.lit("'"), text))
