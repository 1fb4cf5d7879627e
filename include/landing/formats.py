"""How the text of a landed file is read: its shop's format, encoding, delimiter and header, from its first
lines."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from include.errors import InputError
from include.landing.evidence import Notation
from include.landing.files import LandedFile
from include.landing.parts import Part, head_of, parts_of
from include.shop_formats import ShopFormat, compared_name

UTF_16_SAMPLE_BYTES = 200
LONGEST_HEADER = 200  # characters of a header that a message shows
HEADER_MAY_START_BY_LINE = 30
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
LINE_END = r"\r\n|\r|\n"
FEWEST_COLUMNS = 2  # that make a line look like the header of orders, though some are missing
# Columns whose values change what an amount means, or whether it counts. Where a format does not map one of
# them and it has several values, people are told.
TELLING = ("currency", "currencycode", "status", "orderstatus", "financialstatus", "shop", "store", "storeid",
           "channel", "saleschannel", "type", "ordertype", "transactiontype", "paymentstatus", "itemstatus",
           "invoicestatus", "cancelled", "canceled", "iscancelled", "iscanceled", "cancelledat", "canceledat",
           "void", "voided", "deleted", "isdeleted", "returned", "isreturn", "isreturned", "documenttype",
           "debitcredit", "refunded", "refundedamount", "refundamount",
           "amountrefunded", "totalrefunded")  # fmt: skip
# The same of prices: what a line was sold for is less than its price. An amount has it taken off already.
TELLING_OF_PRICES = ("discount", "discounts", "discountamount", "discountpercent", "itemdiscount",
                     "linediscount", "lineitemdiscount", "priceunit", "per")  # fmt: skip

# ISO-8859-1 and Windows-1252 differ only in the bytes 80 to 9F. LATIN has the characters of ISO-8859-1 for
# them. WINDOWS has those of Windows-1252, or of ISO-8859-1 where Windows-1252 leaves a byte undefined.
LATIN = "".join(map(chr, range(0x80, 0xA0)))
WINDOWS = "".join(bytes([code]).decode("cp1252", errors="ignore") or chr(code) for code in range(0x80, 0xA0))

Places = tuple[tuple[str, int], ...]  # our columns, and where they are in the header


@dataclass(frozen=True)
class Header:
    """A header, the format that it fits, and where our columns are."""

    shop: ShopFormat
    text: str
    delimiter: str
    width: int
    places: Places
    telling: Places  # of TELLING, by their names in the header

    @property
    def place_of(self) -> Mapping[str, int]:
        return dict(self.places)


@dataclass(frozen=True)
class Format:
    """How a text is read."""

    encoding: str | None  # UTF-16; None: each line is UTF-8, or Windows-1252 if it is not valid UTF-8
    header_lines: int  # lines up to the header, including it
    header: Header | None  # None: no line is the header of orders
    notation: Notation = field(default_factory=Notation)

    @property
    def width(self) -> int:
        return self.header.width if self.header else 0

    @property
    def delimiter(self) -> str:
        return self.header.delimiter if self.header else ","

    @property
    def of_lines(self) -> "Format":
        """What decides how the lines below the header are typed: equal for files that are alike."""
        return replace(self, encoding=None, header_lines=0)


@dataclass(frozen=True)
class FormattedFile:
    """A part of a landed file, and how it is read."""

    landed: LandedFile
    part: Part
    format: Format

    @property
    def name(self) -> str:
        return self.landed.name

    @property
    def in_words(self) -> str:
        """For people: `online-retail, gzip, UTF-8 or Windows-1252, semicolons, header in line 2`."""
        header = self.format.header
        if not header:
            return "no header with our columns"
        packed = [self.part.in_words] if self.part.in_words else []
        if self.part.kind == "sheet":
            return ", ".join([header.shop.name, *packed, f"header in row {self.format.header_lines}"])
        encoding = self.format.encoding.upper() if self.format.encoding else "UTF-8 or Windows-1252"
        place = f"header in line {self.format.header_lines}"
        return ", ".join([header.shop.name, *packed, encoding, DELIMITERS[header.delimiter], place])


def formatted_files(files: Sequence[LandedFile], shops: tuple[ShopFormat, ...]) -> list[FormattedFile]:
    """The parts of the files that are read, with their formats. Of several parts those without a header of
    orders are not. Raises InputError as text_format does."""
    found = []
    for file in files:
        parts = [FormattedFile(file, part, text_format(part, shops)) for part in parts_of(file)]
        with_header = [part for part in parts if part.format.header]
        found += with_header or parts[:1]
    return found


def text_format(part: Part, shops: tuple[ShopFormat, ...]) -> Format:
    """Detect the format of a text. Blank lines, a title, and Excel's `sep=;` may be above its header.

    Raises InputError when a line looks like the header of orders, but fits no format.
    """
    head = head_of(part)
    encoding = utf_16_encoding(head)
    text = head.decode(encoding or "utf-8", errors="replace").removeprefix("\ufeff")
    lines = re.split(LINE_END, text, maxsplit=HEADER_MAY_START_BY_LINE)[:HEADER_MAY_START_BY_LINE]
    for number, line in enumerate(lines, 1):
        if line.strip(" ") and (header := fitting_header(line, shops)):
            return Format(encoding, number, header)
    for number, line in enumerate(lines, 1):
        if problem := incomplete_header(line, shops):
            raise InputError(
                f"{part.landed.name}: line {number}: {problem} Correct the file, or describe its columns in "
                f"a file of formats/ (see include/docs/formats.md), or set it aside as "
                f"_{part.landed.path.name}: it stops every date. Its header has {line[:LONGEST_HEADER]}"
            )
    return Format(encoding, 0, None)


@lru_cache(maxsize=1024)
def fitting_header(line: str, shops: tuple[ShopFormat, ...]) -> Header | None:
    """The line as a header of the first format whose required columns it has, each once."""
    delimiter, names = cells_of(line)
    for shop in shops:
        found = places_of_columns(names, shop)
        if not missing_columns(found.keys(), shop) and not doubled_columns(names, shop) and fits(names, shop):
            others = telling(names, shop, found)
            return Header(shop, line.strip(), delimiter, len(names), tuple(found.items()), others)
    return None


def cells_of(line: str) -> tuple[str, list[str]]:
    """The delimiter of a header, and its names as they are compared."""
    delimiter = max(DELIMITERS, key=line.count)
    cells = next(csv.reader([line.replace("\0", "")], delimiter=delimiter), [])
    return delimiter, [compared_name(cell) for cell in cells]


def places_of_columns(names: Sequence[str], shop: ShopFormat) -> dict[str, int]:
    """Where each of our columns is: at the first of its names that the header has."""
    wanted = {column: [compared_name(name) for name in known] for column, known in shop.columns.names.items()}
    if shop.only:
        wanted["only"] = [compared_name(shop.only.column)]
    found = {
        column: next((name for name in known if name in names), None) for column, known in wanted.items()
    }
    return {column: names.index(name) for column, name in found.items() if name is not None}


def missing_columns(found: Iterable[str], shop: ShopFormat) -> list[str]:
    """The required columns that a header lacks, by the name that the format prefers."""
    has = set(found)
    missing = [column for column in ("invoice_no", "invoice_date", "customer_id") if column not in has]
    if "amount" not in has and shop.columns.unit_price:
        missing += [column for column in ("quantity", "unit_price") if column not in has]
    elif "amount" not in has:
        missing.append("amount")
    if shop.only and "only" not in has:
        missing.append("only")
    return [shop.only.column if c == "only" and shop.only else shop.columns.names[c][0] for c in missing]


def doubled_columns(names: Sequence[str], shop: ShopFormat) -> list[str]:
    """The names of our columns that a header has twice."""
    ours = {compared_name(name): name for known in shop.columns.names.values() for name in known}
    return [ours[name] for name in dict.fromkeys(names) if name in ours and names.count(name) > 1]


def fits(names: Sequence[str], shop: ShopFormat) -> bool:
    """Whether a header has none of the columns that make it one of another format."""
    return not {compared_name(name) for name in shop.unless} & set(names)


def telling(names: Sequence[str], shop: ShopFormat, found: Mapping[str, int]) -> Places:
    """The columns that are not ours and change what a line means."""
    wanted = TELLING + (TELLING_OF_PRICES if "unit_price" in found and "quantity" in found else ())
    used = {place for column, place in found.items() if column in ("only", "refunded")}
    places = ((name, names.index(name)) for name in wanted if name in names)
    return tuple((name, place) for name, place in places if place not in used)


@lru_cache(maxsize=1024)
def incomplete_header(line: str, shops: tuple[ShopFormat, ...]) -> str | None:
    """Why a line that looks like the header of orders fits no format. None for a line that does not."""
    _, names = cells_of(line)
    for shop in shops:
        found = places_of_columns(names, shop)
        if (doubled := doubled_columns(names, shop)) and not missing_columns(found.keys(), shop):
            return f"column {', '.join(doubled)} is doubled in the header (format {shop.name})."
    essential = ("invoice_no", "invoice_date", "customer_id", "quantity", "unit_price", "amount")
    found_by_shop = [(len(places_of_columns(names, shop).keys() & set(essential)), shop) for shop in shops]
    most, nearest = max(found_by_shop, key=lambda pair: pair[0])
    if most < FEWEST_COLUMNS:
        return None
    lacking = missing_columns(places_of_columns(names, nearest).keys(), nearest)
    what = f"column {', '.join(lacking)} is missing" if lacking else "some columns are of another format"
    return f"{what} in the header for the format {nearest.name}, which is the nearest."


def utf_16_encoding(head: bytes) -> str | None:
    """The UTF-16 encoding of a text, or None. It shows by a byte order mark, or by the zero bytes of ASCII
    characters."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    sample = head[:UTF_16_SAMPLE_BYTES]
    even, odd = sample[0::2], sample[1::2]
    if is_mostly_zero(odd) and not even.count(0):
        return "utf-16-le"
    if is_mostly_zero(even) and not odd.count(0):
        return "utf-16-be"
    return None


def is_mostly_zero(sample: bytes) -> bool:
    return len(sample) > 10 and sample.count(0) > 0.8 * len(sample)
