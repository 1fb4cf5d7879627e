"""What is in force for dates and numbers: stated, proven, or refused."""

from collections.abc import Mapping

import pytest

from include.landing.evidence import Notation
from include.landing.notation import Context, Proof, UnclearError, check_nothing_is_open, notations, unproven
from include.settings import RunConfig
from include.shop_formats import ShopFormat

SHOP: Context = ("online-retail", False)
WORKBOOKS: Context = ("online-retail", True)


def proof(file: str, context: Context = SHOP, **lines: int) -> Proof:
    return Proof(file, None, context, tuple(lines.items()))


@pytest.fixture
def shop(config: RunConfig) -> ShopFormat:
    return config.settings.landing.formats[0]


def in_force(*proofs: Proof, shop: ShopFormat, **stated: str) -> Mapping[Context, Notation]:
    return notations(proofs, [shop.model_copy(update=stated)])


def test_one_file_proves_it_for_all_of_its_format(shop: ShopFormat) -> None:
    a, b = proof("a.csv", either_order=2, day_first=7, point=2), proof("b.csv", either_order=2)
    found = in_force(a, b, shop=shop)
    assert found == {SHOP: Notation("day_first", "point")}
    check_nothing_is_open([a, b], found)


def test_what_can_be_read_both_ways_and_nothing_proves_is_refused_with_the_line_and_the_key(
    shop: ShopFormat,
) -> None:
    open_date, open_number = proof("a.csv", either_order=3, point=2), proof("b.csv", either_mark=4)
    with pytest.raises(
        UnclearError, match=r"a\.csv: line 3: the date can .*`date_order: day_first` or"
    ) as date:
        check_nothing_is_open([open_date], in_force(open_date, shop=shop))
    assert date.value.line == 3
    with pytest.raises(
        UnclearError, match=r"b\.csv: line 4: .*formats/online-retail.yaml: `decimals: point`"
    ):
        check_nothing_is_open([open_number], in_force(open_number, shop=shop))


def test_proofs_that_contradict_each_other_are_refused_with_both_places(shop: ShopFormat) -> None:
    with pytest.raises(
        UnclearError, match=r"a\.csv, line 7, has the day first and b\.csv, line 9, has the month"
    ):
        in_force(proof("a.csv", day_first=7), proof("b.csv", month_first=9), shop=shop)
    with pytest.raises(UnclearError, match=r"`decimals: point` or `decimals: comma`"):
        in_force(proof("a.csv", point=7, comma=9), shop=shop)


def test_what_is_stated_holds_without_a_proof_and_against_none(shop: ShopFormat) -> None:
    ambiguous = proof("a.csv", either_order=2)
    found = in_force(ambiguous, shop=shop, date_order="month_first")
    check_nothing_is_open([ambiguous], found)
    with pytest.raises(
        UnclearError, match=r"a\.csv: line 7: .* the day first, but .* date_order: month_first"
    ):
        in_force(proof("a.csv", day_first=7), shop=shop, date_order="month_first")


def test_workbooks_have_their_numbers_as_numbers_whatever_the_texts_of_the_format_have(
    shop: ShopFormat,
) -> None:
    text, book = proof("a.csv", comma=2), proof("b.xlsx", WORKBOOKS, point=2)
    found = in_force(text, book, shop=shop)
    assert (found[SHOP].decimals, found[WORKBOOKS].decimals) == ("comma", "point")
    stated = in_force(text, book, shop=shop, decimals="comma")
    assert (stated[SHOP].decimals, stated[WORKBOOKS].decimals) == ("comma", "point")


def test_a_file_that_only_another_one_had_proven_is_read_again_once_that_is_gone(shop: ShopFormat) -> None:
    a, b, c = proof("a.csv", day_first=7), proof("b.csv", either_order=2), proof("c.csv")
    read = dict.fromkeys([a, b, c], Notation("day_first"))
    assert unproven(read, in_force(a, b, c, shop=shop)) == set()
    assert unproven({b: read[b], c: read[c]}, in_force(b, c, shop=shop)) == {"b.csv"}
    assert unproven({b: read[b]}, in_force(b, shop=shop, date_order="day_first")) == set()
