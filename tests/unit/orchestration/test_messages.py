"""The text of notifications."""

import pytest

from include.orchestration.messages import (
    Attempt,
    Message,
    Snapshot,
    failed,
    late,
    reason_of,
    recovered,
    succeeded,
    tried_again,
)

SNAPSHOT = Snapshot("2011-12-10")
VARIANT = Snapshot("2011-12-10", "segment_map=rf10")
LINKS = {"Run": "http://here/dags/d/runs/r", "Log": "http://here/dags/d/runs/r/tasks/t?try_number=2&x=1"}


def test_a_failure_says_what_failed_why_what_to_clear_and_where_to_look() -> None:
    message = failed(VARIANT, Attempt("ingest", 3), "ingest: bad.csv: no column UnitPrice", LINKS)
    assert message.level == "failure"
    assert message.title == "Failed: customer segments as of 2011-12-10 (segment_map=rf10)"
    assert message.text == (
        "`ingest` failed for good at its try 3. An earlier snapshot of this date stays as it is.\n\n"
        "ingest: bad.csv: no column UnitPrice\n\n"
        "When the cause is gone, clear the run from `ingest`.\n\n"
        "Run: http://here/dags/d/runs/r\n"
        "Log: http://here/dags/d/runs/r/tasks/t?try_number=2&x=1"
    )


def test_the_task_to_clear_is_the_one_that_the_reason_names() -> None:
    reason = "publish: a.csv was replaced; clear the run from `ingest` onwards"
    assert "clear the run from `ingest`." in failed(SNAPSHOT, Attempt("publish", 1), reason, {}).text


def test_a_retry_says_why_and_that_nothing_is_to_do() -> None:
    message = tried_again(SNAPSHOT, Attempt("rfm", 2), "rfm: OSError: disk full", {})
    assert (message.level, message.title) == (
        "warning",
        "Trying again: customer segments as of 2011-12-10",
    )
    assert message.paragraphs == [
        "Try 2 of `rfm` failed.",
        "rfm: OSError: disk full",
        "Nothing to do yet: Airflow tries it again by itself.",
    ]


def test_a_success_without_a_failure_before_and_without_warnings_is_not_told() -> None:
    assert succeeded(SNAPSHOT, None, [], LINKS) is None


def test_a_recovery_names_what_had_failed() -> None:
    message = succeeded(SNAPSHOT, recovered("clean", "manual__1", 0), [], {})
    assert message == Message(
        "success",
        "Recovered: customer segments as of 2011-12-10",
        ["The snapshot is published. `clean` had failed in the run manual__1."],
    )


def test_a_recovery_counts_the_dates_that_still_wait_for_the_same_repair() -> None:
    assert recovered("clean", "r", 364).endswith(
        "364 other dates failed for the same reason, and are not repaired yet."
    )


def test_each_warning_of_a_success_is_a_paragraph() -> None:
    message = succeeded(SNAPSHOT, None, ["No new file for 3 days.", "At Risk grew by 20 %."], {})
    assert message is not None
    assert (message.level, message.title) == (
        "warning",
        "Published with warnings: customer segments as of 2011-12-10",
    )
    assert message.paragraphs[1:] == ["No new file for 3 days.", "At Risk grew by 20 %."]


def test_a_recovery_with_warnings_is_one_message() -> None:
    message = succeeded(SNAPSHOT, "It works again.", ["No new file for 3 days."], {})
    assert message is not None
    assert (message.level, message.title) == ("warning", "Recovered: customer segments as of 2011-12-10")
    assert message.paragraphs == ["It works again.", "No new file for 3 days."]


def test_a_late_snapshot_has_its_deadline_and_the_state_of_its_run() -> None:
    message = late(SNAPSHOT, "06:00 (Europe/London)", "running", {})
    assert (message.level, message.title) == ("failure", "Late: customer segments as of 2011-12-10")
    assert "due at 06:00 (Europe/London)" in message.text
    assert "Its run is running" in message.text


def test_nothing_of_a_message_becomes_markup_in_the_mail() -> None:
    message = Message("failure", "t", ['<img src=x onerror="alert(1)"> & co'], {"a<b": 'http://x/?a="&b'})
    assert message.html == (
        "<p>&lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; co</p>\n"
        '<ul>\n<li><a href="http://x/?a=&quot;&amp;b">a&lt;b</a></li>\n</ul>\n'
    )


def test_a_message_without_links_has_no_list_of_them() -> None:
    assert Message("failure", "t", ["one"]).html == "<p>one</p>\n"


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (ValueError("ingest: no files"), "ingest: no files"),
        (ValueError("one\ntwo\n\n"), "two"),
        (ValueError(), "ValueError()"),
        (None, "the task was ended from outside"),
        (RuntimeError("Error code is: 2.\nrfm error: ingest: bad.csv\nbye"), "ingest: bad.csv"),
        (
            RuntimeError("Cannot execute. Error code is: -9.\nUsing incubator modules"),
            "the Spark job ended with code -9 (killed, for example for want of memory) and without a "
            "message; its log is above",
        ),
        (
            RuntimeError("Cannot execute. Error code is: 1.\nsomething"),
            "the Spark job ended with code 1 and without a message; its log is above",
        ),
        (ValueError("x" * 5_000), "x" * 1_000),
    ],
    ids=["one line", "the last line", "no text", "nothing", "of a job", "killed", "other code", "long"],
)
def test_the_reason_of_a_failure_is_one_line(raised: Exception | None, reason: str) -> None:
    assert reason_of(raised) == reason
