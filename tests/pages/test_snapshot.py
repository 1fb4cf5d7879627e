"""The content of a snapshot's page, read from the published files."""

from include.pages.snapshot import PublishedFile, Snapshot, read_snapshot
from tests.pages.conftest import AS_OF, SUMMARY, VARIANT, Publish


def test_a_snapshot_is_read_from_its_record_and_its_summary(publish: Publish) -> None:
    folder = publish(VARIANT, dag_run="manual__7")
    snapshot = read_snapshot(folder)
    assert (snapshot.as_of, snapshot.variant) == (AS_OF, VARIANT)
    assert (snapshot.published_at, snapshot.dag_run) == ("2011-12-10T02:05:00+00:00", "manual__7")
    assert [snapshot.summary.columns, *snapshot.summary.rows] == SUMMARY


def test_files_are_listed_by_name_with_their_sizes(publish: Publish) -> None:
    folder = publish()
    (folder / "a folder").mkdir()
    sizes = {name: (folder / name).stat().st_size for name in ("run.json", "segment_summary.csv")}
    assert read_snapshot(folder).files == [
        PublishedFile("rfm_df.csv", 37),  # two lines of 19 and 18 bytes with their ends
        PublishedFile("run.json", sizes["run.json"]),
        PublishedFile("segment_summary.csv", sizes["segment_summary.csv"]),
    ]


def test_a_name_that_a_spreadsheet_would_run_is_shown_as_it_is(publish: Publish) -> None:
    """In the CSV file it has an apostrophe in front."""
    snapshot: Snapshot = read_snapshot(publish(summary=[["segment"], ["'=1+1"], ["'tis the best"]]))
    assert snapshot.summary.rows == [["=1+1"], ["'tis the best"]]
