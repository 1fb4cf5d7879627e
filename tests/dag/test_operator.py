"""What the operator refuses before it submits, what it says when a job fails, and that nothing is
left running when a task is ended."""

import os
import shutil
import threading
import time
from pathlib import Path

import psutil
import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

PROJECT = Path(__file__).resolve().parents[2]
CONFIG = PROJECT / "include" / "config"

pytestmark = pytest.mark.usefixtures("a_machine_that_can")


def refusal(operator, context):
    """The message of the failure that is not tried again."""
    with pytest.raises(AirflowFailException) as caught:
        operator.execute(context)
    return str(caught.value)


# -- before submitting --------------------------------------------------------------------------


@pytest.fixture
def nothing_is_submitted(monkeypatch):
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook

    def submitted(*_, **__):
        pytest.fail("submitted all the same")

    monkeypatch.setattr(SparkSubmitHook, "submit", submitted)


@pytest.mark.usefixtures("nothing_is_submitted")
class TestRefusedBeforeSubmitting:
    def test_a_missing_connection(self, render, monkeypatch):
        monkeypatch.delenv("AIRFLOW_CONN_SPARK_DEFAULT")
        message = refusal(*render())
        assert "connection 'spark_default' is missing" in message
        assert "YARN" in message
        assert '"host": "local[*]"' in message

    @pytest.mark.parametrize("uri", ["spark://local[2]", "spark://local[*]", "{not json", "spark://a:port"])
    def test_a_connection_that_airflow_cannot_read(self, render, monkeypatch, uri):
        monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", uri)
        message = refusal(*render())
        assert "connection 'spark_default' is missing or unreadable" in message

    @pytest.mark.parametrize(
        "text", ['{"conn_type": "spark"}', '{"conn_type": "spark", "host": ""}', "spark://"]
    )
    def test_a_connection_without_a_host(self, render, monkeypatch, text):
        monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", text)
        assert "connection 'spark_default' has no host" in refusal(*render())

    def test_a_machine_without_java(self, render, monkeypatch, tmp_path):
        (tmp_path / "spark-submit").write_text("#!/bin/sh\n")
        (tmp_path / "spark-submit").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("JAVA_HOME", raising=False)
        message = refusal(*render())
        assert "no Java found" in message
        assert "17" in message

    def test_a_machine_without_spark_submit(self, render, monkeypatch, tmp_path):
        (tmp_path / "java").symlink_to(shutil.which("java"))
        monkeypatch.setenv("PATH", str(tmp_path))
        assert "no spark-submit on the PATH" in refusal(*render())

    @pytest.mark.parametrize("value", [None, ""])
    def test_a_lake_that_is_not_set(self, render, monkeypatch, value):
        if value is None:
            monkeypatch.delenv("RFM_LAKE")
        else:
            monkeypatch.setenv("RFM_LAKE", value)
        assert "RFM_LAKE is not set" in refusal(*render())

    def test_a_backfill_that_carries_a_date(self, render):
        message = refusal(*render(params={"as_of": "2011-12-10"}, run_type="backfill"))
        assert "as_of" in message
        assert "backfill" in message

    def test_an_unknown_segment_map(self, render):
        message = refusal(*render(params={"segment_map": "rf12"}))
        assert "segment_map: unknown map 'rf12'" in message
        assert "rf10, rfm11" in message

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("10.12.2011", "'10.12.2011' is not a date"),
            ("2011-02-30", "'2011-02-30' is not a date"),
            ("2911-12-10", "2911-12-10 lies in the future"),
            ("0011-12-10", "lies before 1900"),
        ],
    )
    def test_a_wrong_date(self, render, text, message):
        told = refusal(*render(params={"as_of": text}))
        assert "as_of" in told
        assert message in told

    @pytest.mark.parametrize(("key", "value"), [("lookback_days", 0), ("cancellations", "x"), ("look", 1)])
    def test_params_that_came_past_the_form(self, render, key, value):
        message = refusal(*render(params={key: value}))
        assert "params" in message
        assert key in message

    def test_a_map_that_leaves_codes_out_or_names_them_twice(self, render, monkeypatch, tmp_path):
        shutil.copytree(CONFIG, tmp_path / "config")
        monkeypatch.setenv("RFM_CONFIG", str(tmp_path / "config"))
        own = """
segments:
  - {name: Best, description: all but two, codes: ["[2345]..", "1[2345].", "11[45]"]}
  - {name: Rest, description: one, codes: ["111", "555"]}
"""
        (tmp_path / "config/segment_maps/own.yaml").write_text(own)
        message = refusal(*render(params={"segment_map": "own"}))
        assert "own.yaml" in message
        assert "codes missing: 112 113" in message
        assert "codes doubled: 555 (Best, Rest)" in message

    def test_a_configuration_with_a_wrong_key(self, render, monkeypatch, tmp_path):
        shutil.copytree(CONFIG, tmp_path / "config")
        monkeypatch.setenv("RFM_CONFIG", str(tmp_path / "config"))
        operator, context = render()
        file = tmp_path / "config/segmentation.yaml"
        file.write_text(file.read_text().replace("compare_days:", "compare_day:"))
        message = refusal(operator, context)
        assert "segmentation.yaml" in message
        assert "compare_days" in message


