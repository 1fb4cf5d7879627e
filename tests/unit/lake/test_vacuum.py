"""Vacuum removes everything that nothing points to, and only that."""

import json
import os
import time
from pathlib import Path

import pytest

from include.lake.commit import alive, commit_manifest, next_number
from include.lake.manifest import BatchedFiles, CleanedManifest, FileEntry, IngestedManifest
from include.lake.paths import Lake, batch_folder
from include.lake.vacuum import vacuum
from tests.unit.lake.results import cleaned_file, ingested_file, publish_text, published_text


def with_batches(stage: Path, *names: str) -> Path:
    for name in names:
        batch_folder(stage, name).mkdir(parents=True)
    return stage


def batches(stage: Path) -> list[str]:
    return [path.name for path in stage.glob("batch=*")]


def test_batches_of_ingested_lines_that_the_manifest_names_are_kept(lake: Lake) -> None:
    stage = with_batches(lake.ingested("f"), "named", "replaced")
    manifest = IngestedManifest(files={"a.csv": ingested_file("named")}, landing_version=1)
    commit_manifest(lake, stage, manifest)
    vacuum(lake)
    assert batches(stage) == ["batch=named"]


def test_batches_of_cleaned_lines_and_of_orders_are_kept_by_the_manifest_of_both(lake: Lake) -> None:
    names = ("lines", "orders", "replaced")
    stage, orders = with_batches(lake.cleaned("f"), *names), with_batches(lake.orders("f"), *names)
    manifest = CleanedManifest(
        files={"a.csv": cleaned_file("lines")},
        orders=BatchedFiles(files={"a.csv": FileEntry(batch="orders")}),
        landing_version=1,
    )
    commit_manifest(lake, stage, manifest)
    vacuum(lake)
    assert batches(stage) == ["batch=lines"]
    assert batches(orders) == ["batch=orders"]


def test_a_published_version_is_kept_and_attempts_are_removed_when_a_job_ends(lake: Lake) -> None:
    publish_text(lake, "one", landing_version=1)
    (lake.attempts / "killed").mkdir(parents=True)
    with alive(lake):
        pass
    assert published_text(lake) == "one"
    assert not lake.attempts.exists()


def test_the_report_of_a_killed_task_is_removed_after_a_day(lake: Lake) -> None:
    for name, age in (("of today", 0), ("of yesterday", 25 * 3600)):
        folder = lake.reports / name
        folder.mkdir(parents=True)
        os.utime(folder, (time.time() - age,) * 2)
    vacuum(lake)
    assert [folder.name for folder in lake.reports.iterdir()] == ["of today"]


def test_files_that_a_killed_commit_left_are_removed_and_others_are_not(lake: Lake) -> None:
    publish_text(lake, "one", landing_version=1)
    left = [".latest.0123456789ab", ".versions/.as_of=2011-12-10.previous.0123456789ab"]
    for name in [*left, ".not ours"]:
        (lake.root / "published" / name).write_text("")
    (lake.root / "..listing.0123456789ab").write_text("8")
    vacuum(lake)
    assert not any((lake.root / "published" / name).exists() for name in left)
    assert not (lake.root / "..listing.0123456789ab").exists()
    assert (lake.root / "published" / ".not ours").exists()


@pytest.mark.parametrize(
    ("manifest", "orders_kept"),
    [
        ({"listing": 3, "files": {"a.csv": {"batch": "kept", "kept": 1}}}, "kept"),
        (
            {"files": {"a.csv": {"batch": "kept"}}, "orders": {"files": {"a.csv": {"batch": "other"}}}},
            "other",
        ),
        ({"format": 99, "files": {"a.csv": {"batch": "kept", "new key": 1}}}, "kept"),
    ],
    ids=["before orders had batches of their own", "before counts of countries", "later than this code"],
)
def test_folders_of_other_code_keep_the_batches_that_their_manifest_names(
    lake: Lake, manifest: dict[str, object], orders_kept: str
) -> None:
    """Their models are unknown to this code, and no reason to stop."""
    names = ("kept", "other", "replaced")
    stages = [with_batches(place("old"), *names) for place in (lake.ingested, lake.cleaned, lake.orders)]
    for stage in stages[:2]:
        (stage / "view.json").write_text(json.dumps(manifest))
    vacuum(lake)
    assert [batches(stage) for stage in stages] == [["batch=kept"], ["batch=kept"], [f"batch={orders_kept}"]]


def test_numbers_go_on_from_a_manifest_of_other_code(lake: Lake) -> None:
    stage = with_batches(lake.ingested("old"))
    stage.mkdir(parents=True)
    (stage / "view.json").write_text('{"listing": 41, "files": {"a.csv": {"batch": "b", "unknown": 1}}}')
    assert next_number(lake) == 42
