"""A shop that is TIMES as large, from the CSV files of one: shop.py FILES TO TIMES

Every file keeps its day and gets TIMES copies of its lines, each with other invoices and customers. The shape
(baskets, gaps, cancellations, guests) stays, and nothing is random.
"""

import os
import sys
from pathlib import Path

import polars as pl

YEAR_2020 = 1_577_836_800  # long ago, so that no file seems to be in the middle of being written


def copy_of(lines: pl.DataFrame, copy: int) -> pl.DataFrame:
    def shifted(column: str, by: int) -> pl.Expr:
        text = pl.col(column)
        digits = (text.str.extract(r"(\d+)").cast(pl.Int64) + by * copy).cast(pl.String)
        before, behind = text.str.extract(r"^(\D*)\d"), text.str.extract(r"\d(\D.*)$").fill_null("")
        return pl.when(text.str.contains(r"\d")).then(before + digits + behind).otherwise(text)

    moved = {"InvoiceNo": shifted("InvoiceNo", 1_000_000), "CustomerID": shifted("CustomerID", 100_000)}
    return lines.with_columns(**moved) if copy else lines


def main(files: Path, to: Path, times: int) -> None:
    to.mkdir(parents=True)
    for file in sorted(files.glob("*.csv")):
        lines = pl.read_csv(file, infer_schema=False)
        pl.concat([copy_of(lines, copy) for copy in range(times)]).write_csv(to / file.name)
        os.utime(to / file.name, (YEAR_2020, YEAR_2020))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
