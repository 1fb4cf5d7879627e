"""A large file is read in blocks, and what comes out is what one block would give."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.landing import blocks
from include.landing.blocks import block_size, blocks_of
from include.landing.line_values import TYPED, ReadingRules
from include.landing.reader import typed_lines
from include.settings import RunConfig
from tests.tables import csv_bytes, formatted_file, land, line

LINES = [
    line(),
    line(text='"TWO\nLINES"'),
    line(text='"A\r\n\r\nB, ""C"""'),
    line(text='"RED'),
    line(text='MUG 12"'),
    line(price="x"),
    line(text="CAFÉ £5"),
    "",
    '"',
    'MUG",1',
]


@settings(deadline=None)
@given(
    lines=st.lists(st.sampled_from(LINES), min_size=1, max_size=40),
    size=st.integers(40, 400),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_a_file_is_read_alike_in_one_block_and_in_many(
    config: RunConfig, tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int, end: str
) -> None:
    data = csv_bytes(*[text.replace("\r\n", "\n").replace("\n", end) for text in lines], end=end)
    file = formatted_file(config, land(tmp_path_factory.mktemp("landing"), "a.csv", data))
    rules = ReadingRules.of(config.settings)
    parts = blocks_of(file, size)
    assert [part.start for part in parts[1:]] == [part.end for part in parts[:-1]]
    assert (parts[0].start, parts[-1].end) == (0, len(data))
    in_blocks = pl.concat(typed_lines(parts, rules)).select(TYPED).sort("line")
    at_once = pl.concat(typed_lines(blocks_of(file, len(data)), rules)).select(TYPED).sort("line")
    assert in_blocks.equals(at_once)


def test_lines_are_numbered_through_the_blocks_of_a_large_file(config: RunConfig, tmp_path: Path) -> None:
    rows = [line(quantity=str(number)) for number in range(2, 302)]
    file = formatted_file(config, land(tmp_path, "a.csv", csv_bytes(*rows)))
    parts = blocks_of(file, 1000)
    assert len(parts) > 10
    found = pl.concat(typed_lines(parts, ReadingRules.of(config.settings)))
    assert found.height == 300
    assert found["line"].cast(pl.Int32).equals(found["quantity"].rename("line"))


def test_a_compressed_file_and_one_in_utf_16_are_one_block(config: RunConfig, tmp_path: Path) -> None:
    data = csv_bytes(*[line()] * 300).decode().encode("utf-16")
    assert len(blocks_of(formatted_file(config, land(tmp_path, "a.csv", data)), 1000)) == 1


@pytest.mark.parametrize(
    ("megabytes", "block"),
    [(1, 16), (2_000, 2_000 // (4 * 8)), (10_000, 128)],
    ids=["no block is very small", "each core gets four blocks", "no block is very large"],
)
def test_a_block_is_as_large_as_the_cores_can_share(megabytes: int, block: int) -> None:
    assert block_size(megabytes << 20, cores=8) >> 20 == block


def test_line_ends_are_counted_as_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = land(tmp_path, "a.csv", b"a\r\nb\rc\n\r\n\r\r\nd")
    for chunk in range(1, 20):
        monkeypatch.setattr(blocks, "CHUNK", chunk)
        with path.open("rb") as stream:
            assert blocks.count_lines(stream, 0, path.stat().st_size) == 6
