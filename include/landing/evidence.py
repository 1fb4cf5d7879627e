"""Words for what dates and numbers are evidence of, and for how they are written."""

from dataclasses import dataclass

from include.shop_formats import DateOrder, Decimals

DAY_FIRST: DateOrder = "day_first"
MONTH_FIRST: DateOrder = "month_first"
EITHER_ORDER = "either_order"  # a date whose day could be its month
YEAR_FIRST_OF_TWO = "short_year_first"  # dates whose first number looks like the year: 24-03-01
HALF_CONVERTED = "half_converted"  # days to 12 as dates of a spreadsheet, later ones as text
POINT: Decimals = "point"
COMMA: Decimals = "comma"
EITHER_MARK = "either_mark"  # a number whose mark could divide thousands or decimals
OTHER_HEADER = "other_header"  # a row that is a header with our columns at other places
LINE_AMOUNT = "line_amount"  # an order whose lines have different amounts: theirs
UNIT_PRICE = "unit_price"  # several pieces whose price is not their amount
LINE_PRICE = "line_price"  # several pieces whose price is their amount as well
EITHER_AMOUNT = "either_amount"  # an order whose lines have one amount: theirs, or its total


@dataclass(frozen=True)
class Notation:
    """How dates and numbers are written. None where the files have not shown it, and need not."""

    date_order: DateOrder | None = None
    decimals: Decimals | None = None
