"""Thousands of damaged landing files are read. RFM_FUZZ_FILES and RFM_FUZZ_SEED give more or others. Files
that once found a bug are kept in `found/`.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from include.errors import InputError
from include.landing.files import landed_files
from include.landing.formats import FormattedFile, formatted_files
from include.landing.line_values import ReadingRules
from include.landing.reader import records_of_alike_files, typed
from include.pipeline import PROJECT
from include.settings import RunConfig
from tests.laws.fuzz import EXPECTED, LINE_END, File, landing_file, physical_lines
from tests.tables import LinesByFile, by_file, in_notation, land, whole

FILES = int(os.environ.get("RFM_FUZZ_FILES", "20000"))
SEED = int(os.environ.get("RFM_FUZZ_SEED", "20101201"))
AT_ONCE = 2000
FOUND = PROJECT / "tests" / "laws" / "found"


@dataclass(frozen=True)
class Reading:
    """What some files are read as."""

    given: dict[str, File]
    refused: dict[str, str]  # the message about a header with some of our columns, by file
    formatted: list[FormattedFile]
    records: LinesByFile
    typed: LinesByFile

    def about(self, name: str) -> str:
        return f"{name} {self.given[name].damage}"


def read(config: RunConfig, folder: Path, given: Sequence[File]) -> Reading:
    """Land the files, and read them."""
    for file in given:
        land(folder, file.name, file.data)
    formatted, refused = list[FormattedFile](), dict[str, str]()
    for landed in landed_files(folder)[0]:
        try:
            found = formatted_files([landed], config.settings.landing.formats)
            formatted += [in_notation(file) for file in found]
        except InputError as error:
            refused[landed.name] = str(error)
    parts, rules = [whole(file) for file in formatted], ReadingRules.of(config.settings)
    read = [(part, typed(part, form, rules)) for form, part in records_of_alike_files(parts)]
    return Reading(
        given={file.name: file for file in given},
        refused=refused,
        formatted=formatted,
        records=by_file(formatted, [part for part, _ in read]),
        typed=by_file(formatted, [lines for _, lines in read]),
    )


def found_files() -> list[File]:
    """Files of lines that were lost, or misread, until their bug was fixed."""
    return [File(path.name, path.read_bytes()) for path in sorted(FOUND.glob("*.csv"))]


def damaged_files(first: int) -> list[File]:
    numbers = range(first, min(first + AT_ONCE, FILES))
    return [landing_file(Random(f"{SEED} {n}"), f"{n:06}.csv") for n in numbers]


@pytest.fixture(
    scope="module",
    params=[None, *range(0, FILES, AT_ONCE)],
    ids=lambda n: f"from {n}" if n is not None else "found",
)
def reading(
    request: pytest.FixtureRequest,
    config: RunConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> Reading:
    """The files that once found a bug, or AT_ONCE new ones from a number on."""
    given = found_files() if request.param is None else damaged_files(request.param)
    return read(config, tmp_path_factory.mktemp("landing"), given)


def test_a_header_is_refused_by_file_and_line_and_only_where_damage_has_touched_it(reading: Reading) -> None:
    for name, message in reading.refused.items():
        assert message.startswith(f"{name}: line "), message
        assert not reading.given[name].expected, reading.about(name)


def test_each_line_is_kept_or_rejected_with_a_reason(reading: Reading) -> None:
    for lines in reading.typed.values():
        assert all((row["reason"] is None) == (row["outcome"] == "kept") for row in lines)


def test_every_line_of_a_file_is_there_once_and_a_reject_with_its_text(reading: Reading) -> None:
    for file in reading.formatted:
        lines, about = reading.typed[file.name], reading.about(file.name)
        found = reading.records[file.name]
        assert [row["line"] for row in lines] == [row["line"] for row in found], about
        texts = {row["line"]: row["raw"] for row in found}
        assert all(row["raw"] in (None, texts[row["line"]]) for row in lines), about
        assert all(row["raw"] is not None for row in lines if row["reason"]), about
        if not any(row["damaged"] for row in found):  # its bytes cannot be unpacked to compare
            check_lines(reading.given[file.name], file.format.header_lines, texts, about)


def check_lines(file: File, header_lines: int, texts: Mapping[int, str], about: str) -> None:
    """The texts, each from its line on, are the file's lines. Lines in none of them are blank."""
    expected = physical_lines(file)
    covered = set(range(1, header_lines + 1))
    for line, text in texts.items():
        parts = LINE_END.split(text)
        numbers = range(line, line + len(parts))
        assert parts == [expected[number - 1] for number in numbers], about
        assert not covered & set(numbers), about
        covered |= set(numbers)
    left = [text for number, text in enumerate(expected, 1) if number not in covered]
    assert not any(text.strip(" ") for text in left), (about, left)


def test_damage_costs_its_own_lines_and_no_other(reading: Reading) -> None:
    for name, lines in reading.typed.items():
        kept = Counter(tuple(row[column] for column in EXPECTED) for row in lines if row["outcome"] == "kept")
        assert not Counter(reading.given[name].expected) - kept, reading.about(name)


@pytest.mark.parametrize("reading", [None], ids=["found"], indirect=True, scope="module")
def test_a_file_that_once_found_a_bug_is_read_as_its_name_says(reading: Reading) -> None:
    assert {name for name, lines in reading.typed.items() if lines} == {file.name for file in found_files()}
    assert all(name.startswith(row["outcome"]) for name, lines in reading.typed.items() for row in lines)
