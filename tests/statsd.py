"""A StatsD server on this machine, which keeps what it is sent, and what Prometheus' statsd_exporter makes of
it by include/monitoring/statsd-mapping.yml."""

import json
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread

import yaml

from include.pipeline import PROJECT

MONITORING = PROJECT / "include" / "monitoring"
ALERTS = MONITORING / "alerts.yml"
END = "end:1|c"
SAMPLE = re.compile(r"(?P<name>[^:]+):(?P<value>[^|]+)\|(?P<type>c|g|ms)")
OF_A_SUMMARY = ("_count", "_sum")
SELECTOR = re.compile(r"\b((?:rfm|airflow)_[a-z_]+)(?:\{([^}]*)\})?")
LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass
class StatsD:
    port: int
    lines: list[str] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, str]:
        """The environment of an Airflow that sends its metrics here."""
        settings = {"STATSD_ON": "True", "STATSD_HOST": "127.0.0.1", "STATSD_PORT": str(self.port)}
        return {f"AIRFLOW__METRICS__{name}": value for name, value in settings.items()}

    def values(self) -> dict[str, str]:
        """The last value of each metric that was sent until now, by name."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(END.encode(), ("127.0.0.1", self.port))
        deadline = time.monotonic() + 10
        while END not in self.lines:
            assert time.monotonic() < deadline, "the server does not read what it is sent"
            time.sleep(0.01)
        self.lines.remove(END)
        samples = [SAMPLE.match(line) for line in self.lines]
        return {sample["name"]: sample["value"] for sample in samples if sample}

    def types(self) -> dict[str, str]:
        """The StatsD type of each metric, by name."""
        samples = [SAMPLE.match(line) for line in self.lines]
        return {sample["name"]: sample["type"] for sample in samples if sample}


@contextmanager
def listening() -> Iterator[StatsD]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        found = StatsD(server.getsockname()[1])
        closing: list[bool] = []

        def keep() -> None:
            while not closing:
                found.lines += server.recv(65536).decode().splitlines()

        reader = Thread(target=keep, daemon=True)
        reader.start()
        try:
            yield found
        finally:
            closing.append(True)
            found.values()  # wakes the reader
            reader.join()


@dataclass(frozen=True)
class Series:
    """A time series of Prometheus."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()

    def answers(self, asked: "Series") -> bool:
        return self.name == asked.name and set(asked.labels) <= set(self.labels)


def exported(types: Mapping[str, str]) -> set[Series]:
    """The time series that statsd_exporter makes of metrics, which have these types by name."""
    mappings = yaml.safe_load((MONITORING / "statsd-mapping.yml").read_text())["mappings"]
    found = set()
    for metric, kind in types.items():
        series = mapped(metric, mappings)
        if kind == "ms":
            found |= {Series(series.name + suffix, series.labels) for suffix in OF_A_SUMMARY}
        else:
            found.add(series)
    return found


def mapped(metric: str, mappings: list[dict[str, object]]) -> Series:
    """The first mapping that matches counts; a star is one part of a name."""
    for mapping in mappings:
        parts = [re.escape(part) for part in str(mapping["match"]).split("*")]
        if match := re.fullmatch(r"([^.]*)".join(parts), metric):
            labels = mapping.get("labels", {})
            assert isinstance(labels, dict)
            filled = ((label, match[int(star.removeprefix("$"))]) for label, star in labels.items())
            return Series(str(mapping["name"]), tuple(filled))
    return Series(re.sub(r"[^a-zA-Z0-9_]", "_", metric))


# -- what alerts and dashboard ask for ----------------------------------------------------------


def alert_expressions() -> dict[str, str]:
    """By the name of the alert."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def dashboard_expressions() -> list[str]:
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def asked_for() -> list[Series]:
    """The time series, with the labels that are required of them."""
    queries = [*alert_expressions().values(), *dashboard_expressions()]
    found = {(name, labels) for query in queries for name, labels in SELECTOR.findall(query)}
    return [Series(name, tuple(LABEL.findall(labels))) for name, labels in sorted(found)]
