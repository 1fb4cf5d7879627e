"""Commits: of two results the one from the newer state of the landing folder is current, and always whole."""

import json
import logging
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from include.errors import InputError
from include.lake.commit import (
    alive,
    attempt,
    commit_batch,
    commit_manifest,
    neighbours,
    next_number,
    point_latest,
    share_content,
)
from include.lake.manifest import IngestedManifest, read_ingested
from include.lake.paths import Lake
from include.pipeline import PROJECT
from tests.unit.lake.results import DAY, publish_text, published_text

# -- versions -----------------------------------------------------------------------------------


def test_the_link_shows_the_new_version(lake: Lake) -> None:
    publish_text(lake, "one", landing_version=1)
    publish_text(lake, "two", landing_version=1)
    assert published_text(lake) == "two"


def test_readers_keep_the_version_before_as_it_was(lake: Lake) -> None:
    publish_text(lake, "one", landing_version=1)
    before = lake.published(DAY).resolve()
    publish_text(lake, "two", landing_version=1)
    assert (before / "file").read_text() == "one"


def test_a_version_from_an_older_state_of_the_landing_folder_never_replaces_a_newer_one(lake: Lake) -> None:
    publish_text(lake, "newer", landing_version=2)
    assert not publish_text(lake, "older, and late to finish", landing_version=1, number=9)
    assert published_text(lake) == "newer"


def test_an_earlier_attempt_never_replaces_a_later_one(lake: Lake) -> None:
    publish_text(lake, "later", landing_version=1, number=5)
    assert not publish_text(lake, "an orphan's", landing_version=1, number=4)
    assert published_text(lake) == "later"


