"""The published files: one Parquet and one CSV file for each large table, and small CSV files.

CSV is RFC 4180 with CRLF line ends, and has no text that a spreadsheet would run as a formula.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

# Excel, LibreOffice and Google Sheets run a text that starts so as a formula; a number they do not. Wide
# characters count, and so do spaces in front. Both Java and Python read this pattern.
FORMULA = r"^(?![+-]?\d+(\.\d+)?(?![\s\S]))(\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])"
ROWS_PER_GROUP = 32 * 1024  # what a look-up reads
CSV_LINE_COLUMN = "csv_line"


def write_small_csv(file: Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Write a table of a few rows."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows({name: harmless_value(value) for name, value in row.items()} for row in rows)


def header(columns: Sequence[str]) -> bytes:
    return (",".join(columns) + "\r\n").encode()


def harmless_value(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and re.match(FORMULA, value) else value


def original_value(text: str) -> str:
    """The text that harmless_value was given."""
    unquoted = text.removeprefix("'")
    return unquoted if re.match(FORMULA, unquoted) else text


def csv_lines(rows: Iterable[dict[str, object]]) -> bytes:
    """A few rows as lines of CSV, without text that a spreadsheet would run as a formula."""
    text = io.StringIO()
    csv.writer(text).writerows([harmless_value(value) for value in row.values()] for row in rows)
    return text.getvalue().encode()


def table_csv(rows: pa.Table) -> bytes:
    """Rows as lines of CSV. Python sees each odd text once and no other value, so a million rows take
    seconds."""
    lines = pc.binary_join_element_wise(*[csv_fields(column) for column in rows.columns], ",")
    return "".join(f"{line}\r\n" for line in lines.to_pylist()).encode()


def csv_fields(column: pa.ChunkedArray) -> pa.ChunkedArray:
    texts = column.cast(pa.string()).fill_null("")
    if not pa.types.is_string(column.type):
        return texts
    plain = pc.match_substring_regex(texts, "^[0-9A-Za-z]*$")
    odd = texts.filter(pc.invert(plain)).unique()
    fields = pa.array([csv_field(text) for text in odd.to_pylist()], pa.string())
    return pc.coalesce(fields.take(pc.index_in(texts, value_set=odd)), texts)


def csv_field(text: str) -> str:
    harmless = str(harmless_value(text))
    quoted = harmless.replace('"', '""')
    return f'"{quoted}"' if re.search('[",\r\n]', harmless) else harmless


def write_table(parts: Path, columns: Sequence[str], parquet: Path, csv_file: Path) -> int:
    """Write the part files of a sorted table, with CSV_LINE_COLUMN, as one Parquet and one CSV file in
    their order. Returns the number of rows. Row groups have a fixed size, so equal tables make equal
    files however they were split into parts."""
    sources = [pq.ParquetFile(part) for part in sorted(parts.glob("part-*.parquet"))]
    schema = pa.schema([sources[0].schema_arrow.field(name) for name in columns])
    rows, pending = 0, pa.Table.from_batches([], schema)
    with parquet_writer(parquet, schema) as writer, csv_file.open("wb") as lines:
        lines.write(header(columns))
        for source in sources:
            for batch in source.iter_batches(ROWS_PER_GROUP):
                rows += batch.num_rows
                lines.write("".join(f"{line}\r\n" for line in batch[CSV_LINE_COLUMN].to_pylist()).encode())
                pending = pa.concat_tables([pending, pa.Table.from_batches([batch.select(columns)], schema)])
                while pending.num_rows >= ROWS_PER_GROUP:
                    writer.write_table(pending.slice(0, ROWS_PER_GROUP), ROWS_PER_GROUP)
                    pending = pending.slice(ROWS_PER_GROUP)
        if pending.num_rows:
            writer.write_table(pending, ROWS_PER_GROUP)
    return rows


def parquet_writer(file: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Writes a published table, a row group at a time. Money is a whole number on disk, as Spark has it: that
    is read three times as fast."""
    return pq.ParquetWriter(file, schema, compression="zstd", store_decimal_as_integer=True)
