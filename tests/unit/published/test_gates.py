"""Whether a snapshot may be published, on a lake of two landed files."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from include.errors import InputError
from include.lake.manifest import BatchedFiles, CleanedFile, CleanedManifest, FileEntry, IngestedFile
from include.lake.paths import Lake, batch_folder
from include.lake.record import VersionRecord, input_files
from include.lake.state import StageRecord
from include.published.figures import CustomerFigures
from include.published.gates import Candidate, check_somebody_counts, pass_gates
from include.settings import RunConfig
from tests.unit.published.small_lake import write_orders

CUSTOMERS = CustomerFigures(2, 1, 3, ("1", 2), Decimal(9), ("1", Decimal(8)), {}, set())
MODIFIED = 1_300_000_000 * 10**9  # 13 March 2011, 07:06
COLUMNS = {
    "file": pl.String,
    "part": pl.String,
    "line": pl.Int64,
    "raw": pl.String,
    "invoice_no": pl.String,
    "quantity": pl.Int64,
    "invoice_date": pl.Datetime,
    "customer_id": pl.String,
    "reason": pl.String,
}


def write_lines(folder: Path, *lines: dict[str, Any]) -> None:
    """Lines of one outcome and type, as `ingest` and `clean` leave them."""
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(list(lines), schema=COLUMNS).write_parquet(folder / "part.parquet")


def record(rows_in: int, rows_out: int) -> StageRecord:
    return StageRecord(
        rows_in=rows_in,
        rows_out=rows_out,
        rejects={"all": rows_in - rows_out},
        seconds=1.0,
        started="2011-12-10T04:00:00+00:00",
        dag_run="a run",
        application_id=None,
    )


Make = Callable[..., Candidate]


@pytest.fixture
def make(tmp_path: Path, config: RunConfig) -> Make:
    """A candidate of good.csv, of which three lines are kept, and of a file with these rejects."""

    def made(rejects: dict[str, int], newest: datetime | None = None, customers: int = 2) -> Candidate:
        ingested, cleaned = {}, {}
        for name, kept, why in (("good.csv", 3, {}), ("other.csv", 0, rejects)):
            rows = kept + sum(why.values())
            ingested[name] = IngestedFile(
                batch="i1",
                size=1,
                modified=MODIFIED,
                rows=rows,
                kept=rows,
                rejects={},
                read_as="csv",
                newest=newest,
            )
            cleaned[name] = CleanedFile(
                batch="c1", ingested_batch="i1", kept=kept, rejects=why, countries=[], needs_decimal=False
            )
        manifest = CleanedManifest(
            files=cleaned,
            orders=BatchedFiles[FileEntry](files={"shop/1.csv": FileEntry(batch="b1")}),
            ingested=BatchedFiles[IngestedFile](files=ingested),
        )
        made_by = VersionRecord(
            landing_version=1,
            attempt=1,
            stages={"clean": record(9, 3), "segment": record(customers, customers)},
            fingerprint="f",
            cleaned=manifest,
        )
        return Candidate(Lake(tmp_path), date(2011, 9, 1), config.settings, made_by, input_files(manifest))

    return made


def stage(candidate: Candidate, name: str) -> Path:
    """The batch of one of the two stages."""
    lake, settings = candidate.lake, candidate.settings
    if name == "ingested":
        return batch_folder(lake.ingested(settings.ingest_fingerprint), "i1")
    return batch_folder(lake.cleaned(settings.clean_fingerprint), "c1")


def test_a_snapshot_without_a_fault_passes(make: Make) -> None:
    candidate = make({"missing_customer": 1})
    check_somebody_counts(candidate)
    candidate = replace(candidate, files={"good.csv": candidate.files["good.csv"]})
    assert pass_gates(candidate, CUSTOMERS, anyway=False) == []


def test_a_bad_file_is_refused_with_its_first_line(make: Make) -> None:
    """A line of another file, one of another reason, and a later one are not taken."""
    candidate = make({"unknown_invoice_type": 2})
    write_lines(
        stage(candidate, "cleaned") / "outcome=rejected" / "kind=other",
        {"file": "good.csv", "line": 2, "raw": "of another file", "reason": "unknown_invoice_type"},
        {"file": "other.csv", "line": 2, "raw": "of another reason", "reason": "price_not_positive"},
        {"file": "other.csv", "line": 9, "raw": "later", "reason": "unknown_invoice_type"},
        {
            "file": "other.csv",
            "line": 3,
            "raw": "A1,x",
            "invoice_no": "A1",
            "reason": "unknown_invoice_type",
        },
    )
    with pytest.raises(InputError, match=r"^2 of 2 lines .* Nothing was published\. For example") as refused:
        pass_gates(candidate, CUSTOMERS, anyway=False)
    assert 'For example other.csv line 3, read as csv: "A1,x".' in str(refused.value)
    assert "`purchase_invoices: 'A[0-9]+'`" in str(refused.value)


def test_a_type_that_is_rejected_as_a_whole_has_an_example_too(make: Make) -> None:
    candidate = make({"missing_customer": 2})
    folder = stage(candidate, "cleaned") / "outcome=rejected" / "kind=missing_customer"
    write_lines(folder, {"file": "other.csv", "line": 2, "raw": "536365,,"})
    with pytest.raises(InputError, match=r'other\.csv line 2, read as csv: "536365,,"'):
        pass_gates(candidate, CUSTOMERS, anyway=False)


def test_a_run_that_publishes_anyway_says_what_it_let_through(make: Make) -> None:
    assert pass_gates(make({"unknown_invoice_type": 2}), CUSTOMERS, anyway=True) == [
        "published anyway: 2 of 2 lines (100.0%) of other.csv are rejected as unknown_invoice_type, and no "
        "line is kept"
    ]


def test_a_line_dated_after_its_file_is_refused_and_shown(make: Make) -> None:
    """The lake has no text of kept lines, so it is read from the landed file."""
    candidate = make({"missing_customer": 0}, datetime.fromisoformat("2011-12-03 08:00"))
    candidate.lake.landing.mkdir()
    dates = {3: "2011-03-12 08:00", 4: "2011-12-03 08:00", 5: "2011-03-13 08:00"}
    write_lines(
        stage(candidate, "ingested") / "outcome=kept" / "kind=purchase",
        *[
            {"file": "good.csv", "line": number, "invoice_date": datetime.fromisoformat(day)}
            for number, day in dates.items()
        ],
    )
    (candidate.lake.landing / "good.csv").write_bytes("A\r\n\r\nB\r\né,12/3/2011 8:00\r\nC".encode())
    with pytest.raises(InputError, match=r'good\.csv line 4, read as csv: "é,12/3/2011 8:00"\.') as refused:
        pass_gates(candidate, CUSTOMERS, anyway=False)
    assert "`latest_date: 2011-03-13`" in str(refused.value)


def test_a_cancellation_that_was_added_is_refused_and_shown(make: Make) -> None:
    candidate = make({"missing_customer": 0})
    folder = stage(candidate, "ingested") / "outcome=kept"
    write_lines(
        folder / "kind=cancellation",
        {"file": "good.csv", "line": 2, "raw": "C1,-1", "quantity": -1, "customer_id": "17850"},
        {"file": "good.csv", "line": 3, "raw": "C1,3", "quantity": 3, "customer_id": "17850"},
    )
    write_lines(
        folder / "kind=purchase",
        {"file": "good.csv", "line": 1, "raw": "1,1", "quantity": 1, "customer_id": "17850"},
    )
    negative = replace(CUSTOMERS, less_than_nothing={"17850": Decimal("-7.50")})
    with pytest.raises(InputError, match=r'^returned is -7\.50 for customer 17850.*line 3.*: "C1,3"'):
        pass_gates(candidate, negative, anyway=False)


def test_a_line_that_the_lake_no_longer_has_is_not_shown(make: Make) -> None:
    with pytest.raises(InputError, match=r"Nothing was published\. What would fit"):
        pass_gates(make({"zero_byte": 2}), CUSTOMERS, anyway=False)


@pytest.mark.parametrize("name", ["good.csv.gz", "good.tsv"])
def test_another_currency_is_refused_and_shown(make: Make, name: str) -> None:
    candidate = make({"missing_customer": 0})
    files = {name: candidate.files["good.csv"].model_copy(update={"values": {"Currency": ["GBP", "JPY"]}})}
    entries = BatchedFiles[IngestedFile](files={name: candidate.made_by.cleaned.ingested.files["good.csv"]})
    cleaned = candidate.made_by.cleaned.model_copy(update={"ingested": entries})
    candidate = replace(
        candidate, files=files, made_by=candidate.made_by.model_copy(update={"cleaned": cleaned})
    )
    candidate.lake.landing.mkdir()
    opened = gzip.open if name.endswith(".gz") else open
    with opened(candidate.lake.landing / name, "wt", encoding="utf-16") as file:
        file.write("Invoice,Currency\n1,GBP\n2,JPY\n3,JPY\n")
    with pytest.raises(
        InputError, match=r'^2 currencies .* line 3, read as csv: "2,JPY"\. What would fit: `only'
    ):
        pass_gates(candidate, CUSTOMERS, anyway=False)


# -- an empty snapshot --------------------------------------------------------------------------


def test_a_shop_of_which_nothing_is_kept_is_refused(make: Make) -> None:
    candidate = make({"unknown_invoice_type": 6})
    made_by = candidate.made_by.model_copy(update={"stages": {"clean": record(6, 0)}})
    with pytest.raises(InputError, match=r"^no line is kept of the 6 landed lines: unknown_invoice_type 6"):
        check_somebody_counts(replace(candidate, made_by=made_by))


def test_a_date_without_customers_is_refused_with_one_that_has_some(make: Make, config: RunConfig) -> None:
    """The first order of shop/1.csv is of 1 September 2011."""
    candidate = make({"missing_customer": 1}, customers=0)
    write_orders(candidate.lake, config)
    with pytest.raises(InputError, match=r"as of 2011-09-01 nobody counts\..* run it as of 2011-09-02"):
        check_somebody_counts(candidate)
