"""The text of notifications. Pure: no Airflow, no lake.

A message has paragraphs and links. `text` is for chats and webhooks, `html` for mail. Everything in a
message may come from a file of the shop, so `html` escapes it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal

from include.pipeline import ERROR_MARK

Level = Literal["failure", "warning", "success"]  # as Apprise calls them

JOB_MESSAGE = re.compile(rf"^.*{ERROR_MARK}(.*)$", re.MULTILINE)
EXIT_CODE = re.compile(r"Error code is: (-?\d+)\.")
CLEAR_FROM = re.compile(r"clear the run from `(\w+)`")
KILLED_CODES = (-9, 137)
ENDED_FROM_OUTSIDE = "the task was ended from outside"
PROCESS_KILLED = (
    "the process of the task ended without a word: killed, for example for want of memory, "
    "or a person marked the task as failed"
)
LONGEST_REASON = 1_000  # characters; some chats refuse more than 2,000


@dataclass(frozen=True)
class Snapshot:
    """Which snapshot a message is about."""

    as_of: str
    variant: str | None = None

    def __str__(self) -> str:
        return f"as of {self.as_of}{f' ({self.variant})' if self.variant else ''}"


@dataclass(frozen=True)
class Attempt:
    """Which try of which task a message is about."""

    task: str
    number: int


@dataclass(frozen=True)
class Message:
    level: Level
    title: str
    paragraphs: Sequence[str]
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        links = "\n".join(f"{name}: {address}" for name, address in self.links.items())
        return "\n\n".join([*self.paragraphs, *([links] if links else [])])

    @property
    def html(self) -> str:
        paragraphs = "".join(f"<p>{escape(text)}</p>\n" for text in self.paragraphs)
        links = "".join(
            f'<li><a href="{escape(address)}">{escape(name)}</a></li>\n'
            for name, address in self.links.items()
        )
        return f"{paragraphs}<ul>\n{links}</ul>\n" if links else paragraphs


def reason_of(exception: object) -> str:
    """Why a task failed, in one line: the job's own message, or the last line of what was raised."""
    if exception is None:
        return ENDED_FROM_OUTSIDE
    text = str(exception)
    if messages := JOB_MESSAGE.findall(text):
        reason = messages[-1]
    elif found := EXIT_CODE.search(text):
        code = int(found[1])
        killed = " (killed, for example for want of memory)" if code in KILLED_CODES else ""
        reason = f"the Spark job ended with code {code}{killed} and without a message; its log is above"
    else:
        reason = next((line for line in reversed(text.splitlines()) if line.strip()), repr(exception))
    return str(reason).strip()[:LONGEST_REASON]


def failed(snapshot: Snapshot, attempt: Attempt, reason: str, links: Mapping[str, str]) -> Message:
    named = CLEAR_FROM.search(reason)
    return Message(
        "failure",
        f"Failed: customer segments {snapshot}",
        [
            f"`{attempt.task}` failed for good at its try {attempt.number}. "
            "An earlier snapshot of this date stays as it is.",
            reason,
            f"When the cause is gone, clear the run from `{named[1] if named else attempt.task}`.",
        ],
        links,
    )


def tried_again(snapshot: Snapshot, attempt: Attempt, reason: str, links: Mapping[str, str]) -> Message:
    return Message(
        "warning",
        f"Trying again: customer segments {snapshot}",
        [
            f"Try {attempt.number} of `{attempt.task}` failed.",
            reason,
            "Nothing to do yet: Airflow tries it again by itself.",
        ],
        links,
    )


def succeeded(
    snapshot: Snapshot, recovery: str | None, warnings: Sequence[str], links: Mapping[str, str]
) -> Message | None:
    """A run has succeeded. None where nobody waits for this, and nothing is to be said."""
    if not recovery and not warnings:
        return None
    level: Level = "warning" if warnings else "success"
    title = f"{'Recovered' if recovery else 'Published with warnings'}: customer segments {snapshot}"
    paragraphs = [recovery] if recovery else ["The snapshot is published. Somebody should look at this:"]
    return Message(level, title, [*paragraphs, *warnings], links)


def recovered(task: str, dag_run: str, open_for_the_same_reason: int) -> str:
    others = open_for_the_same_reason
    still = f" {others:,} other dates failed for the same reason, and are not repaired yet." if others else ""
    return f"The snapshot is published. `{task}` had failed in the run {dag_run}.{still}"


def late(snapshot: Snapshot, due: str, state: str, links: Mapping[str, str]) -> Message:
    return Message(
        "failure",
        f"Late: customer segments {snapshot}",
        [
            f"The snapshot was due at {due} and is not published. Its run is {state} and has not failed.",
            "Look which task of the run is not done, and why; the runbook has it under 'The run is late'.",
        ],
        links,
    )