def test_a_backfill_without_a_date_and_a_manual_run_with_one_pass(render):
    for run_type, params in [("backfill", {}), ("manual", {"as_of": "2011-12-10"})]:
        operator, context = render(params=params, run_type=run_type)
        operator.refuse_what_cannot_work(context)


# -- after submitting ---------------------------------------------------------------------------


@pytest.fixture
def spark_submit(monkeypatch, tmp_path):
    """A spark-submit that prints some lines and exits."""

    def made(*lines, code):
        printed = "".join(f"echo '{line}'\n" for line in lines)
        (tmp_path / "bin").mkdir()
        file = tmp_path / "bin" / "spark-submit"
        file.write_text(f"#!/bin/sh\n{printed}exit {code}\n")
        file.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)

    return made


def test_bad_data_fails_without_another_try_and_with_the_job_s_own_words(render, spark_submit):
    spark_submit("starting", "rfm error: ingest: no files", code=2)
    assert refusal(*render()) == "ingest: no files"


def test_the_job_s_words_are_found_among_many_lines_and_a_traceback(render, spark_submit):
    many = [f"line {n}" for n in range(100)]
    spark_submit("Exception: earlier", *many, "rfm error: ingest: a.csv: line 1: column X", "bye", code=2)
    assert refusal(*render()) == "ingest: a.csv: line 1: column X"


@pytest.mark.parametrize("code", [1, 3, 20, 137, 255])
def test_anything_else_is_tried_again(render, spark_submit, code):
    spark_submit("rfm error: ingest: OSError: disk full", code=code)
    operator, context = render()
    with pytest.raises(AirflowException) as caught:
        operator.execute(context)
    assert not isinstance(caught.value, AirflowFailException)
    assert "disk full" in str(caught.value)


def test_an_exit_code_2_that_is_not_a_job_s_is_tried_again(render, spark_submit):
    spark_submit("spark-submit: unknown option", code=2)
    operator, context = render()
    with pytest.raises(AirflowException) as caught:
        operator.execute(context)
    assert not isinstance(caught.value, AirflowFailException)


def test_a_job_that_ends_well_ends_the_task_well(render, spark_submit, tmp_path):
    spark_submit("done", code=0)
    operator, context = render()
    operator.execute(context)


def test_the_reason_is_the_last_line_of_the_task_s_log(caplog):
    from include.orchestration.notifications import tell_why

    tell_why({"exception": AirflowFailException("ingest: no files")})
    assert caplog.messages[-1] == "ingest: no files"


def test_an_ended_task_leaves_no_process(render, tmp_path, monkeypatch):
    """The real spark-submit with a driver that sleeps: its JVM, its Python, and a child of that."""
    started = tmp_path / "started"
    script = tmp_path / "sleeps.py"
    script.write_text(
        "import pathlib, subprocess, time, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '300'])\n"
        f"pathlib.Path({str(started)!r}).write_text(str(child.pid))\n"
        "time.sleep(300)\n"
    )
    monkeypatch.setenv("SPARK_LOCAL_DIRS", str(tmp_path))
    monkeypatch.setenv("SPARK_SUBMIT_OPTS", f"-XX:-UsePerfData -Djava.io.tmpdir={tmp_path}")
    operator, context = render()
    operator.application = str(script)
    ended = []

    def execute():
        try:
            operator.execute(context)
        except AirflowException as error:
            ended.append(error)

    task = threading.Thread(target=execute, daemon=True)
    task.start()
    family = []
    try:
        deadline = time.monotonic() + 60
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert started.exists(), "the driver did not start"
        submit = psutil.Process(operator._hook._submit_sp.pid)
        family = [submit, *submit.children(recursive=True)]
        assert len(family) >= 3, [process.name() for process in family]

        operator.on_kill()

        _, alive = psutil.wait_procs(family, timeout=10)
        assert [process.name() for process in alive] == []
        task.join(timeout=10)
        assert not task.is_alive()
        assert ended, "an ended job is not a success"
    finally:
        for process in family:
            if process.is_running():
                process.kill()


def test_ending_a_task_that_has_not_submitted_yet_does_no_harm(render):
    operator, _ = render()
    operator.on_kill()
