"""A process that dies at each single step it makes in the lake, and what is left of it."""

import os
import re
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from include.lake.commit import Lake, read_view

DAY = date(2011, 12, 10)
DIED = 77
# What changes a file system, as CPython tells before it is done.
CHANGES = {"os.rename", "os.symlink", "os.mkdir", "os.remove", "os.rmdir", "os.utime"}


def dies_at(step: int, work: Callable[[], None]) -> bool:
    """Run the work in a process that dies before its n-th change; whether it came that far."""
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
    """What the end of a job does: a batch, a view, a version, latest, and then sweeping."""
    with lake.alive(), lake.attempt("publish") as attempt:
        lake.next_number()
        (attempt / "batch").mkdir()
        (attempt / "batch" / "part").write_text(text)
        batch = lake.commit_batch(attempt / "batch", lake.ingested("r"))
        lake.commit_view(lake.ingested("r"), {"listing": number, "files": {"a.csv": {"batch": batch}}})
        (attempt / "version").mkdir()
        for name in ("rfm_df.csv", "segment_summary.csv"):
            (attempt / "version" / name).write_text(text)
        record = {"listing": number, "attempt": number}
        lake.commit_version(attempt / "version", lake.published(DAY), record)
        lake.point_latest()


def seen(folder: Path) -> str:
    """The text of a published snapshot; all its files must have the same."""
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
        died = dies_at(step, lambda lake=lake: publish(lake, "after", 2))
        assert seen(lake.published(DAY)) in ("before", "after"), step
        assert seen(lake.latest) in ("before", "after"), step
        view = read_view(lake.ingested("r"))
        assert view is not None
        batch = lake.ingested("r") / f"batch={view['files']['a.csv']['batch']}"
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
        died = dies_at(step, lambda lake=lake: publish(lake, "first", 1))
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
    monkeypatch.setattr("include.lake.commit.time.time", lambda: 4_000_000_000.0)  # far in the future
    publish(lake, "after", 2)
    publish(lake, "after", 2)
    assert not opened.exists(), "two replacements later and long ago, as it seems"
    opened = lake.published(DAY).resolve()
    publish(lake, "third", 3)
    assert seen(opened) == "after"
    monkeypatch.setattr("include.lake.commit.time.time", lambda: 0.0)  # and back
    publish(lake, "fourth", 4)
    assert seen(opened) == "after"
    assert seen(lake.latest) == "fourth"
