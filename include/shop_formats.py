"""How shops export their orders: one YAML file per format in `config/formats/`.

A format names the columns of its header, says which invoice numbers sell and which take back, and how
dates and numbers are written where the files do not prove it. include/docs/formats.md has an example of each.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from include.config_files import Strict, read_yaml, validated
from include.errors import ConfigError

DateOrder = Literal["day_first", "month_first"]
Decimals = Literal["point", "comma"]

# What is compared of a column's name: no case, blanks, `_`, `-`, quotes, or marks that nobody sees. The first
# of these marks is a byte order mark that was read as Windows-1252.
UNCOMPARED = re.compile("ï»¿|[\\s_\\-\"'\u00a0\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]")


@lru_cache(maxsize=4096)
def compared_name(name: str) -> str:
    """A column's name as names are compared."""
    return UNCOMPARED.sub("", name).lower()


def listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def check_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if not all(compared_name(name) for name in names):
        raise ValueError("an empty name would fit any unnamed column")
    return names


def check_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return pattern


ANY_INVOICE = ".+"
Names = Annotated[tuple[str, ...], BeforeValidator(listed), AfterValidator(check_names)]
Values = Annotated[tuple[str, ...], BeforeValidator(listed)]
Pattern = Annotated[str, AfterValidator(check_pattern)]
# A pattern as of Java's DateTimeFormatter: letters, separators, and text in single quotes.
DatePattern = Annotated[str, Field(pattern=r"^([-yuMLdHhmsSaXxZ/.:, \[\]]|'[^']*')+$")]
FormatName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]


class Columns(Strict):
    """For each of our columns its names in the headers, the preferred one first."""

    invoice_no: Names = Field(min_length=1)
    invoice_date: Names = Field(min_length=1)
    customer_id: Names = Field(min_length=1)
    quantity: Names = ()
    unit_price: Names = ()
    amount: Names = ()
    refunded: Names = ()
    stock_code: Names = ()
    description: Names = ()
    country: Names = ()
    currency: Names = ()

    @model_validator(mode="after")
    def check(self) -> "Columns":
        if not (self.quantity and self.unit_price) and not self.amount:
            raise ValueError("name either quantity and unit_price, or amount")
        owners: dict[str, str] = {}
        for column, names in self.names.items():
            for name in names:
                if owners.setdefault(compared_name(name), column) != column:
                    other = owners[compared_name(name)]
                    raise ValueError(f"{name} is a name of two columns: {other} and {column}")
        return self

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        return {column: getattr(self, column) for column in type(self).model_fields}


class Only(Strict):
    """Which lines are orders that count, by the value of a column."""

    column: str = Field(min_length=1)
    values: Values = Field(min_length=1)
    refunded: Values = ()  # of the values: such an order is a purchase and its return


class ShopFormat(Strict):
    """How a shop exports its orders."""

    name: FormatName
    columns: Columns
    unless: Names = ()  # a header with one of these columns is of another format
    purchase_invoices: Pattern = ANY_INVOICE  # whole invoice numbers, as regular expressions
    cancellation_invoices: Pattern | None = None
    negative_quantity: Literal["reject", "return"] = "reject"  # on a purchase invoice
    invoice_is: Literal["number", "number_and_day"] = "number"
    amount_is: Literal["auto", "line"] = "auto"  # auto: refused where it looks like the total of the order
    date_order: Literal["auto"] | DateOrder = "auto"
    decimals: Literal["auto"] | Decimals = "auto"
    date_patterns: tuple[DatePattern, ...] = ()  # beside the usual spellings
    fill_down: bool = False  # the first line of an order has the fields of all its lines
    only: Only | None = None


def load_format(config: Path, name: str) -> ShopFormat:
    """The format of `formats/<name>.yaml`. Raises ConfigError, naming the file and the key."""
    file = config / "formats" / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in file.parent.glob("*.yaml")))
        raise ConfigError(f"landing.formats: unknown format {name!r}; {file.parent} has {known or 'none'}")
    values = read_yaml(file)
    given = {"name": name, **values} if isinstance(values, dict) else values
    return validated(ShopFormat, given, str(file))
