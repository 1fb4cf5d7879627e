"""A look at the first lines of some files: how dates and numbers are written there.

Reading needs to know it before it types a line. It checks every line later, so a look at some files will do.
"""

from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from include.landing.blocks import Block
from include.landing.formats import FormattedFile
from include.landing.line_values import ReadingRules
from include.landing.notation import CHOICES, EITHER, Context, Proof, context_of
from include.landing.part_lines import proofs_of_lines
from include.landing.reader import typed, typed_lines
from include.landing.records import records, text_of_records

FILES_LOOKED_AT = 3  # of a format
HEAD = 64 << 10  # bytes


def scanned(files: Sequence[FormattedFile], known: Iterable[Proof], rules: ReadingRules) -> list[Proof]:
    """Proofs from some files of each format of which nothing is known."""
    by_context: dict[Context, list[FormattedFile]] = {}
    for file in files:
        if context := context_of(file):
            by_context.setdefault(context, []).append(file)
    found, known_contexts = list[Proof](), {proof.context for proof in known}
    for context, alike in by_context.items():
        if context not in known_contexts:
            step = max(1, len(alike) // FILES_LOOKED_AT)
            found += scanned_in_turn(alike[::step], context, rules)
    return found


def scanned_in_turn(files: Sequence[FormattedFile], context: Context, rules: ReadingRules) -> list[Proof]:
    """Proofs from files of one format, until there is one for dates and one for numbers."""
    found, words = list[Proof](), set[str]()
    for file in files:
        proof = Proof(file.name, file.part.name, context, tuple(first_lines(file, rules).items()))
        found.append(proof)
        words |= proof.lines.keys()
        if all(words & set(choices) for choices in CHOICES.values()):
            break
    return found


def first_lines(file: FormattedFile, rules: ReadingRules) -> dict[str, int]:
    """What the head of a file proves, by its first line; or more of the file, where that can be read both
    ways."""
    found: dict[str, int] = {}
    for lines in pieces(file, rules):
        for part in proofs_of_lines(lines):
            found = part.proofs | found
        if not any(
            either in found and not found.keys() & set(CHOICES[key]) for key, either in EITHER.items()
        ):
            break
    return found


def pieces(file: FormattedFile, rules: ReadingRules) -> Iterator[pl.DataFrame]:
    """The typed lines of a file's head, and then of the whole file."""
    whole = Block(file, 0, file.part.size, 1)
    is_divided = file.part.kind == "text" and file.part.size > HEAD
    if is_divided:
        head = next(records(file, 0, HEAD, 1))[:-1]  # its last line may be half of one
        names = pl.lit(file.name).alias("file"), pl.lit(file.part.name, pl.String).alias("part")
        yield typed(text_of_records(head.with_columns(names)), file.format.of_lines, rules)
    yield from typed_lines([whole], rules)
