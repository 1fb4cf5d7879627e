"""The orders of a few customers in a lake, as `clean` leaves them, and the record of a snapshot of them."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

from include.lake.manifest import (
    MANIFEST,
    BatchedFiles,
    CleanedFile,
    CleanedManifest,
    FileEntry,
    IngestedFile,
)
from include.lake.paths import Lake, batch_folder
from include.lake.record import FileCounts, InputFile, RunRecord
from include.lake.state import state_text
from include.settings import RunConfig

FILE, CORRECTED, LATE = "shop/1.csv", "shop/2.csv", "shop/3.csv"
# File, customer, invoice, date, line type, lines, amount.
Row = tuple[str, str, str, str, str, int, str]
ROWS: list[Row] = [
    (FILE, "12347", "536365", "2011-12-01", "purchase", 2, "20.0050"),
    (FILE, "12347", "536366", "2011-12-09", "purchase", 1, "1000.0000"),
    (FILE, "12347", "C53637", "2011-12-09", "cancellation", 1, "-20.0000"),
    (FILE, "12347", "536368", "2011-12-10", "purchase", 1, "7.0000"),  # not before the snapshot's date
    (FILE, "12348", "536369", "2011-09-01", "purchase", 3, "100.0000"),
    (CORRECTED, "12347", "536365", "2011-12-01", "purchase", 1, "0.5000"),
    (LATE, "12347", "536370", "2011-12-02", "purchase", 1, "9.0000"),
]
SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("part", pa.string()),
        ("customer_id", pa.string()),
        ("invoice_no", pa.string()),
        ("order_date", pa.date32()),
        ("line_type", pa.string()),
        ("country", pa.string()),
        ("lines", pa.int64()),
        ("amount", pa.decimal128(38, 7)),
        ("units", pa.int64()),
    ]
)
COUNTS = FileCounts(kept=5, rejects={"missing_customer": 1})


def write_orders(lake: Lake, config: RunConfig, rows: Sequence[Row] = ROWS, batch: str = "b1") -> None:
    """A batch of orders in row groups of two, and the manifest that names it."""
    fingerprint = config.settings.clean_fingerprint
    folder = batch_folder(lake.orders(fingerprint), batch)
    folder.mkdir(parents=True)
    pq.write_table(arrow(rows), folder / "part-00000.parquet", row_group_size=2, write_statistics=False)
    write_manifest(lake, config, dict.fromkeys([FILE, CORRECTED, LATE], batch))


def arrow(rows: Sequence[Row]) -> pa.Table:
    values = [
        {
            "file": file,
            "part": None,
            "customer_id": customer,
            "invoice_no": invoice,
            "order_date": date.fromisoformat(day),
            "line_type": line_type,
            "country": None,
            "lines": lines,
            "amount": Decimal(amount),
            "units": int(Decimal(amount) * 10_000),
        }
        for file, customer, invoice, day, line_type, lines, amount in rows
    ]
    return pa.Table.from_pylist(values, SCHEMA)


def write_manifest(lake: Lake, config: RunConfig, batches: Mapping[str, str]) -> None:
    """These landed files are cleaned, and the orders of each are in its batch."""
    manifest = CleanedManifest(
        files={
            name: CleanedFile(
                batch="c1",
                ingested_batch="i1",
                kept=COUNTS.kept,
                rejects=COUNTS.rejects,
                countries=[],
                needs_decimal=False,
            )
            for name in batches
        },
        orders=BatchedFiles[FileEntry](
            files={name: FileEntry(batch=batch) for name, batch in batches.items()},
            files_in_batch=dict.fromkeys(batches.values(), 3),
        ),
        ingested=BatchedFiles[IngestedFile](files={name: ingested() for name in batches}),
    )
    stage = lake.cleaned(config.settings.clean_fingerprint)
    stage.mkdir(parents=True, exist_ok=True)
    (stage / MANIFEST).write_text(state_text(manifest))


def ingested(modified: int = 1) -> IngestedFile:
    return IngestedFile(batch="i1", size=10, modified=modified, rows=6, kept=6, rejects={})


def with_orders(record: RunRecord, config: RunConfig, files: Sequence[str] = (FILE, CORRECTED)) -> RunRecord:
    """The record, of a snapshot that these files are behind."""
    found = {name: InputFile(**ingested().model_dump(), clean=COUNTS) for name in files}
    return record.model_copy(update={"input_files": found, "fingerprint": config.fingerprint})
