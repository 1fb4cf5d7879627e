"""The addresses of the pages.

They are paths and not URLs: behind a proxy, Airflow may not know its own host and scheme.
"""

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from include.published.catalog import SnapshotName


@dataclass(frozen=True)
class Addresses:
    """`root` is where Airflow has the pages, such as `/rfm`."""

    root: str

    def static(self, name: str) -> str:
        """A file that belongs to all pages."""
        return f"{self.root}/static/{name}"

    def page(self, path: str, snapshot: SnapshotName | None = None, **query: object) -> str:
        """A page with what it is asked for; what is None is left out."""
        asked = {"snapshot": snapshot, **query}
        given = {key: str(value) for key, value in asked.items() if value is not None}
        return f"{self.root}/{path}" + (f"?{urlencode(given)}" if given else "")

    def snapshot(self, snapshot: SnapshotName) -> str:
        """The folder of a snapshot: its page, and its files below it."""
        return f"{self.root}/{quote(snapshot.path, safe='/=,')}"

    def segment(self, snapshot: SnapshotName, segment: str, **query: object) -> str:
        """The customers of a segment."""
        given = f"?{urlencode(query)}" if query else ""
        return f"{self.snapshot(snapshot)}segments/{quote(segment, safe='')}{given}"

    def segment_csv(self, snapshot: SnapshotName, segment: str) -> str:
        return f"{self.snapshot(snapshot)}campaigns/{quote(segment, safe='')}"
