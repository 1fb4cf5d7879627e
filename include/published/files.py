"""Published files: CSV by RFC 4180 (CRLF, quotes doubled) that no spreadsheet runs as a formula."""

import csv
import re
import shutil
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

# A text that starts so is run as a formula by Excel, LibreOffice and Google Sheets; a number is not.
# Wide characters count, and so do spaces in front. To be read by Java and by Python.
FORMULA = r"^(?![+-]?\d+(\.\d+)?(?![\s\S]))(\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])"
ROWS_PER_GROUP = 128 * 1024
LINE = "csv_line"


def write_small_csv(file: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """A table of a few rows, made in the driver."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows({name: harmless_value(value) for name, value in row.items()} for row in rows)


def csv_line(table: DataFrame) -> Column:
    """The line of a CSV file that a row of the table is, without its end, as the column LINE.

    A text, since Spark's own CSV writer changes the line breaks within a field.
    """
    texts = [
        in_quotes(harmless(F.col(field.name)))
        if field.dataType == StringType()
        else F.col(field.name).cast("string")
        for field in table.schema.fields
    ]
    return F.concat_ws(",", *[F.coalesce(text, F.lit("")) for text in texts]).alias(LINE)


def write_csv(table: DataFrame, file: Path) -> None:
    """The table as one CSV file in its own order. The parts are written in parallel and then
    joined byte by byte, so the table never passes through one task or the driver's memory."""
    parts = file.with_name(f"{file.name}.parts")
    table.select(csv_line(table)).write.option("lineSep", "\r\n").text(str(parts))
    with file.open("wb") as joined:
        joined.write(header(table.columns))
        for part in sorted(parts.glob("part-*")):
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, joined, 1 << 20)
    shutil.rmtree(parts)


def header(columns: Sequence[str]) -> bytes:
    return (",".join(columns) + "\r\n").encode()


def in_quotes(text: Column) -> Column:
    """The field as it stands in a CSV file."""
    doubled = F.replace(text, F.lit('"'), F.lit('""'))
    found = reduce(or_, [F.contains(text, F.lit(special)) for special in ('"', ",", "\r", "\n")])
    return F.when(found, F.concat(F.lit('"'), doubled, F.lit('"'))).otherwise(text)


def harmless_value(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and re.match(FORMULA, value) else value


def harmless(text: Column) -> Column:
    """The text with an apostrophe before what a spreadsheet would take for a formula."""
    first = F.ascii(text)
    # What starts with a letter or digit needs no look at the pattern, which takes ten times as long.
    plain = reduce(or_, [first.between(ord(a), ord(z)) for a, z in ("09", "AZ", "az")])
    return F.when(plain | ~text.rlike(FORMULA), text).otherwise(F.concat(F.lit("'"), text))


def write_table(parts: Path, columns: Sequence[str], parquet: Path, csv_file: Path) -> int:
    """The part files of a sorted table, with the column LINE, as one Parquet and one CSV file in their
    order; returns its rows. Row groups have a fixed size, so equal tables make equal files however
    they were parted."""
    sources = [pq.ParquetFile(part) for part in sorted(parts.glob("part-*.parquet"))]
    schema = pa.schema([sources[0].schema_arrow.field(name) for name in columns])
    rows, waiting = 0, pa.Table.from_batches([], schema)
    with pq.ParquetWriter(parquet, schema, compression="zstd") as writer, csv_file.open("wb") as lines:
        lines.write(header(columns))
        for source in sources:
            for batch in source.iter_batches(ROWS_PER_GROUP):
                rows += batch.num_rows
                lines.write("".join(f"{line}\r\n" for line in batch[LINE].to_pylist()).encode())
                waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch.select(columns)], schema)])
                while waiting.num_rows >= ROWS_PER_GROUP:
                    writer.write_table(waiting.slice(0, ROWS_PER_GROUP), ROWS_PER_GROUP)
                    waiting = waiting.slice(ROWS_PER_GROUP)
        if waiting.num_rows:
            writer.write_table(waiting, ROWS_PER_GROUP)
    return rows
