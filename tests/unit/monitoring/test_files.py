"""The files of include/monitoring/, by Prometheus' own checker where there is one. tests/e2e/test_statsd.py
compares them with the metrics of real runs."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from include.pipeline import PROJECT
from tests.statsd import ALERTS, Series, alert_expressions, dashboard_expressions, exported

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool here: apt-get install prometheus")


def promtool(*arguments: str) -> str:
    done = subprocess.run([str(PROMTOOL), *arguments], capture_output=True, text=True)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


@needs_promtool
def test_prometheus_reads_the_alert_rules() -> None:
    assert f"{len(alert_expressions())} rules found" in promtool("check", "rules", str(ALERTS))


@needs_promtool
def test_the_alerts_fire_when_they_should() -> None:
    """The time series and the expected alerts are in the file."""
    promtool("test", "rules", str(Path(__file__).with_name("alerts.test.yml")))


def test_each_alert_is_tried() -> None:
    tried = yaml.safe_load(Path(__file__).with_name("alerts.test.yml").read_text())["tests"]
    names = {
        step["alertname"] for test in tried for step in test["alert_rule_test"] if step.get("exp_alerts")
    }
    assert names == set(alert_expressions())


@needs_promtool
def test_prometheus_reads_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"q{n}", "expr": query} for n, query in enumerate(dashboard_expressions())]
    file = tmp_path / "dashboard.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))


def test_each_alert_names_a_section_of_the_runbook() -> None:
    headings = re.findall(r"^## (.+)$", (PROJECT / "include/docs/operations.md").read_text(), re.MULTILINE)
    anchors = {f"operations.md#{heading.lower().replace(' ', '-')}" for heading in headings}
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    assert {rule["annotations"]["runbook"] for group in groups for rule in group["rules"]} <= anchors


def test_a_metric_gets_its_labels_and_another_keeps_its_name() -> None:
    metrics = {
        "airflow.rfm.rejects.clean.missing_customer": "g",
        "airflow.dagrun.duration.failed.rfm_segmentation": "ms",
        "airflow.scheduler_heartbeat": "c",
    }
    ended = (("state", "failed"), ("dag_id", "rfm_segmentation"))
    assert exported(metrics) == {
        Series("rfm_rejects", (("task", "clean"), ("reason", "missing_customer"))),
        Series("airflow_dagrun_duration_seconds_count", ended),
        Series("airflow_dagrun_duration_seconds_sum", ended),
        Series("airflow_scheduler_heartbeat"),
    }
