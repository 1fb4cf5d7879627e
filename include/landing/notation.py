"""How dates and numbers are written: what the landed files prove, and what is in force.

The order of day and month, and the mark of decimals, are properties of a format in a lake. Either the format
states them, or its files prove them. A proof against what is in force is refused, and so is a text that can
be read both ways while nothing proves one. Workbooks hold numbers as numbers: they are a case of their own.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from include.errors import InputError
from include.landing.evidence import (
    EITHER_AMOUNT,
    EITHER_MARK,
    EITHER_ORDER,
    HALF_CONVERTED,
    LINE_AMOUNT,
    LINE_PRICE,
    OTHER_HEADER,
    UNIT_PRICE,
    YEAR_FIRST_OF_TWO,
    Notation,
)
from include.landing.formats import FormattedFile
from include.shop_formats import DateOrder, Decimals, ShopFormat

ORDERS: tuple[DateOrder, ...] = get_args(DateOrder)
MARKS: tuple[Decimals, ...] = get_args(Decimals)
Key = Literal["date_order", "decimals"]
EITHER: dict[Key, str] = {"date_order": EITHER_ORDER, "decimals": EITHER_MARK}
CHOICES: dict[Key, tuple[str, ...]] = {"date_order": ORDERS, "decimals": MARKS}
IN_WORDS = {
    "day_first": "the day first", "month_first": "the month first",
    "point": "a decimal point", "comma": "a decimal comma",
}  # fmt: skip
PROOF_IN_WORDS = re.compile(r" \((line [0-9]+|as stated or as other files prove)\)")
ANOTHER_HEADER = (
    "a header with the columns at other places than in the first one. Nothing was read. Divide the file "
    "there, or set it aside"
)
DOUBTFUL_DATES = {
    YEAR_FIRST_OF_TWO: "the dates seem to begin with the year. Nothing was read. Say `date_patterns: "
    "[yy-MM-dd]`, or `date_order: day_first` if they begin with the day, in",
    HALF_CONVERTED: "a spreadsheet seems to have taken the day of this date for its month: days up to 12 are "
    "dates, and later ones are text. Nothing was read. Export it again, or say date_order if it is right, in",
}
PRICE_OF_LINE = (
    "the price of several pieces is their amount too, in all such lines. It is the price of the line, and "
    "would count once for each piece. Nothing was read. Leave unit_price out of the columns in"
)
AMOUNT_OF_ORDER = (
    "the lines of an order have one amount, in all orders of several lines. It looks like the total of the "
    "order, and would count once for each line. Nothing was read. Export one line for each order, or the "
    "amounts of the lines. If they are such amounts, say `amount_is: line` in"
)
WHAT: dict[Key, str] = {"date_order": "date", "decimals": "number"}

Context = tuple[str, bool]  # the name of a format, and whether it is of workbooks


@dataclass(frozen=True)
class Proof:
    """What a part of a landed file is evidence of."""

    file: str
    part: str | None
    context: Context
    found: tuple[tuple[str, int], ...]  # what it is evidence of, and the first such line

    @property
    def lines(self) -> Mapping[str, int]:
        return dict(self.found)

    @property
    def place(self) -> str:
        return f"{self.file}, {self.part}" if self.part else self.file


class UnclearError(InputError):
    """A line that contradicts what is in force, or can be read both ways."""

    def __init__(self, message: str, proof: Proof, line: int) -> None:
        super().__init__(message)
        self.proof, self.line = proof, line


def unclear(proof: Proof, word: str, problem: str) -> UnclearError:
    """The refusal of the first line that is evidence of something."""
    line = proof.lines[word]
    return UnclearError(f"{proof.place}: line {line}: {problem}", proof, line)


def yaml_of(proof: Proof) -> str:
    return f"formats/{proof.context[0]}.yaml"


def context_of(file: FormattedFile) -> Context | None:
    header = file.format.header
    return (header.shop.name, file.part.kind == "sheet") if header else None


def notations(proofs: Iterable[Proof], shops: Iterable[ShopFormat]) -> dict[Context, Notation]:
    """What is in force for each format, as stated or proven.

    Raises UnclearError where proofs contradict each other, or what is stated.
    """
    by_context: dict[Context, list[Proof]] = {}
    for proof in proofs:
        by_context.setdefault(proof.context, []).append(proof)
    shop_by_name = {shop.name: shop for shop in shops}
    return {
        context: Notation(
            date_order=in_force("date_order", found, shop_by_name[context[0]]),  # type: ignore[arg-type]
            decimals=in_force("decimals", found, shop_by_name[context[0]]),  # type: ignore[arg-type]
        )
        for context, found in by_context.items()
        if context[0] in shop_by_name
    }


def in_force(key: Key, proofs: Iterable[Proof], shop: ShopFormat) -> str | None:
    """The stated choice, or the proven one; None where there is neither."""
    stated: str = getattr(shop, key)
    first: dict[str, Proof] = {}
    for proof in proofs:
        for choice in CHOICES[key]:
            if choice in proof.lines:
                first.setdefault(choice, proof)
    is_sheet = any(proof.context[1] for proof in first.values())
    if stated != "auto" and not (is_sheet and key == "decimals"):
        for choice, proof in first.items():
            if choice != stated:
                raise unclear(proof, choice, against_stated(key, choice, shop))
        return stated
    if len(first) > 1:
        choice, last = list(first.items())[-1]
        raise UnclearError(contradiction(key, first, shop), last, last.lines[choice])
    return next(iter(first), None)


def check_nothing_is_open(proofs: Iterable[Proof], in_force: Mapping[Context, Notation]) -> None:
    """Raises UnclearError for the first text that can be read both ways while nothing says which one."""
    for proof in proofs:
        notation = in_force.get(proof.context, Notation())
        for key, either in EITHER.items():
            if either in proof.lines and getattr(notation, key) is None:
                raise unclear(proof, either, ambiguity(key, proof))


def check_rows(proofs: Iterable[Proof], shops: Iterable[ShopFormat]) -> None:
    """Raises UnclearError for a row that is another header, since the lines below it would be read by the
    first; and for dates that seem to be something else than they say."""
    stated = {shop.name for shop in shops if shop.date_order != "auto"}
    for proof in proofs:
        if OTHER_HEADER in proof.lines:
            raise unclear(proof, OTHER_HEADER, ANOTHER_HEADER)
        for doubtful, problem in DOUBTFUL_DATES.items():
            if doubtful in proof.lines and proof.context[0] not in stated:
                raise unclear(proof, doubtful, f"{problem} {yaml_of(proof)}")


def check_amounts(proofs: Sequence[Proof], shops: Iterable[ShopFormat]) -> None:
    """Raises UnclearError where a price or an amount would count several times."""
    stated = {shop.name for shop in shops if shop.amount_is == "line"}
    check_unless_proven(proofs, LINE_PRICE, UNIT_PRICE, PRICE_OF_LINE)
    unstated = [proof for proof in proofs if proof.context[0] not in stated]
    check_unless_proven(unstated, EITHER_AMOUNT, LINE_AMOUNT, AMOUNT_OF_ORDER)


def check_unless_proven(proofs: Sequence[Proof], doubtful: str, proven: str, problem: str) -> None:
    """Raises UnclearError for the first doubtful line of a format of which no line proves the usual."""
    clear = {proof.context for proof in proofs if proven in proof.lines}
    for proof in proofs:
        if doubtful in proof.lines and proof.context not in clear:
            raise unclear(proof, doubtful, f"{problem} {yaml_of(proof)}")


def unproven(read: Mapping[Proof, Notation], in_force: Mapping[Context, Notation]) -> set[str]:
    """The files that were read in a way which they do not prove themselves, and which is not in force now."""
    return {
        proof.file
        for proof, notation in read.items()
        if depends_on_others(proof, notation, in_force.get(proof.context, Notation()))
    }


def depends_on_others(proof: Proof, notation: Notation, now: Notation) -> bool:
    lines = proof.lines
    return any(
        either in lines
        and not lines.keys() & set(CHOICES[key])
        and getattr(notation, key) != getattr(now, key)
        for key, either in EITHER.items()
    )


def notation_of(file: FormattedFile, proofs: Mapping[str, int]) -> Notation:
    """How the dates and numbers of a part were read, as far as it has some that show it."""
    notation = file.format.notation
    return Notation(
        date_order=notation.date_order if proofs.keys() & {EITHER_ORDER, *ORDERS} else None,
        decimals=notation.decimals if proofs.keys() & {EITHER_MARK, *MARKS} else None,
    )


def against_stated(key: Key, choice: str, shop: ShopFormat) -> str:
    stated: str = getattr(shop, key)
    return (
        f"the {WHAT[key]} is written with {IN_WORDS[choice]}, but "
        f"formats/{shop.name}.yaml says {key}: {stated}. Nothing was read. Correct the file or set it aside, "
        f"or say `{key}: {choice}` if all files of this format are written so"
    )


def contradiction(key: Key, first: Mapping[str, Proof], shop: ShopFormat) -> str:
    places = " and ".join(
        f"{proof.place}, line {proof.lines[choice]}, has {IN_WORDS[choice]}"
        for choice, proof in first.items()
    )
    one, other = list(first)[:2]
    return (
        f"{places}: {WHAT[key]}s of the format {shop.name} must be written in one way. Nothing was read. "
        f"Correct one of the files or set it aside, or say which is right in formats/{shop.name}.yaml: "
        f"`{key}: {one}` or `{key}: {other}`"
    )


def ambiguity(key: Key, proof: Proof) -> str:
    one, other = CHOICES[key]
    return (
        f"the {WHAT[key]} can be read with {IN_WORDS[one]} and "
        f"with {IN_WORDS[other]}, and no landed file of the format {proof.context[0]} proves either. Nothing "
        f"was read. Say which in {yaml_of(proof)}: `{key}: {one}` or `{key}: {other}`"
    )


def in_words(file: FormattedFile, proofs: Mapping[str, int]) -> str:
    """How a part of a file is read, for people; with the order of its dates and the mark of its decimals, and
    the line that proves it."""
    words = [file.in_words]
    for key, either in EITHER.items():
        choice: str | None = getattr(file.format.notation, key)
        if choice and choice in proofs:
            words.append(f"{IN_WORDS[choice]} (line {proofs[choice]})")
        elif choice and either in proofs:
            words.append(f"{IN_WORDS[choice]} (as stated or as other files prove)")
    return ", ".join(words)


def without_proofs(words: str) -> str:
    """How a file is read, without what proves it: equal for files that are read alike."""
    return PROOF_IN_WORDS.sub("", words)
