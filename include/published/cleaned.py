"""Reads cleaned_data.csv, the kept lines behind a snapshot, in pieces and without Spark."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from include.errors import InputError
from include.published.files import original_value
from include.published.snapshot import missing
from include.published.tables import CLEANED_DATA


def read_cleaned_data(folder: Path, columns: list[str]) -> Iterator[pa.Table]:
    """Columns of the kept lines. Raises InputError where the snapshot was published without them, and
    OutdatedError where the file is damaged."""
    file = folder / f"{CLEANED_DATA.name}.csv"
    if not file.exists():
        raise InputError(
            f"{folder} has no {file.name}: run the DAG for this date with the param export_cleaned_data"
        )
    schema = CLEANED_DATA.arrow_schema
    conversion = csv.ConvertOptions(
        include_columns=columns,
        column_types={name: schema.field(name).type for name in columns},
        null_values=[""],
        strings_can_be_null=True,
    )
    try:
        with csv.open_csv(
            file, parse_options=csv.ParseOptions(newlines_in_values=True), convert_options=conversion
        ) as batches:
            for batch in batches:
                yield pa.table([original_texts(column) for column in batch.columns], batch.schema)
    except (OSError, pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise missing(file) from error


def original_texts(column: pa.Array) -> pa.Array:
    """The column without the apostrophes that keep spreadsheets from running a text."""
    if column.type != pa.string() or not pc.any(pc.starts_with(column, "'")).as_py():
        return column
    return pa.array([text and original_value(text) for text in column.to_pylist()], pa.string())
