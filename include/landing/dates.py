"""Dates and times as text, by the configured formats: Java's patterns, `iso` and `excel`."""

import re
from collections.abc import Mapping, Sequence
from functools import cache

import polars as pl

ISO = (
    r"^(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})[T ](?P<hour>[0-9]{2})"
    r":(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r" ?(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?$"
)
EXCEL = r"^(?P<days>[0-9]{1,7})(?:\.(?P<fraction>[0-9]{1,15}))?$"
EXCEL_EPOCH = 25_569  # days from 1899-12-30 to 1970-01-01
FARTHEST_ZONE = 18 * 60  # minutes

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


def date_times(texts: pl.Series, formats: Sequence[str], time_zone: str) -> pl.Series:
    """Wall-clock times in the time zone, by the first format that fits; null where none does. A time with a
    zone of its own is converted."""
    found = pl.repeat(None, len(texts), dtype=pl.Datetime("us"), eager=True)
    for name in formats:
        if not (left := found.is_null()).any():
            break
        found = found.scatter(left.arg_true(), by_format(texts.filter(left), name, time_zone))
    return found


def by_format(texts: pl.Series, name: str, time_zone: str) -> pl.Series:
    if name == "excel":
        return texts.to_frame().select(excel(pl.col(texts.name))).to_series()
    pattern = ISO if name == "iso" else regular_expression(name)
    parts = texts.str.extract_groups(pattern).struct.unnest()
    time = in_zone({part: pl.col(part) for part in parts.columns}, time_zone)
    return parts.select(pl.when(texts.str.contains(pattern)).then(time)).to_series()


def excel(text: pl.Expr) -> pl.Expr:
    """Days since 1899-12-30, to the nearest second."""
    parts = text.str.extract_groups(EXCEL).struct
    fraction = parts.field("fraction").fill_null("").str.pad_end(15, "0").cast(pl.Int64)
    second = 10**13  # as 86,400 seconds are 10**15 parts of a day, one is 10**13 of 864 parts
    seconds = (fraction * 864 + second // 2) // second
    days = parts.field("days").cast(pl.Int64) - EXCEL_EPOCH
    return pl.from_epoch(days * 86_400 + seconds, time_unit="s").cast(pl.Datetime("us"))


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
    zone, no_hours = parts["zone"].str.to_uppercase(), parts["zone"].str.slice(3).str.strip_chars_start(":")
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

    year = "20" + parts["short_year"] if "short_year" in parts else digits("year", "1970").str.zfill(4)
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


def hour_of(parts: Parts) -> pl.Expr:
    """The hour of the day from an hour of its half, 12 being the first."""
    hour = parts["hour"].cast(pl.Int64, strict=False)
    after_noon = pl.when(parts["half"].str.to_lowercase() == "pm").then(12).otherwise(0)
    return pl.when(hour.is_between(1, 12)).then((hour % 12 + after_noon).cast(pl.String).str.zfill(2))
