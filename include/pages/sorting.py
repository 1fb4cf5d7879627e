"""The order of a table as it stands in an address: `-lines` is the longest first."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import TypeVar

from fastapi import HTTPException

C = TypeVar("C", bound=str)


def sort_column(order: str, columns: Sequence[C], rows: str) -> C:
    """The column of an order. `rows` is what the table has, for the answer to an order by no such column."""
    for column in columns:
        if column == order.removeprefix("-"):
            return column
    raise HTTPException(
        HTTPStatus.NOT_FOUND, f"{rows} cannot be sorted by that. Sort by {', '.join(columns)}."
    )


def order_after_click(order: str, column: str) -> str:
    """The order that a click on the head of a column asks for: the other way round at the second."""
    return f"-{column}" if order == column else column
