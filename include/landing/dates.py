"""Dates and times as shops write them, read by evidence.

These spellings are dates, each with or without a time, AM or PM, and a zone:

    2010-12-01    the year first, also with slashes or dots
    1/12/2010     two numbers and a year of two or four digits, with slashes, dashes or dots
    1 Dec 2010    the month by its English name, also Dec 1, 2010
    20101201      eight digits
    40513.3514    days since 1899-12-30, as Excel stores dates

Of two numbers that are both 12 or less, either can be the day. Such a date is read in the order that is in
force, or not at all: nothing is guessed. A number above 12 is evidence of the order.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

import polars as pl

from include.landing.evidence import DAY_FIRST, EITHER_ORDER, MONTH_FIRST, YEAR_FIRST_OF_TWO
from include.shop_formats import DateOrder

TIME = (
    r"(?:(?:T| *,? +)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?(?:[ \u202f]?(?P<half>[AaPp])\.?[Mm]\.?)?"
    r"(?: ?(?P<zone>Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))?)?$"
)
YEAR_FIRST = (
    r"^(?P<year>[0-9]{4})(?P<mark>[-/.])(?P<month>[0-9]{1,2})(?P<mark_2>[-/.])(?P<day>[0-9]{1,2})" + TIME
)
YEAR_LAST = (
    r"^(?P<one>[0-9]{1,2})(?P<mark>[-/.])(?P<two>[0-9]{1,2})(?P<mark_2>[-/.])(?P<year>[0-9]{4}|[0-9]{2})"
    + TIME
)
# Not any word that begins so: marraskuu is the Finnish November.
NAME = (
    r"(?P<month_name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
DAY_AND_NAME = rf"(?i)^(?P<day>[0-9]{{1,2}})[- ]{NAME}[-, ]+(?P<year>[0-9]{{4}}|[0-9]{{2}})" + TIME
NAME_AND_DAY = rf"(?i)^{NAME} (?P<day>[0-9]{{1,2}}),? (?P<year>[0-9]{{4}})" + TIME
DIGITS = r"^(?P<year>(?:19|20)[0-9]{2})(?P<month>[0-9]{2})(?P<day>[0-9]{2})" + TIME
EXCEL = r"^(?P<days>[0-9]{1,7})(?:\.(?P<fraction>[0-9]{1,15}))?$"
EXCEL_EPOCH = 25_569  # days from 1899-12-30 to 1970-01-01
FARTHEST_ZONE = 18 * 60  # minutes
FIRST_SHORT_YEAR = "69"  # 69 to 99 are years of the last century, as in POSIX

MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December"]  # fmt: skip
MONTH_NUMBERS = {month[:3].lower(): f"{number:02}" for number, month in enumerate(MONTHS, 1)}
Parts = Mapping[str, pl.Expr]  # by name: the text of a year, month, ...
# What each letter of a pattern stands for.
PARTS = {
    "y": "year", "u": "year", "M": "month", "L": "month", "d": "day", "H": "hour", "h": "hour",
    "m": "minute", "s": "second", "S": "fraction", "a": "half", "x": "zone", "X": "zone", "Z": "zone",
}  # fmt: skip
PATTERN = re.compile(r"'(?P<quoted>(?:[^']|'')*)'|(?P<letters>(?P<letter>[A-Za-z])(?P=letter)*)|(?P<other>.)")


def date_times(
    texts: pl.Series, order: DateOrder | None, patterns: Sequence[str], time_zone: str
) -> pl.DataFrame:
    """Wall-clock times in the time zone as `time`, null for what is no date; and as `order` what a text is
    evidence of: day_first, month_first, or either_order. A time with a zone of its own is converted."""
    known = [regular_expression(pattern) for pattern in patterns]
    known += [YEAR_FIRST, DAY_AND_NAME, NAME_AND_DAY, DIGITS]
    time = pl.repeat(None, len(texts), dtype=pl.Datetime("us"), eager=True)
    for pattern in known:
        time = filled(time, texts, partial(by_pattern, pattern=pattern, time_zone=time_zone))
    time = filled(time, texts, excel)
    evidence = pl.repeat(None, len(texts), dtype=pl.String, eager=True)
    if (left := time.is_null()).any():
        ordered = year_last(texts.filter(left), order, time_zone)
        places = left.arg_true()
        time, evidence = time.scatter(places, ordered["time"]), evidence.scatter(places, ordered["order"])
    return pl.DataFrame({"time": time, "order": evidence})


def filled(times: pl.Series, texts: pl.Series, read: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """The times, with what `read` makes of the texts that have none yet."""
    left = times.is_null()
    return times.scatter(left.arg_true(), read(texts.filter(left))) if left.any() else times


def by_pattern(texts: pl.Series, pattern: str, time_zone: str) -> pl.Series:
    parts = texts.str.extract_groups(pattern).struct.unnest()
    time = in_zone({part: pl.col(part) for part in parts.columns}, time_zone)
    return parts.select(pl.when(texts.str.contains(pattern) & same_marks(parts)).then(time)).to_series()


def same_marks(parts: pl.DataFrame) -> pl.Expr:
    return pl.col("mark") == pl.col("mark_2") if "mark" in parts.columns else pl.lit(value=True)


def year_last(texts: pl.Series, order: DateOrder | None, time_zone: str) -> pl.DataFrame:
    """Times of texts such as 1/12/2010, and what each is evidence of."""
    parts = texts.str.extract_groups(YEAR_LAST).struct.unnest()
    one, two = (pl.col(name).cast(pl.Int64) for name in ("one", "two"))
    evidence = (
        pl.when(~same_marks(parts) | (one == two))
        .then(None)
        .when(one.is_between(1, 12) & two.is_between(1, 12))
        .then(pl.lit(EITHER_ORDER))
        .when(one.is_between(13, 31) & two.is_between(1, 12))
        .then(pl.when(years_look_first()).then(pl.lit(YEAR_FIRST_OF_TWO)).otherwise(pl.lit(DAY_FIRST)))
        .when(one.is_between(1, 12) & two.is_between(13, 31))
        .then(pl.lit(MONTH_FIRST))
    )
    day, month = ("two", "one") if order == MONTH_FIRST else ("one", "two")
    named = {part: pl.col(part) for part in parts.columns}
    time = in_zone(named | {"day": pl.col(day), "month": pl.col(month)}, time_zone)
    in_force = same_marks(parts) & ((one == two) | pl.lit(order is not None))
    return parts.select(time=pl.when(in_force).then(time), order=evidence)


def years_look_first() -> pl.Expr:
    """Whether 24-03-01, 24-03-02, ... begin with the year: all of them can, and the last number has more
    values than the first one, as days have."""
    one, two, last = (pl.col(name).cast(pl.Int64) for name in ("one", "two", "year"))
    can_be = (one > 12) & two.is_between(1, 12) & last.is_between(1, 31)
    return can_be.all() & (last.n_unique() > one.n_unique())


def excel(texts: pl.Series) -> pl.Series:
    """Days since 1899-12-30, to the nearest second."""
    parts = pl.col("text").str.extract_groups(EXCEL).struct
    fraction = parts.field("fraction").fill_null("").str.pad_end(15, "0").cast(pl.Int64)
    second = 10**13  # as 86,400 seconds are 10**15 parts of a day, one is 10**13 of 864 parts
    seconds = (fraction * 864 + second // 2) // second
    days = parts.field("days").cast(pl.Int64) - EXCEL_EPOCH
    time = pl.from_epoch(days * 86_400 + seconds, time_unit="s").cast(pl.Datetime("us"))
    return texts.to_frame("text").select(time).to_series()


@cache
def regular_expression(pattern: str) -> str:
    """A pattern as a regular expression with a group for each part of a time."""
    found, used = "", set[str]()
    for part in PATTERN.finditer(pattern):
        letters = part["letters"]
        if letters is None:
            other = part["quoted"].replace("''", "'") or "'" if part["quoted"] is not None else part["other"]
            found += {"[": "(?:", "]": ")?"}.get(part["other"] or "", re.escape(other))
            continue
        group, values = part_of(letters)
        found += f"(?:{values})" if group in used else f"(?P<{group}>{values})"
        used.add(group)
    return f"(?i)^{found}$"


def part_of(letters: str) -> tuple[str, str]:
    """What some equal letters stand for: the name of the part, and a pattern of its values."""
    letter, count = letters[0], len(letters)
    part = PARTS[letter]
    if part == "year":
        digits = "[0-9]{4}" if count == 4 else "[0-9]{1,9}"
        return ("short_year", "[0-9]{2}") if count == 2 else (part, digits)
    if part == "month" and count > 2:
        names = MONTHS if count == 4 else [month[:3] for month in MONTHS]
        return "month_name", "|".join(names)
    if part == "fraction":
        return part, f"[0-9]{{1,{count}}}"
    if part == "half":
        return part, "AM|PM"
    if part == "zone":
        return part, r"Z|[+-][0-9]{2}(?::?[0-9]{2})?"
    return part, "[0-9]{2}" if count == 2 else "[0-9]{1,9}"


def in_zone(parts: Parts, time_zone: str) -> pl.Expr:
    """The wall-clock time of the parts in the time zone."""
    local = local_time(parts)
    if "zone" not in parts:
        return local
    zone = parts["zone"].str.to_uppercase().replace(["UTC", "GMT"], "Z")
    no_hours = parts["zone"].str.slice(3).str.strip_chars_start(":")
    hours = zone.str.slice(1, 2).cast(pl.Int64, strict=False)
    minutes = ("0" + no_hours).cast(pl.Int64, strict=False)
    offset = pl.when((minutes < 60) & (hours * 60 + minutes <= FARTHEST_ZONE)).then(hours * 60 + minutes)
    east = pl.when(zone == "Z").then(0).when(zone.str.starts_with("-")).then(-offset).otherwise(offset)
    utc = (local - pl.duration(minutes=east)).dt.replace_time_zone("UTC")
    converted = utc.dt.convert_time_zone(time_zone).dt.replace_time_zone(None)
    return pl.when(zone.is_null()).then(local).otherwise(converted)


def local_time(parts: Parts) -> pl.Expr:
    """The time of the parts without their zone; null where there is no such day or time."""

    def digits(name: str, missing: str) -> pl.Expr:
        value = parts[name].fill_null(missing) if name in parts else pl.lit(missing)
        return value.str.strip_chars_start("0").str.zfill(2)

    year = full_year(parts["short_year"]) if "short_year" in parts else full_year(digits_of_year(parts))
    month = digits("month", "1")
    if "month_name" in parts:
        names = parts["month_name"].str.to_lowercase().str.slice(0, 3)
        month = names.replace_strict(MONTH_NUMBERS, default=None)
    clock = [hour_of(parts) if "half" in parts else digits("hour", "0")]
    second = digits("second", "0")
    clock += [digits("minute", "0"), pl.when(second < "60").then(second)]  # a leap second is none to Polars
    fraction = parts["fraction"].fill_null("") if "fraction" in parts else pl.lit("")
    text = pl.concat_str(
        [year, month, digits("day", "1"), *clock, fraction.str.slice(0, 6).str.pad_end(6, "0")], separator=" "
    )
    return text.str.to_datetime("%Y %m %d %H %M %S %6f", strict=False, time_unit="us")


def digits_of_year(parts: Parts) -> pl.Expr:
    return parts["year"] if "year" in parts else pl.lit("1970")


def full_year(year: pl.Expr) -> pl.Expr:
    """A year of two digits with its century; any other as four digits."""
    century = pl.when(year >= FIRST_SHORT_YEAR).then(pl.lit("19")).otherwise(pl.lit("20"))
    digits = year.str.strip_chars_start("0").str.zfill(4)
    return pl.when(year.str.len_bytes() == 2).then(century + year).otherwise(digits)


def hour_of(parts: Parts) -> pl.Expr:
    """The hour of the day. With AM or PM it is an hour of its half, 12 or 0 being the first."""
    hour, half = parts["hour"].cast(pl.Int64, strict=False), parts["half"].str.to_lowercase().str.slice(0, 1)
    after_noon = pl.when(half == "p").then(12).otherwise(0)
    of_half = pl.when(hour.is_between(0, 12)).then(hour % 12 + after_noon)
    of_day = pl.when(half.is_null()).then(hour.fill_null(0)).otherwise(of_half)
    return of_day.cast(pl.String).str.zfill(2)
