"""The terminal shows the progress of tasks, and a snapshot as README.md promises."""

from datetime import date
from pathlib import Path

import pytest

from include.commands.terminal import show_failure, show_progress, show_snapshot
from include.lake.record import RECORD, FileCounts, InputFile, PublishedConfig, RunRecord
from include.lake.state import StageRecord, state_text
from include.settings import RunConfig

AS_OF = date(2026, 1, 1)
SUMMARY = """\
segment,customers,customer_share,orders,revenue,revenue_share,avg_recency_days,avg_frequency,avg_monetary,median_monetary
Champions,1265,0.6325,2916,1998944.50,0.9991,19.89,11.04,3165.54,1722.65
Potential Loyalists,0,0.0000,0,0.00,0.0000,,,,
"""
TABLE = """\
segment              customers  share    revenue  share  days ago  orders  spend
────────────────────────────────────────────────────────────────────────────────
Champions                1,265  63.2%  1,998,944  99.9%        20    11.0  1,723
Potential Loyalists          0   0.0%          0   0.0%

all                      1,265         1,998,944
days ago (of the last purchase) and orders are averages, spend is the median
"""
COUNTS = """\

1,003 lines landed, 900 kept
          3  rejected: quantity_unreadable
        100  rejected: missing_customer
  not counted: shop/c.csv is still being written
  gone since the run before: shop/d.csv with 1,200 lines that counted
  look at: shop/b.csv all its lines are rejected
  look at: shop/[empty].csv has no line
"""


def stage(rows_in: int, **rejects: int) -> StageRecord:
    return StageRecord(
        rows_in=rows_in,
        rows_out=rows_in - sum(rejects.values()),
        rejects=rejects,
        seconds=1.0,
        started="2026-01-01T04:00:00+00:00",
        dag_run="a run",
        application_id=None,
        files_not_counted={"shop/c.csv": "is still being written"},
        files_gone={"shop/d.csv": 1200},
    )


def input_file(rows: int, kept: int) -> InputFile:
    rejects = {"quantity_unreadable": rows - kept}
    counts = FileCounts(kept=kept, rejects={})
    return InputFile(batch="b", size=1, modified=1, rows=rows, kept=kept, rejects=rejects, clean=counts)


@pytest.fixture
def snapshot(tmp_path: Path, config: RunConfig) -> Path:
    folder = tmp_path / "as_of=2026-01-01"
    folder.mkdir()
    (folder / "segment_summary.csv").write_text(SUMMARY)
    write_record(folder, config, variant=None)
    return folder


def write_record(
    folder: Path, config: RunConfig, variant: str | None = None, warnings: list[str] | None = None
) -> None:
    clean = stage(1000, missing_customer=100).model_copy(update={"warnings": warnings})
    record = RunRecord(
        landing_version=1,
        attempt=1,
        stages={"ingest": stage(1003, quantity_unreadable=3), "clean": clean},
        as_of=AS_OF,
        variant=variant,
        dag_run="a run",
        published_at="2026-01-01T04:01:00+00:00",
        config_hash="0",
        config=PublishedConfig(segment_map=config.segment_map),
        input_files={
            "shop/a.csv": input_file(rows=1000, kept=1000),
            "shop/b.csv": input_file(rows=3, kept=0),
            "shop/[empty].csv": input_file(rows=0, kept=0),
        },
    )
    (folder / RECORD).write_text(state_text(record))


def shown(folder: Path, capsys: pytest.CaptureFixture[str], *, is_sample: bool = False) -> str:
    """What a terminal shows of the snapshot, without the blanks at the ends of lines."""
    show_snapshot(folder, is_sample=is_sample)
    return "".join(f"{line.rstrip()}\n" for line in capsys.readouterr().out.splitlines())


# -- a snapshot ---------------------------------------------------------------------------------


def test_a_snapshot_is_shown_with_its_segments_counts_and_files(
    snapshot: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["run.json", "segment_summary.csv"]
    expected = f"Customer segments as of 2026-01-01\n{TABLE}{COUNTS}\n"
    assert shown(snapshot, capsys) == expected + "".join(f"  {snapshot}/{file}\n" for file in files)


def test_the_title_names_the_sample(snapshot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    title = "Customer segments as of 2026-01-01 (built-in SAMPLE, an invented shop)\n"
    assert shown(snapshot, capsys, is_sample=True).startswith(title)


def test_the_title_names_a_variant(
    snapshot: Path, config: RunConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(snapshot, config, variant="segment_map=rf10")
    assert shown(snapshot, capsys).startswith("Customer segments as of 2026-01-01, segment_map=rf10\n")


def test_the_path_of_the_report_is_the_last_line(snapshot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (snapshot / "report.html").touch()
    assert shown(snapshot, capsys).endswith(f"\n\nopen  {snapshot}/report.html\n")


def test_the_warnings_of_all_tasks_come_last(
    snapshot: Path, config: RunConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(snapshot, config, warnings=["the newest purchase is from [2011]"])
    assert shown(snapshot, capsys).endswith("\nwarning  the newest purchase is from [2011]\n")


# -- progress -----------------------------------------------------------------------------------


def test_each_task_has_a_line_with_its_last_state(capsys: pytest.CaptureFixture[str]) -> None:
    show_progress(
        [
            ("ingest", "running"),
            ("ingest", "success"),
            ("clean", "running"),
            ("clean", "up_for_retry"),
            ("clean", "running"),
            ("clean", "failed"),
            ("rfm", "upstream_failed"),
        ]
    )
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert [line[:2] for line in lines] == [
        ["ingest", "done"],
        ["clean", "failed"],
        ["rfm", "upstream_failed"],
    ]


def test_a_failure_is_shown_with_its_reason_and_its_log(capsys: pytest.CaptureFixture[str]) -> None:
    show_failure("ingest: [a] is wrong", Path("logs/[1].log"))
    assert capsys.readouterr().out == "failed  ingest: [a] is wrong\nlog     logs/[1].log\n"
