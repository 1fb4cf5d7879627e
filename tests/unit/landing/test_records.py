"""Records: the number of the first line, the text, and whether the file breaks off in it."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from include.landing import chunks
from include.landing.records import RECORD_LINES, records, text_of_records
from include.settings import RunConfig
from tests.tables import HEADER, csv_bytes, formatted_file, land, line

Read = Callable[[bytes], list[tuple[int, str, bool]]]


@pytest.fixture
def read(tmp_path: Path, config: RunConfig) -> Read:
    """The records of a file with these bytes."""

    def read_bytes(data: bytes) -> list[tuple[int, str, bool]]:
        path = land(tmp_path, "a.csv", data)
        parts = records(formatted_file(config, path), 0, len(data), 1)
        columns = ["line", "raw", "damaged"]
        return [row for found in parts for row in text_of_records(found).select(columns).iter_rows()]

    return read_bytes


def test_a_record_may_go_over_several_lines_in_quotes(read: Read) -> None:
    spread = line(text='"RED\n\nMUG, ""BIG"""')
    assert read(csv_bytes(spread, line())) == [(2, spread, False), (5, line(), False)]


def test_a_line_break_in_the_first_column_is_not_the_end_of_a_record(read: Read) -> None:
    """The end of the field, `MUG",536365,...`, looks like a complete record."""
    rest = "536365,A,6,2010-12-01 08:26:00,2.55,17850,EIRE"
    names = HEADER.split(",")
    header = ",".join([names[2], *names[:2], *names[3:]])
    assert read(csv_bytes(f'"RED\nMUG",{rest}', f"MUG,{rest}", header=header)) == [
        (2, f'"RED\nMUG",{rest}', False),
        (4, f"MUG,{rest}", False),
    ]


def test_a_stray_quote_costs_its_own_line_and_no_other(read: Read) -> None:
    stray, whole = line(text='"RED'), line(text='"TWO\nLINES"')
    assert read(csv_bytes(stray, line(), whole)) == [
        (2, stray, False),
        (3, line(), False),
        (4, whole, False),
    ]


def test_a_quote_that_never_closes_does_not_swallow_the_file(read: Read) -> None:
    opened, others = line(text='"RED'), ["not a record"] * (RECORD_LINES + 1)
    found = read(csv_bytes(opened, *others))
    assert found[0] == (2, opened, False)
    assert len(found) == 1 + len(others)


def test_blank_lines_are_counted_and_are_no_records(read: Read) -> None:
    assert [number for number, _, _ in read(csv_bytes(line(), "", "  ", line()))] == [2, 5]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8", "cp1252"])
def test_text_is_the_same_in_every_encoding(read: Read, encoding: str) -> None:
    pound = line(text="£5 CAFÉ")
    assert read(csv_bytes(pound).decode().encode(encoding)) == [(2, pound, False)]


def test_a_compressed_file_is_read_up_to_its_damage(read: Read) -> None:
    lines = [line(quantity=str(number)) for number in range(1, 500)]
    packed = gzip.compress(csv_bytes(*lines), mtime=0)
    *before, last = read(packed[: len(packed) // 2])
    assert last[2] is True
    assert before == [(number, text, False) for number, text in enumerate(lines[: len(before)], 2)]
    assert 0 < len(before) < len(lines)


def test_damage_after_the_last_line_is_a_record_of_its_own(read: Read) -> None:
    packed = gzip.compress(csv_bytes(line()), mtime=0)
    assert read(packed[:-1]) == [(2, line(), False), (3, "", True)]


def test_damage_in_the_header_is_a_record_below_it(read: Read) -> None:
    header = csv_bytes()[:-1]
    packed = gzip.compress(header + b"\n" + csv_bytes(line()), mtime=0, compresslevel=0)
    assert read(packed[: 15 + len(header)]) == [(2, "", True)]


@pytest.mark.parametrize("chunk", [7, 64, 1000])
def test_records_are_the_same_however_the_bytes_are_cut(
    read: Read, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    spread = line(text='"RED\r\n\r\nMUG, ""BIG"""')
    given = csv_bytes(
        spread, line(text='"RED'), line(text="CAFÉ £5"), spread, line(text='MUG 12"'), end="\r\n"
    )
    expected = read(given)
    assert [number for number, _, _ in expected] == [2, 5, 6, 7, 10]
    monkeypatch.setattr(chunks, "CHUNK", chunk)
    assert read(given) == expected
    assert read(given.decode().encode("utf-16")) == expected
    assert read(gzip.compress(given)) == expected
    assert read(given.decode().encode("cp1252")) == expected
