"""Typed lines as Parquet files: what one task, which reads some blocks, leaves on disk."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from include.landing.blocks import Block
from include.landing.line_types import LINE_TYPE_FOLDER
from include.landing.line_values import ReadingRules
from include.landing.part_lines import PartLines, added_up, parts_of_lines
from include.landing.reader import typed_lines

# The columns on disk: those of schemas.LINES but for outcome and line type, which are folders.
SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("part", pa.string()),
        ("line", pa.int64()),
        ("raw", pa.string()),
        ("invoice_no", pa.string()),
        ("stock_code", pa.string()),
        ("description", pa.string()),
        ("quantity", pa.decimal128(13, 3)),
        ("invoice_date", pa.timestamp("us")),
        ("unit_price", pa.decimal128(18, 4)),
        ("amount", pa.decimal128(18, 4)),
        ("refunded", pa.decimal128(18, 4)),
        ("customer_id", pa.string()),
        ("country", pa.string()),
        ("reason", pa.string()),
    ]
)
ROWS_AT_ONCE = 60_000  # at least, of a row group: small files are put together


class WrittenLines(BaseModel):
    """What a task has written."""

    model_config = ConfigDict(frozen=True)

    parquet: list[str]  # the files, relative to the folder
    parts: list[PartLines]


@dataclass
class LineFiles:
    """Open Parquet files, one for each outcome and line type."""

    folder: Path
    name: str  # that no other attempt uses
    open: ExitStack
    waiting: dict[str, list[pa.Table]] = field(default_factory=dict)
    writers: dict[str, pq.ParquetWriter] = field(default_factory=dict)

    def write(self, lines: pl.DataFrame) -> None:
        stored = lines.select(*SCHEMA.names, "outcome", "line_type")
        by_folder = stored.partition_by("outcome", "line_type", as_dict=True, include_key=False)
        for (outcome, line_type), some in by_folder.items():
            path = f"outcome={outcome}/{LINE_TYPE_FOLDER}={line_type}/{self.name}.parquet"
            waiting = self.waiting.setdefault(path, [])
            table = some.to_arrow(compat_level=pl.CompatLevel.newest())
            waiting.append(table.cast(SCHEMA))
            if sum(table.num_rows for table in waiting) >= ROWS_AT_ONCE:
                self.write_waiting(path)

    def write_waiting(self, path: str) -> None:
        if path not in self.writers:
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            writer = pq.ParquetWriter(
                target,
                SCHEMA,
                compression="snappy",  # half of the time of zstd; dictionaries have done most of it
                use_dictionary=[name for name in SCHEMA.names if name not in ("line", "raw")],
                store_decimal_as_integer=True,  # as Spark does, whose fast reader takes nothing else
                write_statistics=False,  # no reader filters these lines by value
            )
            self.writers[path] = self.open.enter_context(writer)
        self.writers[path].write_table(pa.concat_tables(self.waiting.pop(path)))


@contextmanager
def line_files(folder: Path, name: str) -> Iterator[LineFiles]:
    with ExitStack() as stack:
        files = LineFiles(folder, name, stack)
        yield files
        for path in list(files.waiting):
            files.write_waiting(path)


def write_blocks(blocks: Sequence[Block], rules: ReadingRules, folder: Path, name: str) -> WrittenLines:
    """Read blocks, and write their typed lines below the folder, to files with this name."""
    found = [PartLines(file=block.file.name, part=block.file.part.name) for block in blocks]
    with line_files(folder, name) as files:
        for lines in typed_lines(blocks, rules):
            files.write(lines)
            found += parts_of_lines(lines)
    return WrittenLines(parquet=list(files.writers), parts=added_up(found))
