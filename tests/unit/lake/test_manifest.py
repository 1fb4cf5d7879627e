"""Manifests: which batches hold the lines of which files, and whether they still do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from include.errors import InputError, OutdatedError
from include.lake.commit import commit_manifest
from include.lake.manifest import (
    BatchedFiles,
    CleanedFile,
    CleanedManifest,
    IngestedFile,
    IngestedManifest,
    cleaned_now,
    ingested_now,
    read_cleaned,
    read_ingested,
    read_manifest,
)
from include.lake.paths import Lake, batch_folder
from tests.unit.lake.results import cleaned_file, ingested_file

BATCHED = BatchedFiles[IngestedFile](
    files={"a.csv": ingested_file("one"), "b.csv": ingested_file("one"), "c.csv": ingested_file("two")},
    files_in_batch={"one": 2, "two": 2},  # another file of `two` was replaced
)


def test_a_batch_is_whole_while_all_of_its_files_count() -> None:
    assert BATCHED.batches == {"one", "two"}
    assert BATCHED.whole_batches == {"one"}
    assert BATCHED.of(["a.csv", "c.csv"]).whole_batches == set()


def test_files_are_chosen_by_name_or_by_batch() -> None:
    assert list(BATCHED.of(["c.csv"]).files) == ["c.csv"]
    assert list(BATCHED.in_batches({"one"}).files) == ["a.csv", "b.csv"]


def test_a_batch_is_lost_when_its_folder_is_gone(tmp_path: Path) -> None:
    batch_folder(tmp_path, "one").mkdir()
    assert BATCHED.lost_batches(tmp_path) == {"two"}


def test_a_batch_with_a_name_that_keeps_spark_busy_is_lost_too(tmp_path: Path) -> None:
    """Earlier code made such names, so its lakes may have some."""
    batch_folder(tmp_path, "5e0303718880").mkdir()
    files = BatchedFiles[IngestedFile](files={"a.csv": ingested_file("5e0303718880")})
    assert files.lost_batches(tmp_path) == {"5e0303718880"}


def test_a_stage_without_a_manifest_is_empty(tmp_path: Path) -> None:
    assert read_manifest(tmp_path, IngestedManifest) is None
    assert read_ingested(tmp_path) == IngestedManifest(landing_version=0)
    assert read_cleaned(tmp_path) == CleanedManifest(landing_version=0)


@pytest.mark.parametrize(("text", "problem"), [("{", "cannot be read"), ('{"format": 2}', "has format 2")])
def test_a_manifest_that_cannot_be_used_is_refused_with_its_file_and_the_cure(
    tmp_path: Path, text: str, problem: str
) -> None:
    (tmp_path / "view.json").write_text(text)
    with pytest.raises(InputError) as refused:
        read_manifest(tmp_path, IngestedManifest)
    assert str(refused.value).startswith(f"{tmp_path}/view.json {problem}")
    assert str(refused.value).endswith("; delete it, and the next run makes the stage again")


# -- lines that another run has rewritten -------------------------------------------------------


def cleaned(batch: str, rejects: Mapping[str, int] | None = None, modified: int = 2) -> CleanedManifest:
    """The manifest of one file, cleaned into a batch."""
    return CleanedManifest(
        files={"a.csv": cleaned_file(batch, **(rejects or {}))},
        files_in_batch={batch: 1},
        landing_version=1,
        ingested=BatchedFiles(files={"a.csv": ingested_file("i", modified)}),
    )


@pytest.fixture
def stage(lake: Lake) -> Path:
    """A stage that has the batch `new` only."""
    stage = lake.cleaned("f")
    batch_folder(stage, "new").mkdir(parents=True)
    return stage


def test_lines_that_a_concurrent_run_has_rewritten_are_found_in_their_new_batch(
    lake: Lake, stage: Path
) -> None:
    commit_manifest(lake, stage, cleaned("new"))
    found = cleaned_now(cleaned("removed"), stage)
    assert found.files == cleaned("new").files
    assert found.files_in_batch == {"removed": 1, "new": 1}


def test_lines_in_a_batch_that_still_exists_stay_there_whatever_is_current(lake: Lake, stage: Path) -> None:
    commit_manifest(lake, stage, CleanedManifest(landing_version=2))
    assert cleaned_now(cleaned("new"), stage) == cleaned("new")


@pytest.mark.parametrize(
    "current",
    [
        pytest.param(cleaned("new", modified=3), id="the file was replaced"),
        pytest.param(cleaned("new", {"duplicate_line": 1}), id="other lines are kept"),
        pytest.param(CleanedManifest(landing_version=1), id="the file was deleted"),
    ],
)
def test_a_file_whose_lines_are_gone_is_refused_by_name(
    lake: Lake, stage: Path, current: CleanedManifest
) -> None:
    commit_manifest(lake, stage, current)
    with pytest.raises(
        OutdatedError,
        match=r"^a\.csv has changed since this run started; clear the run from `ingest` onwards$",
    ) as refused:
        cleaned_now(cleaned("removed"), stage)
    assert refused.value.clear_from == "ingest"


@pytest.mark.parametrize("changed", [{"modified": 3}, {"kept": 2}, {"rejects": {"zero_byte": 1}}], ids=str)
def test_ingested_lines_are_found_in_their_new_batch_unless_they_have_changed(
    lake: Lake, changed: dict[str, Any]
) -> None:
    stage = lake.ingested("f")
    batch_folder(stage, "new").mkdir(parents=True)
    before, now = ingested_file("removed"), ingested_file("new")
    commit_manifest(lake, stage, IngestedManifest(files={"a.csv": now}, landing_version=1))
    asked = BatchedFiles[IngestedFile](files={"a.csv": before})
    assert ingested_now(asked, stage).files == {"a.csv": now}

    other = IngestedManifest(files={"a.csv": now.model_copy(update=changed)}, landing_version=1)
    commit_manifest(lake, stage, other)
    with pytest.raises(OutdatedError, match=r"a\.csv has changed"):
        ingested_now(asked, stage)


def test_a_cleaned_manifest_knows_the_countries_of_its_orders_and_whether_one_needs_decimals() -> None:
    entries: dict[str, CleanedFile] = {
        "a.csv": cleaned_file("b"),
        "b.csv": cleaned_file("b").model_copy(update={"countries": ["France"], "needs_decimal": True}),
    }
    manifest = CleanedManifest(files=entries)
    assert (manifest.countries, manifest.needs_decimal) == ({"EIRE", "France"}, True)
    assert not manifest.of(["a.csv"]).needs_decimal
