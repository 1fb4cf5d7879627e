"""Why a customer has a segment, and what would change it.

The scores are those of spark_jobs/segment.py, for one customer:

    score   1 + the number of cut points below the value; for recency 5 - that number

Everything is against the cut points of one snapshot. The next one has its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

from include.settings import SegmentMap

SCORES = range(1, 6)
CutPoints = Mapping[str, Sequence[Decimal]]
SMALLEST = {"frequency": Decimal(1), "monetary": Decimal("0.01")}  # steps of the values


@dataclass(frozen=True)
class Values:
    recency_days: int
    frequency: int
    monetary: Decimal


@dataclass(frozen=True)
class Lift:
    """What brings a customer into a better segment: one more order at least, today."""

    segment: str
    code: str
    more_orders: int
    more_spend: Decimal


@dataclass(frozen=True)
class Fall:
    """The segment that a customer comes into by buying nothing for some more days."""

    segment: str
    code: str
    days: int


def score(metric: str, value: Decimal | int, cuts: CutPoints) -> int:
    below = sum(cut < value for cut in cuts[metric])
    return 5 - below if metric == "recency_days" else 1 + below


def score_range(metric: str, number: int, cuts: CutPoints) -> tuple[Decimal | None, Decimal | None]:
    """The values that have a score: more than the first, up to the second. None: without a limit."""
    bounds = [None, *cuts[metric], None]
    place = 5 - number if metric == "recency_days" else number - 1
    return bounds[place], bounds[place + 1]


def code(values: Values, cuts: CutPoints) -> str:
    return "".join(str(score(metric, value, cuts)) for metric, value in vars(values).items())


def lifts(values: Values, cuts: CutPoints, segment_map: SegmentMap) -> list[Lift]:
    """For each better segment that orders can lead to, the fewest orders and the least spend that do; the
    nearest segment first."""
    segments, names = segment_map.by_code, segment_map.names
    better = names[: names.index(segments[code(values, cuts)])]
    recency = score("recency_days", 1, cuts)  # who buys bought a day ago, as of tomorrow
    found: dict[str, Lift] = {}
    for f, m in product(SCORES, SCORES):
        orders = least_more("frequency", f, values.frequency, cuts, at_least=Decimal(1))
        spend = least_more("monetary", m, values.monetary, cuts, at_least=Decimal(0))
        target = f"{recency}{f}{m}"
        if orders is not None and spend is not None and segments[target] in better:
            lift = Lift(segments[target], target, int(orders), spend)
            best = found.setdefault(lift.segment, lift)
            found[lift.segment] = min(best, lift, key=lambda one: (one.more_orders, one.more_spend))
    return [found[name] for name in reversed(better) if name in found]


def least_more(
    metric: str, number: int, value: Decimal | int, cuts: CutPoints, *, at_least: Decimal
) -> Decimal | None:
    """How much must be added to a value, `at_least` anyway, for it to have a score. None where that score is
    below the value's, or no value has it."""
    above, _ = score_range(metric, number, cuts)
    least = value + at_least
    if above is not None and above >= least:
        least = above + SMALLEST[metric]
    return Decimal(least - value) if score(metric, least, cuts) == number else None


def falls(values: Values, cuts: CutPoints, segment_map: SegmentMap) -> list[Fall]:
    """The segments to come while nothing is bought, the next one first."""
    own = code(values, cuts)
    segments, found = segment_map.by_code, list[Fall]()
    before = segments[own]
    for cut in sorted(set(cuts["recency_days"])):
        if cut < values.recency_days:
            continue
        later = f"{score('recency_days', cut + 1, cuts)}{own[1:]}"
        if segments[later] != before:
            found.append(Fall(segments[later], later, int(cut) + 1 - values.recency_days))
            before = segments[later]
    return found
