"""Records: lines, and the few lines that are one record because a line break is in quotes.

Lines form one record only if none of them is a record by itself and together they are one. So a stray quote
costs its own line and no other. The end of a multi-line field in the first column can look like a complete
record, so there the closing quote decides. The first and the last of such lines have an odd number of quotes,
and those between an even one, so only neighbours among the odd lines have to be looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from include.landing.chunks import chunks
from include.landing.fields import is_record
from include.landing.formats import LATIN, WINDOWS, Format, FormattedFile

# The limits of a record with line breaks: a quote that never closes must not swallow the rest of the file.
RECORD_LINES, LONGEST_RECORD = 1_000, 1 << 20  # lines, bytes
WINDOWS_OF_LATIN = str.maketrans(LATIN, WINDOWS)

Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Lines:
    """The lines of some bytes."""

    edges: Places  # where each line begins; and at last, where the last one ends
    text: pl.Series  # with their line ends
    has_quotes: bool

    @property
    def count(self) -> int:
        return len(self.text)


@dataclass(frozen=True)
class Joins:
    """The neighbours among the odd lines that would be the first and the last line of a record."""

    first: Places
    last: Places
    is_record: Flags  # false where the first is the last line of the record before
    open_from: int  # the lines from here on may be a record with lines that follow


def records(file: FormattedFile, start: int, end: int, first_line: int) -> Iterator[pl.DataFrame]:
    """The records below the header in a part of a file: `line`, the number of the first line; `raw`, the
    text with its line end; and of the last one, `damaged`, whether a packed file breaks off in it, and
    `cut_off`, whether it lacks the line end that the others have.

    Blank lines are among them. `text_of_records` leaves them out, for many small files in one go: a Polars
    expression takes a fraction of a millisecond, whether for one line or for a thousand.
    """
    waiting, number, form = list[bytes](), first_line, file.format
    for chunk in chunks(file, start, end):
        waiting.append(chunk.data)
        if not chunk.is_last and b"\n" not in chunk.data and b"\r" not in chunk.data:
            continue  # one huge line
        data = b"".join(waiting)
        lines = lines_of(data if chunk.is_last else data[: end_of_last_line(data)])
        joins = all_joins(lines, form, below=form.header_lines - number + 1)
        taken = lines.count if chunk.is_last else joins.open_from
        found = joined(lines, joins, number)
        if chunk.breaks_off:
            found = with_damage(found, lines, number, form)
        elif chunk.is_last and form.width and is_cut_off(lines, number):
            found = found.with_columns(last_only(found, "cut_off"))
        edges = [form.header_lines + 1, number + taken + chunk.breaks_off]
        begin, behind = np.searchsorted(found.get_column("line").to_numpy(), edges)
        yield found[begin:behind]
        waiting, number = [data[int(lines.edges[taken]) :]], number + taken


def line_text(file: FormattedFile, number: int) -> str | None:
    """The text of the record that begins at a line of a part; None where none does."""
    for found in records(file, 0, file.part.size, 1):
        here = text_of_records(found.filter(pl.col("line") == number))
        if here.height:
            return str(here.get_column("raw")[0])
    return None


def text_of_records(found: pl.DataFrame) -> pl.DataFrame:
    """Records without their line ends, and without those that are blank."""
    is_text = pl.col("raw").str.contains("[^ ]") | pl.col("damaged")
    return found.with_columns(bare(found.get_column("raw"))).filter(is_text)


def first_record_from(place: int, data: bytes, form: Format) -> int | None:
    """The first place, not before the given one, at which a record begins. None where none is in the data."""
    lines = lines_of(data[: end_of_last_line(data)])
    joins = all_joins(lines, form, below=0)
    within = np.zeros(lines.count + 1, np.int64)  # of how many records each line is not the first line
    np.add.at(within, joins.first + 1, 1)
    np.add.at(within, joins.last + 1, -1)
    begins = (np.cumsum(within) == 0) & (np.arange(lines.count + 1) <= joins.open_from)
    found = lines.edges[begins & (lines.edges >= place)]
    return int(found[0]) if len(found) else None


# -- lines --------------------------------------------------------------------------------------


def end_of_last_line(data: bytes) -> int:
    """The place after the last line end. A CR at the end may be half of one."""
    known = len(data) - data.endswith(b"\r")
    return max(data.rfind(b"\n", 0, known), data.rfind(b"\r", 0, known)) + 1


def lines_of(data: bytes) -> Lines:
    """The lines of bytes, which end with LF, CR or CRLF. A line is UTF-8, or Windows-1252 if it is not valid
    UTF-8."""
    edges = edges_of_lines(data)
    binary = divided(data, edges)
    try:
        return Lines(edges, binary.cast(pl.String), b'"' in data)
    except pl.exceptions.ComputeError:
        return Lines(edges, decoded(data, binary), b'"' in data)


def edges_of_lines(data: bytes) -> Places:
    array = np.frombuffer(data, np.uint8)
    ends = array == ord("\n")
    if b"\r" in data:
        ends[:-1] |= (array[:-1] == ord("\r")) & ~ends[1:]
        ends[-1:] |= array[-1:] == ord("\r")
    edges = np.concatenate([[0], np.flatnonzero(ends) + 1]).astype(np.int64)
    return edges if edges[-1] == len(data) else np.append(edges, len(data))


def divided(data: bytes, edges: Places) -> pl.Series:
    buffers = [None, pa.py_buffer(edges), pa.py_buffer(data)]
    return pl.Series(pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(edges) - 1, buffers))


def decoded(data: bytes, binary: pl.Series) -> pl.Series:
    """The text of lines of which some are not valid UTF-8: those that decoding would change."""
    replaced = data.decode(errors="replace").encode()
    text = divided(replaced, edges_of_lines(replaced))
    wrong = (text != binary).arg_true()
    latin: str = b"".join(binary.gather(wrong).to_list()).decode("latin-1").translate(WINDOWS_OF_LATIN)
    return text.cast(pl.String).scatter(wrong, lines_of(latin.encode()).text)


def bare(text: pl.Series) -> pl.Series:
    """Text without the line ends at its end."""
    return text.str.strip_chars_end("\r\n")


# -- records of several lines -------------------------------------------------------------------


def all_joins(lines: Lines, form: Format, below: int) -> Joins:
    """The lines that would form a record with each other, from line `below` on."""
    odd = np.array([], np.int64)
    if form.width and lines.has_quotes:
        quotes = lines.text.str.count_matches('"', literal=True)
        odd = flags(quotes % 2 == 1).nonzero()[0]
        odd = odd[odd >= below]
    opens = ~flags(is_record(bare(lines.text.gather(odd)), form)) if len(odd) else odd.astype(np.bool_)
    if not opens.any():
        return Joins(odd[:0], odd[:0], opens[:0], lines.count)
    following = np.append(odd[1:], lines.count)
    may_join = opens & is_near(lines, odd, following) & ~has_record_between(lines, form, odd, following)
    joins = may_join & (following < lines.count)
    joins[joins] = flags(is_record(texts(lines, odd[joins], following[joins]), form))
    chosen = every_second(joins)
    is_open = may_join[-1] and not chosen[:-1][-1:].any()
    return Joins(odd[joins], following[joins], chosen[joins], int(odd[-1]) if is_open else lines.count)


def flags(series: pl.Series) -> Flags:
    values: Flags = series.to_numpy()
    return values.astype(np.bool_)


def is_near(lines: Lines, first: Places, last: Places) -> Flags:
    distance: Flags = last - first < RECORD_LINES
    return distance & (lines.edges[last] - lines.edges[first] <= LONGEST_RECORD)


def has_record_between(lines: Lines, form: Format, first: Places, last: Places) -> Flags:
    """Whether a line after the first, up to the last, is a record by itself."""
    text = bare(lines.text)
    whole = flags(is_record(text, form))
    leading = text.str.split_exact(form.delimiter, 1).struct.field("field_0")
    closes = flags(leading.str.count_matches('"', literal=True) % 2 == 1)
    in_first_column = flags(lines.text.gather(first).str.strip_chars_start(" ").str.starts_with('"'))
    before = np.concatenate([[0], np.cumsum(whole)])
    before_unless_closing = np.concatenate([[0], np.cumsum(whole & ~closes)])
    after = np.minimum(last + 1, lines.count)
    any_record = before[after] > before[first + 1]
    any_other: Flags = before_unless_closing[after] > before_unless_closing[first + 1]
    return np.where(in_first_column, any_other, any_record)


def texts(lines: Lines, first: Places, last: Places) -> pl.Series:
    """The text from each first to its last line, without the last line end."""
    lengths = last - first + 1
    record = np.repeat(np.arange(len(first)), lengths)
    starts = np.repeat(first - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    line = starts + np.arange(len(record))
    parts = pl.DataFrame({"record": record, "text": lines.text.gather(line)})
    together = parts.group_by("record", maintain_order=True).agg(pl.col("text").str.join(""))
    return bare(together.get_column("text"))


def every_second(joins: Flags) -> Flags:
    """Every second one of those in a row: the last line of a record is not the first of another."""
    place = np.arange(len(joins))
    last_other = np.maximum.accumulate(np.where(joins, -1, place))
    chosen: Flags = joins & ((place - last_other) % 2 == 1)
    return chosen


def joined(lines: Lines, joins: Joins, first_number: int) -> pl.DataFrame:
    """The records of lines: line, raw, damaged, cut_off. From Series, since a schema would take longer than
    small files do."""
    numbers = np.arange(first_number, first_number + lines.count)
    whole = np.zeros(lines.count, np.bool_)
    found = pl.DataFrame(
        [
            pl.Series("line", numbers),
            lines.text.alias("raw"),
            pl.Series("damaged", whole),
            pl.Series("cut_off", whole),
        ]
    )
    first, last = joins.first[joins.is_record], joins.last[joins.is_record]
    if not len(first):
        return found
    change = np.zeros(lines.count + 1, np.int64)
    np.add.at(change, first + 1, 1)
    np.add.at(change, last + 1, -1)
    joined_text = found.get_column("raw").scatter(first, texts(lines, first, last))
    return found.with_columns(joined_text).filter(np.cumsum(change)[:-1] == 0)


def is_cut_off(lines: Lines, first_number: int) -> bool:
    """Whether the last line of a file lacks the line end that the lines before it have."""
    has_others = first_number + lines.count > 2
    return has_others and is_half(lines)


def is_half(lines: Lines) -> bool:
    return lines.count > 0 and not lines.text[-1].endswith(("\n", "\r"))


def last_only(found: pl.DataFrame, name: str) -> pl.Series:
    """A column that is true for the last record."""
    return pl.Series(name, np.arange(found.height) == found.height - 1)


def with_damage(found: pl.DataFrame, lines: Lines, first_number: int, form: Format) -> pl.DataFrame:
    """The same with the last record marked as damaged. Where the file breaks off after a line end, or in its
    header, that is an empty one."""
    following = first_number + lines.count
    if is_half(lines) and following - 1 > form.header_lines:
        return found.with_columns(last_only(found, "damaged"))
    empty = {"line": [following], "raw": [""], "damaged": [True], "cut_off": [False]}
    return pl.concat([found, pl.DataFrame(empty, schema=found.schema)])
