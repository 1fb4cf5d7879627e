"""What must hold before a snapshot is published.

Two kinds of checks raise an error: the counts of the tasks reconcile, and somebody counts. The others are
gates, and return refusals. A run with `publish_anyway` publishes all the same, with the refusals as warnings.

- Too many lines are rejected: of all landed lines, or of the lines of a file that is new. The share of each
  reason counts as far as it is above its `reject_baseline`; all reasons together may have
  `reject_threshold`. A file of fewer than 100 lines is refused where no line of it is kept. What the
  configuration leaves out is no fault, and a few lines without a header are no export of orders.
- Amounts are in several currencies.
- A kept line is dated more than a day after its file was modified.
- A customer has taken back less than nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from include.errors import InputError, OutdatedError
from include.lake.record import InputFile
from include.lake.state import Stages, reconcile
from include.published.examples import Only, Refusal
from include.published.orders import PurchaseDays
from include.settings import Segmentation

NO_FAULT = {
    *["excluded_stock_code", "order_not_counted", "older_delivery", "duplicate_line"],
    *["repeated_header", "total_row"],
}
NO_HEADER = "no_header"
CURRENCY = {"currency", "currencycode"}  # names of columns, without case
FEWEST_LINES = 100  # of fewer lines of a file, a few are too large a share
ROUNDING = 1e-9  # of shares that are added up
NAMES_SHOWN = 3


def check_stages(stages: Stages) -> None:
    """Every stage reconciles, and with the one before."""
    for task, stage in stages.items():
        reconcile(task, stage.rows_in, stage.rows_out, stage.rejects)
    for before, after in [("ingest", "clean"), ("clean", "rfm")]:
        given, taken = stages[before].rows_out, stages[after].rows_in
        if given != taken:
            raise OutdatedError(f"{before} gave {given} lines and {after} took {taken}", clear_from="ingest")


def check_files(files: Mapping[str, InputFile]) -> None:
    """Every line of each landed file is either kept or rejected."""
    for name, file in files.items():
        reconcile(f"ingest of {name}", file.rows, file.kept, file.rejects)
        reconcile(f"clean of {name}", file.kept, file.clean.kept, file.clean.rejects)


def nothing_kept(files: Mapping[str, InputFile]) -> Refusal:
    """The refusal of a snapshot without a kept line. What the configuration leaves out is named, too."""
    reasons = sum((file.all_rejects for file in files.values()), Counter[str]())
    counted = ", ".join(f"{reason} {count:,}" for reason, count in most_first(reasons))
    worst, count = most_first(reasons)[0]
    file = max(files, key=lambda name: files[name].all_rejects[worst])
    problem = f"no line is kept of the {reasons.total():,} landed lines: {counted}"
    return Refusal(problem, file, worst, count / reasons.total())


def nobody_counts(as_of: date, lookback_days: int | None, days: PurchaseDays | None) -> InputError:
    """The error of a snapshot without a customer, though lines are kept."""
    if days is None:
        return InputError(
            f"as of {as_of} nobody counts: no kept line is a purchase. Nothing was published. If these are "
            "no cancellations, correct purchase_invoices and cancellation_invoices in the file's format"
        )
    first, last = days.first + timedelta(days=1), days.last + timedelta(days=lookback_days or 1)
    until = f" up to {last}" if lookback_days else " or later"
    look_back = f" with lookback_days {lookback_days}" if lookback_days else ""
    return InputError(
        f"as of {as_of}{look_back} nobody counts. Nothing was published. The first purchase is of "
        f"{days.first}, invoice {days.invoice_no} in {days.file}, and the last of {days.last}: run it as of "
        f"{first}{until}, such as make run AS_OF={min(last, days.last + timedelta(days=1))}"
    )


# -- rejected lines -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Rejects:
    """The landed lines of some files, and those that are rejected and should not be."""

    lines: int
    kept: int
    faults: Counter[str]  # by reason

    def excess(self, usual: Mapping[str, float]) -> float:
        """The rejected share of the lines, of each reason only what is above its usual share."""
        shares = {reason: count / self.lines for reason, count in self.faults.items()}
        return sum(max(0.0, share - usual.get(reason, 0.0)) for reason, share in shares.items())

    @property
    def worst(self) -> str:
        return most_first(self.faults)[0][0]

    def sentence(self, files: str) -> str:
        count = self.faults.total()
        reasons = ", ".join(f"{reason} {lines:,}" for reason, lines in most_first(self.faults))
        found = f"as {self.worst}" if len(self.faults) == 1 else f"({reasons})"
        return f"{count:,} of {self.lines:,} lines ({count / self.lines:.1%}) of {files} are rejected {found}"


def rejects_of(files: Collection[InputFile]) -> Rejects:
    faults = sum((faults_of(file) for file in files), Counter[str]())
    return Rejects(sum(file.rows for file in files), sum(file.clean.kept for file in files), faults)


def faults_of(file: InputFile) -> Counter[str]:
    rejects = file.all_rejects
    return Counter({reason: count for reason, count in rejects.items() if reason not in NO_FAULT})


def has_too_many(rejects: Rejects, settings: Segmentation) -> bool:
    return rejects.lines > 0 and rejects.excess(settings.usual_rejects) > settings.reject_threshold + ROUNDING


def is_refused(file: InputFile, settings: Segmentation) -> bool:
    """Too many lines of the file are rejected."""
    rejects = rejects_of([file])
    if rejects.lines >= FEWEST_LINES:
        return has_too_many(rejects, settings)
    return has_too_many(rejects, settings) and not rejects.kept and not is_other_table(file)


def is_other_table(file: InputFile) -> bool:
    """A few lines, of which none is the header of orders: a list of something else."""
    return has_no_header(file) and file.rows < FEWEST_LINES


def has_no_header(file: InputFile) -> bool:
    return 0 < file.rows == file.all_rejects[NO_HEADER]


def is_known(name: str, file: InputFile, before: Mapping[str, InputFile]) -> bool:
    """The file was judged for an earlier snapshot, with the same outcome."""
    known = before.get(name)
    return known is not None and known.identity == file.identity and faults_of(known) == faults_of(file)


def reject_refusals(
    files: Mapping[str, InputFile], before: Mapping[str, InputFile], settings: Segmentation
) -> list[Refusal]:
    """Too many rejects, of all landed lines and of the files that are not among those `before`."""
    found = []
    everything = rejects_of(list(files.values()))
    if has_too_many(everything, settings):
        name = "all files" if len(files) > NAMES_SHOWN else shortened(files)
        problem = f"{everything.sentence(name)}, more than {allowed(settings)} allow"
        found.append(reject_refusal(problem, files, everything))
    refused = {
        name: file
        for name, file in files.items()
        if is_refused(file, settings) and not is_known(name, file, before)
    }
    for some in by_worst_reason(refused):
        if found and len(some) == len(files):
            continue  # said already
        rejects = rejects_of(list(some.values()))
        why = f"more than {allowed(settings)} allow" if rejects.kept else "and no line is kept"
        found.append(reject_refusal(f"{rejects.sentence(shortened(some))}, {why}", some, rejects))
    return found


def reject_refusal(problem: str, files: Mapping[str, InputFile], rejects: Rejects) -> Refusal:
    counts = Counter({name: faults_of(file)[rejects.worst] for name, file in files.items()})
    most = most_first(counts)
    share = rejects.faults[rejects.worst] / rejects.lines
    if len(files) > NAMES_SHOWN:
        named = [f"{name} ({lines:,})" for name, lines in most[:NAMES_SHOWN] if lines]
        problem = f"{problem}; most are in {', '.join(named)}"
    return Refusal(problem, most[0][0], rejects.worst, share)


def by_worst_reason(files: Mapping[str, InputFile]) -> list[dict[str, InputFile]]:
    """The files in groups that have the same most frequent reason, the largest group first."""
    groups = defaultdict[str, dict[str, InputFile]](dict)
    for name, file in sorted(files.items()):
        groups[rejects_of([file]).worst][name] = file
    return sorted(groups.values(), key=len, reverse=True)


def most_first(counts: Counter[str]) -> list[tuple[str, int]]:
    """The names with their counts, in an order that does not depend on who counted."""
    return sorted(counts.items(), key=lambda found: (-found[1], found[0]))


def allowed(settings: Segmentation) -> str:
    return f"reject_baseline and reject_threshold ({settings.reject_threshold})"


def shortened(names: Collection[str]) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(list(names)[:NAMES_SHOWN])
    return f"{shown} and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else shown


# -- currencies ---------------------------------------------------------------------------------


def currency_refusals(files: Mapping[str, InputFile]) -> list[Refusal]:
    """Amounts are in more than one currency, so that they cannot be added up."""
    written = dict[str, str]()  # by currency without case
    found, column = defaultdict[str, list[str]](list), ""
    for name, file in sorted(files.items()):
        for column_name, values in (file.values or {}).items():
            if is_currency(column_name):
                column = column or column_name
                for value in values:
                    written.setdefault(value.lower(), value)
                    found[value.lower()].append(name)
    if len(found) < 2:
        return []
    most_first = sorted(found, key=lambda value: (-len(found[value]), value))
    rarest = most_first[-1]
    parts = [f"{written[value]} ({shortened(found[value])})" for value in most_first[:NAMES_SHOWN]]
    problem = f"{len(found)} currencies are in column {column}, {', '.join(parts)}: they cannot be added up"
    only = Only(column, written[most_first[0]], written[rarest])
    return [Refusal(problem, found[rarest][0], "currency", only=only)]


def is_currency(column: str) -> bool:
    return column.lower().replace(" ", "").replace("_", "") in CURRENCY


# -- laws of results ----------------------------------------------------------------------------


def date_refusals(files: Mapping[str, InputFile], time_zone: ZoneInfo) -> list[Refusal]:
    """A kept line is dated more than a day after its file was modified."""
    late = {
        name: (file.newest, modified_at(file, time_zone))
        for name, file in sorted(files.items())
        if file.newest and file.newest > modified_at(file, time_zone) + timedelta(days=1)
    }
    if not late:
        return []
    name, (newest, modified) = max(late.items(), key=lambda found: found[1][0] - found[1][1])
    others = f" ({len(late):,} files have such lines)" if len(late) > 1 else ""
    problem = (
        f"a line of {name} is of {newest:%Y-%m-%d %H:%M}, {(newest - modified).days:,} days after the file "
        f"was modified ({modified:%Y-%m-%d %H:%M}){others}"
    )
    return [Refusal(problem, name, "date")]


def modified_at(file: InputFile, time_zone: ZoneInfo) -> datetime:
    """When the file was modified, as a wall-clock time like those of its lines."""
    return datetime.fromtimestamp(file.modified // 10**9, time_zone).replace(tzinfo=None)


def amount_refusals(returned: Mapping[str, Decimal]) -> list[Refusal]:
    """Customers have taken back less than nothing; `returned` has the amounts of such customers."""
    if not returned:
        return []
    customer, amount = next(iter(returned.items()))
    others = f" and negative for {len(returned) - 1:,} more" if len(returned) > 1 else ""
    problem = f"returned is {amount:,} for customer {customer}{others}: what is taken back was added"
    return [Refusal(problem, None, "amount", customer_id=customer)]
