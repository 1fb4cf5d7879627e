"""Reading files by the evidence in them: first a look at some, then all, and again if that proves more."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from include.errors import InputError
from include.landing.evidence import Notation
from include.landing.formats import FormattedFile
from include.landing.line_values import ReadingRules
from include.landing.notation import (
    Context,
    Proof,
    UnclearError,
    check_amounts,
    check_nothing_is_open,
    check_rows,
    context_of,
    notations,
)
from include.landing.part_lines import PartLines
from include.landing.records import line_text
from include.landing.scan import scanned

MOST_READINGS = 4  # dates and decimals can each be proven by a second one
Read = Callable[[Sequence[FormattedFile]], list[PartLines]]


def read_by_evidence(
    files: Sequence[FormattedFile], known: Sequence[Proof], rules: ReadingRules, read: Read
) -> tuple[list[FormattedFile], list[PartLines]]:
    """Read files, with what others are known to prove. Returns the files with the notation in which they were
    read, and their lines. They are read again where that proves more than a look at some has shown.

    Raises InputError, with the line, where proofs contradict each other or a line can be read both ways.
    """
    with shown_line(files):
        in_force = notations_of([*known, *scanned(files, known, rules)], files, rules)
        for _ in range(MOST_READINGS):
            with_notations = [with_notation(file, in_force) for file in files]
            lines = read(with_notations)
            proofs = [*known, *proofs_of_parts(files, lines)]
            proven = notations_of(proofs, files, rules)
            if proven == in_force:
                check_nothing_is_open(proofs, in_force)
                check_rows(proofs, rules.landing.formats)
                check_amounts(proofs, rules.landing.formats)
                return with_notations, lines
            in_force = proven
    raise RuntimeError(f"{len(files):,} files prove something else each time they are read")


def notations_of(
    proofs: Sequence[Proof], files: Sequence[FormattedFile], rules: ReadingRules
) -> dict[Context, Notation]:
    """What is in force for the formats of the files. Of one that proves nothing it may be stated."""
    contexts = {context for file in files if (context := context_of(file))}
    silent = [Proof("", None, context, ()) for context in sorted(contexts)]
    return notations([*proofs, *silent], rules.landing.formats)


def with_notation(file: FormattedFile, in_force: Mapping[Context, Notation]) -> FormattedFile:
    context = context_of(file)
    notation = in_force.get(context, Notation()) if context else Notation()
    return replace(file, format=replace(file.format, notation=notation))


def proofs_of_parts(files: Sequence[FormattedFile], lines: Sequence[PartLines]) -> list[Proof]:
    found = {(part.file, part.part): part.proofs for part in lines}
    return [
        Proof(file.name, file.part.name, context, tuple(found[file.name, file.part.name].items()))
        for file in files
        if (context := context_of(file))
    ]


@contextmanager
def shown_line(files: Sequence[FormattedFile]) -> Iterator[None]:
    """Adds the text of the line to a refusal that names one."""
    try:
        yield
    except UnclearError as error:
        place = {(file.name, file.part.name): file for file in files}
        file = place.get((error.proof.file, error.proof.part))
        text = line_text(file, error.line) if file else None
        raise InputError(f"{error}. The line is: {text}" if text else str(error)) from None
