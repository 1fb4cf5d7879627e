"""Published files: CSV by RFC 4180 (CRLF, quotes doubled) that no spreadsheet runs as a formula."""

import csv
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

# A text that starts so is run as a formula by Excel, LibreOffice and Google Sheets; a number is not.
FORMULA = r"^(?![+-]?\d+(\.\d+)?\z)[=+\-@\t\r\n]"
ROWS_PER_GROUP = 128 * 1024


def write_small_csv(file: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """A table of a few rows, made in the driver."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)


def write_csv(table: DataFrame, file: Path) -> None:
    """The table as one CSV file in its own order. The parts are written in parallel and then
    joined byte by byte, so the table never passes through one task or the driver's memory."""
    parts = file.with_name(f"{file.name}.parts")
    texts = [
        harmless(name) if field.dataType == StringType() else F.col(name)
        for name, field in zip(table.columns, table.schema.fields, strict=True)
    ]
    # Of timestamps the format has no keyword of its own.
    table.select(*texts).write.option("timestampNTZFormat", "yyyy-MM-dd HH:mm:ss").csv(
        str(parts),
        header=False,
        lineSep="\r\n",
        quote='"',
        escape='"',
        emptyValue="",
        nullValue="",
        ignoreLeadingWhiteSpace=False,
        ignoreTrailingWhiteSpace=False,
        dateFormat="yyyy-MM-dd",
    )
    with file.open("wb") as joined:
        joined.write((",".join(table.columns) + "\r\n").encode())
        for part in sorted(parts.glob("part-*")):
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, joined, 1 << 20)
    shutil.rmtree(parts)


def harmless(name: str) -> Column:
    """The text column with an apostrophe before what a spreadsheet would take for a formula."""
    text = F.col(name)
    return F.when(text.rlike(FORMULA), F.concat(F.lit("'"), text)).otherwise(text).alias(name)


def write_parquet(parts: Path, columns: Sequence[str], file: Path) -> int:
    """The part files of a sorted table as one file in their order; returns its rows. Row groups
    have a fixed size, so equal tables make equal files however they were parted."""
    sources = [pq.ParquetFile(part) for part in sorted(parts.glob("part-*.parquet"))]
    schema = sources[0].schema_arrow.remove_metadata()
    rows, waiting = 0, pa.Table.from_batches([], schema)
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for source in sources:
            for batch in source.iter_batches(ROWS_PER_GROUP, columns=list(columns)):
                rows += batch.num_rows
                waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch], schema)])
                while waiting.num_rows >= ROWS_PER_GROUP:
                    writer.write_table(waiting.slice(0, ROWS_PER_GROUP), ROWS_PER_GROUP)
                    waiting = waiting.slice(ROWS_PER_GROUP)
        if waiting.num_rows:
            writer.write_table(waiting, ROWS_PER_GROUP)
    return rows
