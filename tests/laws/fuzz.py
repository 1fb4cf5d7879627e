"""Seeded damage: valid landing files, mutated as rows, as fields, as bytes and as files.

Each file knows which of its rows nothing has touched, and what those must be read as.
"""

import codecs
import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from include.landing.parts import GZIP_MARK
from tests.tables import HEADER

LINE_END = re.compile(r"\r\n|\r|\n")
JUNK = [
    *["", " ", "NULL", "nan", "-", "?", "=1+1", "@x", "\t", "''", '"', '""', '"""', '",', ',"', '"\n'],
    *["1e999999999", "-1e-999999999", "9" * 400, "0x1F", "1.2.3", "1,2,3", "--5", "+", "1e", ".", "1_000"],
    *["2010-13-45 99:99:99", "0000-00-00", "31/12/2010", "2010-12-01T08:26:00+99:99", "99999999.9", "-1"],
    *["\x00", "\x01", "\x1a", "\x7f", "\ufeff", "\u2028", "\x85", "\u202e", "\U0001d7d9", "\u0661"],
    *["\r", "\n\n", "a,b", "; DROP TABLE x; --", "<script>", "NaN", "Infinity", "1d", "\u00e9" * 50],
    *["x" * 70_000, '"' * 3_001, "," * 25_000],
]


EXPECTED = ["invoice_no", "stock_code", "description", "quantity", "invoice_date", "unit_price",
            "customer_id", "country"]  # fmt: skip


@dataclass
class Row:
    text: str
    expected: tuple[Any, ...] | None  # the columns EXPECTED; None once something has touched the row


@dataclass
class File:
    """A landing file: its bytes, how they were made, and the rows that must come out of it."""

    name: str
    data: bytes = b""
    damage: list[str] = field(default_factory=list)
    expected: list[tuple[Any, ...]] = field(default_factory=list)
    encoding: str | None = None  # UTF-16, where it is


def valid_row(random: Random, number: int) -> Row:
    texts = [
        ("RED MUG", "RED MUG"),
        ('"JAM, JAR"', "JAM, JAR"),
        ('"A ""T"" LIGHT"', 'A "T" LIGHT'),
        ('3" NAIL', '3" NAIL'),
        ('"TWO\nLINES"', "TWO\nLINES"),
        ("CAFÉ £5", "CAFÉ £5"),
        ("", ""),
    ]
    text, description = random.choice(texts)
    when = datetime.fromisoformat("2010-12-01") + timedelta(minutes=random.randrange(60 * 24 * 90))
    dates = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%m/%d/%Y %H:%M", "%Y-%m-%dT%H:%MZ"]
    pence = random.randrange(1, 100_000)
    prices = [f"{pence / 100:.2f}", f"{pence / 100:.3f}", f"{pence}e-2", f'"{pence / 100:,.2f}"']
    quantity = random.randrange(1, 50)
    customer = str(random.randrange(12_000, 19_000))
    fields = [
        str(number),
        "85123A",
        text,
        random.choice([str(quantity), f"{quantity}.0"]),
        when.strftime(random.choice(dates)),
        random.choice(prices),
        random.choice([customer, f"{customer}.0"]),
        "EIRE",
    ]
    expected = (str(number), "85123A", description, quantity, when, Decimal(pence) / 100, customer, "EIRE")
    return Row(",".join(fields), expected)


# -- damage to a row ------------------------------------------------------------------------------


def other_field(random: Random, text: str) -> str:
    fields = text.split(",")
    fields[random.randrange(len(fields))] = random.choice(JUNK)
    return ",".join(fields)


