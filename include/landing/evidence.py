"""Words for what dates and numbers are evidence of, and for how they are written."""

from dataclasses import dataclass

from include.shop_formats import DateOrder, Decimals

DAY_FIRST: DateOrder = "day_first"
MONTH_FIRST: DateOrder = "month_first"
EITHER_ORDER = "either_order"  # a date whose day could be its month
POINT: Decimals = "point"
COMMA: Decimals = "comma"
EITHER_MARK = "either_mark"  # a number whose mark could divide thousands or decimals


@dataclass(frozen=True)
class Notation:
    """How dates and numbers are written. None where the files have not shown it, and need not."""

    date_order: DateOrder | None = None
    decimals: Decimals | None = None
