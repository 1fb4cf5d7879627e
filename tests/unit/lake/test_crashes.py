"""A process dies at each single step that it takes in the lake: what readers see then, and what is left."""

import os
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from include.lake.commit import (
    alive,
    attempt,
    commit_batch,
    commit_manifest,
    commit_version,
    next_number,
    point_latest,
)
from include.lake.manifest import IngestedManifest, read_ingested
from include.lake.paths import Lake, batch_folder
from include.lake.record import Record
from tests.unit.lake.results import DAY, ingested_file

DIED = 77
# Changes of a file system, as CPython announces them.
CHANGES = {"os.rename", "os.symlink", "os.mkdir", "os.remove", "os.rmdir", "os.utime"}


def dies_at(step: int, work: Callable[[], None]) -> bool:
    """Run the work in a process that dies before its n-th change. Returns whether it came that far."""
    process = os.fork()
    if process == 0:
        steps = 0

        def count(event: str, args: tuple[Any, ...]) -> None:
            nonlocal steps
            writes = event == "open" and isinstance(args[1], str) and "w" in args[1]
            steps += event in CHANGES or writes
            if steps == step:
                os._exit(DIED)

        sys.addaudithook(count)
        try:
            work()
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code in (0, DIED)
    return code == DIED


def publish(lake: Lake, text: str, number: int) -> None:
    """Commit as jobs do: a batch, a manifest, a version, latest, and then vacuum."""
    with alive(lake), attempt(lake, "publish") as folder:
        next_number(lake)
        (folder / "batch").mkdir()
        (folder / "batch" / "part").write_text(text)
        stage = lake.ingested("f")
        batch = commit_batch(folder / "batch", stage)
        files = {"a.csv": ingested_file(batch)}
        commit_manifest(lake, stage, IngestedManifest(files=files, landing_version=number))
        (folder / "version").mkdir()
        for name in ("rfm_df.csv", "segment_summary.csv"):
            (folder / "version" / name).write_text(text)
        record = Record(landing_version=number, attempt=number, stages={})
        commit_version(lake, folder / "version", lake.published(DAY), record)
        point_latest(lake)


def seen(folder: Path) -> str:
    """The text of a published snapshot, which all of its files must have."""
    texts = {(folder / name).read_text() for name in ("rfm_df.csv", "segment_summary.csv")}
    assert len(texts) == 1, "a mixed snapshot"
    assert {file.name for file in folder.iterdir()} == {"rfm_df.csv", "segment_summary.csv", "run.json"}
    return texts.pop()


def paths(lake: Lake) -> list[str]:
    """Every path in the lake, without the random part of names."""
    found = [re.sub(r"[0-9a-f]{12}", "*", str(path.relative_to(lake.root))) for path in lake.root.rglob("*")]
    return sorted(found)


@pytest.fixture
def undisturbed(tmp_path: Path) -> list[str]:
    lake = Lake(tmp_path / "undisturbed")
    for number, text in enumerate(("before", "after"), 1):
        publish(lake, text, number)
    return paths(lake)


def test_at_no_step_does_a_reader_see_less_than_a_whole_snapshot(
    tmp_path: Path, undisturbed: list[str]
) -> None:
    step, died = 0, True
    while died:
        step += 1
        lake = Lake(tmp_path / f"lake {step}")
        publish(lake, "before", 1)
        died = dies_at(step, partial(publish, lake, "after", 2))
        assert seen(lake.published(DAY)) in ("before", "after"), step
        assert seen(lake.latest) in ("before", "after"), step
        stage = lake.ingested("f")
        batch = batch_folder(stage, read_ingested(stage).files["a.csv"].batch)
        assert (batch / "part").read_text() in ("before", "after"), step

        publish(lake, "after", 2)  # the retry
        assert seen(lake.published(DAY)) == seen(lake.latest) == "after", step
        left = [path for path in paths(lake) if path not in undisturbed]
        assert not left, (step, left)
    assert step > 25, "all the steps have been tried"


def test_the_very_first_snapshot_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    step, died = 0, True
    while died:
        step += 1
        lake = Lake(tmp_path / f"lake {step}")
        died = dies_at(step, partial(publish, lake, "first", 1))
        assert not lake.published(DAY).exists() or seen(lake.published(DAY)) == "first"
        assert not lake.latest.exists() or seen(lake.latest) == "first"
        publish(lake, "first", 1)
        assert seen(lake.latest) == "first"


def test_a_reader_keeps_what_it_opened_whatever_the_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path / "lake")
    publish(lake, "before", 1)
    opened = lake.published(DAY).resolve()
    monkeypatch.setattr("include.lake.vacuum.time.time", lambda: 4_000_000_000.0)  # far in the future
    publish(lake, "after", 2)
    publish(lake, "after", 2)
    assert not opened.exists(), "two replacements later and long ago, as it seems"
    opened = lake.published(DAY).resolve()
    publish(lake, "third", 3)
    assert seen(opened) == "after"
    monkeypatch.setattr("include.lake.vacuum.time.time", lambda: 0.0)  # and back
    publish(lake, "fourth", 4)
    assert seen(opened) == "after"
    assert seen(lake.latest) == "fourth"