def inserted(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(['"', ",", "\n", "\r\n", *JUNK]) + text[at:]


def cut(random: Random, text: str) -> str:
    return text[: random.randrange(len(text) + 1)]


def without_a_character(random: Random, text: str) -> str:
    places = [i for i, c in enumerate(text) if c in '",\n'] or [0]
    at = random.choice(places)
    return text[:at] + text[at + 1 :]


def fields_swapped(random: Random, text: str) -> str:
    fields = text.split(",")
    random.shuffle(fields)
    return ",".join(fields)


def header_again(random: Random, text: str) -> str:
    return HEADER


ROW_DAMAGE: list[Callable[[Random, str], str]] = [
    other_field,
    other_field,
    inserted,
    inserted,
    cut,
    without_a_character,
    fields_swapped,
    header_again,
]


def damaged_rows(random: Random, rows: list[Row], file: File) -> None:
    for _ in range(random.randrange(1, 4)):
        row = random.choice(rows)
        how = random.choice(ROW_DAMAGE)
        row.text, row.expected = how(random, row.text), None
        file.damage.append(how.__name__)


# -- damage to bytes ------------------------------------------------------------------------------


def damaged_bytes(random: Random, data: bytes, spans: list[tuple[int, int, Row]]) -> bytes:
    """One to three changes, from the end to the beginning, so that the spans before stay right."""
    for at in sorted((random.randrange(len(data)) for _ in range(random.randrange(1, 4))), reverse=True):
        length = random.choice([1, 1, 1, 2, 7, 40])
        old = data[at : at + length]
        new = random.choice(
            [
                b"",
                bytes(random.randrange(256) for _ in old),
                bytes(len(old)),
                old + old,
                bytes([old[0] ^ (1 << random.randrange(8))]) + old[1:],
                random.choice([b'"', b",", b"\n", b"\r", b"\x00", b"\xff", b"\xa3", b"\xc3"]) + old,
            ]
        )
        data = data[:at] + new + data[at + length :]
        for start, end, row in spans:
            if start <= at + length and at <= end:
                row.expected = None
    return data


# -- files ----------------------------------------------------------------------------------------


def landing_file(random: Random, name: str) -> File:
    file = File(name)
    first = random.randrange(100_000, 900_000)
    rows = [valid_row(random, first + n) for n in range(random.randrange(1, 15))]
    kind = random.choice(["rows", "rows", "rows", "bytes", "bytes", "file", "none"])
    if kind == "rows":
        damaged_rows(random, rows, file)
    end = random.choice(["\n", "\n", "\r\n"])
    parts = [HEADER, *[row.text for row in rows]]
    last = random.choice([end, end, ""])
    text = end.join(parts) + last
    if not last:
        rows[-1].expected = None  # cut off

    if kind == "file":
        return damaged_file(random, text, rows, file)
    encoding = random.choice(["utf-8", "utf-8", "utf-8-sig", "cp1252"])
    data = text.encode(encoding, errors="replace" if kind == "rows" else "strict")
    if kind == "bytes":
        spans, at = [], len((HEADER + end).encode(encoding))
        header = Row(HEADER, None)
        spans.append((0, at, header))
        for row in rows:
            stop = at + len((row.text + end).encode(encoding.removesuffix("-sig")))
            spans.append((at - 1, stop, row))
            at = stop
        before = data[: spans[0][1]]
        data = damaged_bytes(random, data, spans)
        file.damage.append("bytes")
        if data[: len(before)] != before:
            return File(name, data, ["header bytes"])
    file.data = data
    file.expected = [row.expected for row in rows if row.expected]
    return file


def damaged_file(random: Random, text: str, rows: list[Row], file: File) -> File:
    """The whole file is another one: encoded, packed, broken off, without its header, ..."""
    everything = [row.expected for row in rows if row.expected]
    packed = gzip.compress(text.encode(), mtime=0)
    at = random.randrange(1, len(packed))
    kinds: dict[str, tuple[bytes, list[tuple[Any, ...]]]] = {
        "utf-16": (text.encode("utf-16"), everything),
        "utf-16-be": (text.encode("utf-16-be"), everything),
        "half of utf-16": (text.encode("utf-16")[: random.randrange(2, 2 * len(text))], []),
        "packed": (packed, everything),
        "packed and broken off": (packed[:at], []),
        "packed and changed": (packed[:at] + bytes([packed[at] ^ 255]) + packed[at + 1 :], []),
        "broken off": (text.encode()[: random.randrange(len(text))], []),
        "without header": (text.split(HEADER, 1)[1].encode(), []),
        "empty": (b"", []),
        "blank": (b"\n \n\r\n", []),
        "zeros": (bytes(random.randrange(1, 3000)), []),
        "noise": (random.randbytes(random.randrange(1, 5000)), []),
        "semicolons": (text.replace(",", ";").encode(), []),
        "twice": ((text.rstrip("\r\n") + "\n" + text).encode(), everything + everything),
        "sep": (("sep=,\n\n" + text).encode(), everything),
    }
    kind = random.choice(sorted(kinds))
    file.damage.append(kind)
    file.data, file.expected = kinds[kind]
    if "utf-16" in kind:
        file.encoding = "utf-16-be" if kind == "utf-16-be" else "utf-16"
    return file


def physical_lines(file: File) -> list[str]:
    """The lines of the file as text, whatever a reader makes of them."""
    if file.encoding:
        return LINE_END.split(file.data.decode(file.encoding, errors="replace").removeprefix("\ufeff"))
    data = gzip.decompress(file.data) if file.data.startswith(GZIP_MARK) else file.data
    data = data.removeprefix(codecs.BOM_UTF8)  # no text, with or without a header
    return [as_text(line.encode("latin-1")) for line in LINE_END.split(data.decode("latin-1"))]


def as_text(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(bytes([code]).decode("cp1252", errors="ignore") or chr(code) for code in line)