def test_a_version_without_a_readable_record_is_replaced_with_a_warning(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    publish_text(lake, "damaged", landing_version=9)
    (lake.published(DAY) / "run.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        assert publish_text(lake, "whole", landing_version=1)
    assert published_text(lake) == "whole"
    assert "had no readable run.json and is replaced" in caplog.text


def test_a_version_of_a_later_format_keeps_its_place(lake: Lake) -> None:
    publish_text(lake, "by later code", landing_version=9)
    record = {"format": 2, "listing": 9, "attempt": 1, "more": {}}
    (lake.published(DAY) / "run.json").write_text(json.dumps(record))
    assert not publish_text(lake, "by this code", landing_version=8)
    assert published_text(lake) == "by later code"


def test_latest_points_to_the_newest_date(lake: Lake) -> None:
    publish_text(lake, "new", landing_version=1)
    publish_text(lake, "old, and published later", landing_version=1, as_of=date(2011, 1, 1))
    point_latest(lake)
    assert (lake.latest / "file").read_text() == "new"


def test_links_hold_where_the_lake_has_been_moved(lake: Lake, tmp_path: Path) -> None:
    publish_text(lake, "new", landing_version=1)
    point_latest(lake)
    lake.root.rename(tmp_path / "moved")
    assert (tmp_path / "moved" / "published" / "latest" / "file").read_text() == "new"


# -- manifests ----------------------------------------------------------------------------------


def test_a_manifest_from_an_older_state_of_the_landing_folder_never_replaces_a_newer_one(lake: Lake) -> None:
    stage = lake.ingested("f")
    newer = IngestedManifest(landing_version=2)
    commit_manifest(lake, stage, newer)
    assert commit_manifest(lake, stage, IngestedManifest(landing_version=1)) == newer
    assert read_ingested(stage) == newer


# -- numbers ------------------------------------------------------------------------------------


def test_numbers_go_up_even_when_the_counter_is_lost(lake: Lake) -> None:
    first = next_number(lake)
    commit_manifest(lake, lake.ingested("f"), IngestedManifest(landing_version=first + 5))
    (lake.root / ".listing").unlink()
    assert next_number(lake) == first + 6


def test_a_lake_with_nothing_but_its_published_part_goes_on_from_its_numbers(lake: Lake) -> None:
    publish_text(lake, "old", landing_version=7, number=9)
    (lake.root / ".listing").unlink(missing_ok=True)
    assert next_number(lake) == 10
    assert publish_text(lake, "new", landing_version=10)
    assert published_text(lake) == "new"


# -- names --------------------------------------------------------------------------------------


def test_no_batch_has_a_name_that_is_a_number(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spark tries each name of a partition as a decimal: `batch=5e0303718880` kept it busy for ever."""
    monkeypatch.setattr("uuid.uuid4", lambda: uuid.UUID("5e030371-8880-4000-8000-000000000000"))
    written = lake.root / "written"
    written.mkdir(parents=True)
    batch = commit_batch(written, lake.ingested("f"))
    with pytest.raises(ArithmeticError):
        Decimal(batch)


# -- content that snapshots share ---------------------------------------------------------------


def with_rejects(lake: Lake, day: date, text: str) -> Path:
    """A published snapshot with this rejects.csv, whose folder is returned."""
    folder = lake.published(day)
    folder.mkdir(parents=True)
    (folder / "rejects.csv").write_text(text)
    return folder


def test_a_file_is_shared_with_a_neighbour_of_the_same_content(lake: Lake) -> None:
    """Those further away are not looked at."""
    days = [date(2011, 12, day) for day in (7, 8, 10, 12)]
    texts = ["same", "other", "also another", "same"]
    found = [with_rejects(lake, day, text) for day, text in zip(days, texts, strict=True)]
    new = lake.root / "rejects.csv"
    new.write_text("same")
    assert neighbours(lake.published(date(2011, 12, 11))) == found[2:]
    assert neighbours(found[1]) == found[:3]
    share_content(new, [folder / "rejects.csv" for folder in found[1:]])
    assert new.samefile(found[3] / "rejects.csv")
    assert new.read_text() == "same"


def test_a_file_unlike_its_neighbours_stays_its_own(lake: Lake) -> None:
    other = with_rejects(lake, date(2011, 12, 9), "abc") / "rejects.csv"
    new = lake.root / "rejects.csv"
    new.write_text("abd")
    share_content(new, [other, lake.root / "gone"])
    assert not new.samefile(other)
    assert new.read_text() == "abd"


# -- the life of a job --------------------------------------------------------------------------


@contextmanager
def another_job(lake: Lake) -> Iterator[None]:
    """A process that is alive in the lake, as a job is."""
    code = (
        "import sys; from pathlib import Path\n"
        "from include.lake.commit import alive; from include.lake.paths import Lake\n"
        "with alive(Lake(Path(sys.argv[1]))): print('in', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(lake.root)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=PROJECT) as other:
        assert other.stdin and other.stdout
        assert other.stdout.readline() == b"in\n"
        yield
        other.stdin.close()
        assert other.wait(20) == 0


def test_the_last_job_to_leave_vacuums_and_none_before_it(lake: Lake) -> None:
    left = lake.attempts / "of another job"
    left.mkdir(parents=True)
    with another_job(lake):
        with alive(lake):
            pass
        assert left.exists()
    assert not left.exists()


def test_the_error_of_a_job_is_raised_while_another_job_is_alive(lake: Lake) -> None:
    """It was lost once, and the job seemed to have ended well."""
    lake.root.mkdir(exist_ok=True)
    with another_job(lake), pytest.raises(InputError, match="bad data"), alive(lake):
        raise InputError("bad data")


def test_left_overs_that_cannot_be_removed_do_not_fail_the_job(
    lake: Lake, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(lake: Lake) -> None:
        raise OSError("read-only file system")

    monkeypatch.setattr("include.lake.commit.vacuum", fail)
    with caplog.at_level(logging.WARNING), alive(lake):
        pass
    assert "left-overs could not be removed: read-only file system" in caplog.text


def test_the_folder_of_an_attempt_is_removed_when_it_fails(lake: Lake) -> None:
    with pytest.raises(InputError), attempt(lake, "rfm") as folder:
        (folder / "half").write_text("of a result")
        raise InputError("bad data")
    assert not folder.exists()
