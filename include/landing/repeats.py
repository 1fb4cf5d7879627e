"""Values that are there many times are read once."""

from collections.abc import Callable

import polars as pl


def read_once_each(texts: pl.Series, read: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """What `read` makes of each text. Dates and customers are there once for each line of an order."""
    different = texts.unique().drop_nulls()
    values = pl.DataFrame({"text": different, "value": read(different)})
    return texts.to_frame("text").join(values, on="text", how="left", maintain_order="left").to_series(1)
