"""The operator: what it refuses before it submits, when it does not submit at all, how it shows a job's
failure, and that it leaves no process behind."""

import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.sdk import Asset, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from include.lake.manifest import read_cleaned, read_ingested
from include.lake.paths import Lake
from include.orchestration.links import SparkHistoryLink
from include.orchestration.notifications import log_reason
from include.orchestration.spark_submit import RfmSparkSubmitOperator, submit_process
from include.pipeline import (
    ERROR_MARK,
    EXIT_USER_ERROR,
    LAKE_VARIABLE,
    REPORT_VARIABLE,
    REPORTED_APPLICATION,
    SPARK_HISTORY_VARIABLE,
)
from include.settings import RunConfig, Segmentation
from tests.dag.conftest import SPARK_CONNECTION_VARIABLE, Render
from tests.dag.lakes import clean, convert
from tests.tables import csv_bytes, land, line

pytestmark = pytest.mark.usefixtures("a_machine_that_can")


def refusal(operator: RfmSparkSubmitOperator, context: Context) -> str:
    """The message of the failure that is not tried again."""
    with pytest.raises(AirflowFailException) as caught:
        operator.execute(context)
    return str(caught.value)


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The scripts that were submitted, in place of a Spark that runs them."""
    scripts: list[str] = []

    def submit(_: SparkSubmitHook, application: str = "", **__: object) -> None:
        scripts.append(Path(application).name)

    monkeypatch.setattr(SparkSubmitHook, "submit", submit)
    return scripts


# -- refused before submitting ------------------------------------------------------------------


@pytest.fixture
def nothing_is_submitted(monkeypatch: pytest.MonkeyPatch) -> None:
    def submit(*_: object, **__: object) -> None:
        pytest.fail("submitted all the same")

    monkeypatch.setattr(SparkSubmitHook, "submit", submit)


@pytest.mark.usefixtures("nothing_is_submitted")
class TestRefusedBeforeSubmitting:
    def test_a_missing_connection(self, render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(SPARK_CONNECTION_VARIABLE)
        message = refusal(*render())
        assert "connection 'spark_default' is missing" in message
        assert "YARN" in message
        assert '"host": "local[*]"' in message

    @pytest.mark.parametrize("uri", ["spark://local[2]", "spark://local[*]", "{not json", "spark://a:port"])
    def test_a_connection_that_airflow_cannot_read(
        self, render: Render, monkeypatch: pytest.MonkeyPatch, uri: str
    ) -> None:
        monkeypatch.setenv(SPARK_CONNECTION_VARIABLE, uri)
        message = refusal(*render())
        assert "connection 'spark_default' is missing or unreadable" in message

    @pytest.mark.parametrize(
        "text", ['{"conn_type": "spark"}', '{"conn_type": "spark", "host": ""}', "spark://"]
    )
    def test_a_connection_without_a_host(
        self, render: Render, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        monkeypatch.setenv(SPARK_CONNECTION_VARIABLE, text)
        assert "connection 'spark_default' has no host" in refusal(*render())

    def test_a_machine_without_java(
        self, render: Render, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "spark-submit").write_text("#!/bin/sh\n")
        (tmp_path / "spark-submit").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("JAVA_HOME", raising=False)
        message = refusal(*render())
        assert "no Java found" in message
        assert "17" in message

    def test_a_machine_without_spark_submit(
        self, render: Render, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "java").symlink_to(str(shutil.which("java")))
        monkeypatch.setenv("PATH", str(tmp_path))
        assert "no spark-submit on the PATH" in refusal(*render())

    @pytest.mark.parametrize("value", [None, ""])
    def test_a_lake_that_is_not_set(
        self, render: Render, monkeypatch: pytest.MonkeyPatch, value: str | None
    ) -> None:
        if value is None:
            monkeypatch.delenv(LAKE_VARIABLE)
        else:
            monkeypatch.setenv(LAKE_VARIABLE, value)
        assert f"{LAKE_VARIABLE} is not set" in refusal(*render())

    def test_a_backfill_that_carries_a_date(self, render: Render) -> None:
        message = refusal(*render(params={"as_of": "2011-12-10"}, run_type="backfill"))
        assert "as_of: a backfill takes its dates from its range" in message
        assert "'Override parameters on existing runs' ticked" in message

    def test_an_unknown_segment_map(self, render: Render) -> None:
        message = refusal(*render(params={"segment_map": "rf12"}))
        assert "segment_map: unknown map 'rf12'" in message
        assert "rf10, rfm11" in message

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("10.12.2011", "'10.12.2011' is not a date"),
            ("2011-02-30", "'2011-02-30' is not a date"),
            ("2911-12-10", "2911-12-10 is in the future"),
            ("0011-12-10", "is before 1900"),
        ],
    )
    def test_a_wrong_date(self, render: Render, text: str, problem: str) -> None:
        message = refusal(*render(params={"as_of": text}))
        assert "as_of" in message
        assert problem in message

    @pytest.mark.parametrize(("key", "value"), [("lookback_days", 0), ("cancellations", "x"), ("look", 1)])
    def test_params_that_came_past_the_form(self, render: Render, key: str, value: object) -> None:
        message = refusal(*render(params={key: value}))
        assert "params" in message
        assert key in message

    def test_a_map_that_leaves_codes_out_or_names_them_twice(self, render: Render, config_copy: Path) -> None:
        own = """
segments:
  - {name: Best, description: all but two, codes: ["[2345]..", "1[2345].", "11[45]"]}
  - {name: Rest, description: one, codes: ["111", "555"]}
"""
        (config_copy / "segment_maps/own.yaml").write_text(own)
        message = refusal(*render(params={"segment_map": "own"}))
        assert "own.yaml" in message
        assert "codes missing: 112 113" in message
        assert "codes doubled: 555 (Best, Rest)" in message

    def test_a_configuration_with_a_wrong_key(self, render: Render, config_copy: Path) -> None:
        operator, context = render()
        file = config_copy / "segmentation.yaml"
        file.write_text(file.read_text().replace("compare_days:", "compare_day:"))
        message = refusal(operator, context)
        assert "segmentation.yaml" in message
        assert "compare_days" in message

    def test_a_landing_folder_without_a_file(self, render: Render, lake: Lake) -> None:
        """The job would refuse it, too."""
        for file in lake.landing.iterdir():
            file.unlink()
        assert refusal(*render()).startswith("ingest: landing folder")


@pytest.mark.parametrize(
    ("run_type", "params"),
    [("backfill", {}), ("manual", {"as_of": "2011-12-10"})],
    ids=["backfill", "manual"],
)
def test_a_backfill_without_a_date_and_a_manual_run_with_one_are_submitted(
    render: Render, submitted: list[str], run_type: str, params: dict[str, str]
) -> None:
    operator, context = render(params=params, run_type=run_type)
    operator.execute(context)
    assert submitted == ["ingest.py"]


# -- nothing to do ------------------------------------------------------------------------------


@pytest.fixture
def lake(tmp_path: Path, a_machine_that_can: None) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def settings(config: RunConfig) -> Segmentation:
    return config.settings


@pytest.fixture
def lake_with_history(lake: Lake, settings: Segmentation) -> Lake:
    """Two landed files, converted and cleaned."""
    land(lake.landing, "2010-12-02.csv", csv_bytes(line(date="2010-12-02 08:26:00")))
    convert(lake, settings)
    clean(lake, settings)
    return lake


def land_a_new_file(lake: Lake) -> None:
    land(lake.landing, "2010-12-03.csv", csv_bytes(line(date="2010-12-03 08:26:00")))


def change_a_file(lake: Lake) -> None:
    land(lake.landing, "2010-12-02.csv", csv_bytes(line(quantity="12")))


def delete_a_file(lake: Lake) -> None:
    (lake.landing / "2010-12-02.csv").unlink()


def lose_the_batches(lake: Lake, stage: str) -> None:
    for batch in lake.root.glob(f"{stage}/*/batch=*"):
        shutil.rmtree(batch)


def copy_a_file(lake: Lake) -> None:
    shutil.copy2(lake.landing / "2010-12-02.csv", lake.landing / "resent.csv")


def logged(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    """The lines that a task has logged, each with its level. Airflow writes them past Python's logging."""
    lines = re.findall(r"\[(\w+) *\] (.*?) +\[airflow\.task\.(?:operators|hooks)\.", capsys.readouterr().out)
    return [(level, text) for level, text in lines if "outside of the Task Runner" not in text]


@pytest.mark.usefixtures("lake_with_history")
class TestTaskWithoutWork:
    @pytest.mark.parametrize("task", ["ingest", "clean"])
    def test_nothing_is_submitted_without_a_change(
        self, render: Render, submitted: list[str], task: str
    ) -> None:
        operator, context = render(task)
        operator.execute(context)
        assert submitted == []

    @pytest.mark.parametrize(
        ("task", "counts"),
        [
            ("ingest", [("rows in", "4"), ("rejected: quantity_unreadable", "2"), ("rows out", "2")]),
            ("clean", [("rows in", "2"), ("rows out", "2")]),
        ],
        ids=["ingest", "clean"],
    )
    def test_the_log_says_so_and_has_the_table_of_counts(
        self,
        render: Render,
        submitted: list[str],
        capsys: pytest.CaptureFixture[str],
        task: str,
        counts: list[tuple[str, str]],
    ) -> None:
        operator, context = render(task)
        operator.execute(context)
        table = [("info", f"{name:<40} {count:>14}") for name, count in counts]
        assert logged(capsys)[: 1 + len(table)] == [
            ("info", "No landed file is new, changed or lost: Spark is not started"),
            *table,
        ]

    def test_the_manifests_record_the_run_that_did_nothing(
        self, render: Render, submitted: list[str], lake: Lake, settings: Segmentation
    ) -> None:
        for task in ("ingest", "clean"):
            operator, context = render(task, run_id="manual__2")
            operator.execute(context)
        stages = read_cleaned(lake.cleaned(settings.clean_fingerprint)).stages
        assert [stage.dag_run for stage in stages.values()] == ["manual__2", "manual__2"]
        assert [stage.application_id for stage in stages.values()] == [None, None]
        assert (stages["ingest"].files_converted, stages["clean"].files_cleaned) == (0, 0)

    def test_its_numbers_are_its_xcom_and_on_the_event_of_its_asset(
        self, render: Render, submitted: list[str]
    ) -> None:
        operator, context = render("ingest")
        operator.execute(context)
        numbers = context["ti"].xcoms["numbers"]  # type: ignore[attr-defined]
        assert (numbers["as_of"], numbers["variant"]) == ("2011-12-10", None)
        assert (numbers["rows_in"], numbers["rows_out"], numbers["files_converted"]) == (4, 2, 0)
        assert numbers["rejects"] == {"quantity_unreadable": 2}
        assert context["outlet_events"][Asset("rfm://ingested")].extra == numbers

    @pytest.mark.parametrize("task", ["rfm", "segment", "publish"])
    def test_the_other_tasks_are_always_submitted(
        self, render: Render, submitted: list[str], task: str
    ) -> None:
        operator, context = render(task)
        operator.execute(context)
        assert submitted == [f"{task}.py"]

    @pytest.mark.parametrize("change", [land_a_new_file, change_a_file], ids=lambda change: change.__name__)
    def test_a_new_and_a_changed_file_are_submitted_to_both(
        self,
        render: Render,
        submitted: list[str],
        lake: Lake,
        settings: Segmentation,
        change: Callable[[Lake], None],
    ) -> None:
        change(lake)
        operator, context = render("ingest")
        operator.execute(context)
        convert(lake, settings)  # as the submitted job would
        operator, context = render("clean")
        operator.execute(context)
        assert submitted == ["ingest.py", "clean.py"]

    @pytest.mark.parametrize(
        ("stage", "task"), [("ingested", "ingest"), ("cleaned", "clean"), ("orders", "clean")]
    )
    def test_a_lost_batch_is_submitted(
        self, render: Render, submitted: list[str], lake: Lake, stage: str, task: str
    ) -> None:
        lose_the_batches(lake, stage)
        operator, context = render(task)
        operator.execute(context)
        assert submitted == [f"{task}.py"]

    def test_a_deleted_file_leaves_the_manifests_without_a_submit(
        self, render: Render, submitted: list[str], lake: Lake, settings: Segmentation
    ) -> None:
        delete_a_file(lake)
        for task in ("ingest", "clean"):
            operator, context = render(task)
            operator.execute(context)
        assert submitted == []
        cleaned = read_cleaned(lake.cleaned(settings.clean_fingerprint))
        for files in (
            read_ingested(lake.ingested(settings.ingest_fingerprint)).files,
            *(cleaned.files, cleaned.orders.files, cleaned.ingested.files),
        ):
            assert list(files) == ["2010-12-01.csv"]

    def test_a_copy_of_a_known_file_is_warned_of_without_a_submit(
        self,
        render: Render,
        submitted: list[str],
        lake: Lake,
        settings: Segmentation,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        copy_a_file(lake)
        operator, context = render("ingest")
        operator.execute(context)
        assert submitted == []
        warning = "not counted: resent.csv has the same content as 2010-12-02.csv"
        assert logged(capsys)[0] == ("warning", warning)
        assert "resent.csv" not in read_ingested(lake.ingested(settings.ingest_fingerprint)).files


# -- after submitting ---------------------------------------------------------------------------

SparkSubmit = Callable[..., None]


@pytest.fixture
def spark_submit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SparkSubmit:
    """A spark-submit that prints some lines and exits."""

    def made(*lines: str, code: int, more: str = "") -> None:
        printed = "".join(f"echo '{text}'\n" for text in lines)
        (tmp_path / "bin").mkdir()
        file = tmp_path / "bin" / "spark-submit"
        file.write_text(f"#!/bin/sh\n{printed}{more}\nexit {code}\n")
        file.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)

    return made


def test_bad_data_fails_without_another_try_and_with_the_job_s_own_words(
    render: Render, spark_submit: SparkSubmit
) -> None:
    spark_submit("starting", f"{ERROR_MARK}ingest: no files", code=EXIT_USER_ERROR)
    assert refusal(*render()) == "ingest: no files"


def test_the_job_s_words_are_found_among_many_lines_and_a_traceback(
    render: Render, spark_submit: SparkSubmit
) -> None:
    many = [f"line {n}" for n in range(100)]
    words = "ingest: a.csv: line 1: column X"
    spark_submit("Exception: earlier", *many, f"{ERROR_MARK}{words}", "bye", code=EXIT_USER_ERROR)
    assert refusal(*render()) == words


@pytest.mark.parametrize("code", [1, 3, 20, 137, 255])
def test_anything_else_is_tried_again(render: Render, spark_submit: SparkSubmit, code: int) -> None:
    spark_submit(f"{ERROR_MARK}ingest: OSError: disk full", code=code)
    operator, context = render()
    with pytest.raises(AirflowException) as caught:
        operator.execute(context)
    assert not isinstance(caught.value, AirflowFailException)
    assert "disk full" in str(caught.value)


def test_the_exit_code_without_the_mark_of_a_job_is_tried_again(
    render: Render, spark_submit: SparkSubmit
) -> None:
    spark_submit("spark-submit: unknown option", code=EXIT_USER_ERROR)
    operator, context = render()
    with pytest.raises(AirflowException) as caught:
        operator.execute(context)
    assert not isinstance(caught.value, AirflowFailException)


def test_a_job_that_ends_well_ends_the_task_well(render: Render, spark_submit: SparkSubmit) -> None:
    spark_submit("done", code=0)
    operator, context = render()
    operator.execute(context)


def test_the_log_has_what_the_job_says_and_not_what_java_says_at_each_start(
    render: Render, spark_submit: SparkSubmit, capsys: pytest.CaptureFixture[str]
) -> None:
    spark_submit("WARNING: Using incubator modules: jdk.incubator.vector", "rfm INFO done", code=0)
    operator, context = render("rfm")
    operator.execute(context)
    messages = [message for _, message in logged(capsys)]
    assert "rfm INFO done" in messages
    assert not any("incubator" in message for message in messages)


@pytest.mark.parametrize(
    ("application", "server", "link"),
    [
        ("app-20261127-0001", "http://history:18080/", "http://history:18080/history/app-20261127-0001/"),
        ("app-20261127-0001", "", ""),
        ("local-1764200000000", "http://history:18080", ""),
    ],
    ids=["a cluster", "no history server", "this machine"],
)
def test_a_task_links_to_its_application_in_spark_s_history(
    render: Render,
    spark_submit: SparkSubmit,
    monkeypatch: pytest.MonkeyPatch,
    application: str,
    server: str,
    link: str,
) -> None:
    """Also where the job fails, which is when somebody wants to look."""
    spark_submit("bye", code=1, more=f'printf %s {application} > "${REPORT_VARIABLE}/{REPORTED_APPLICATION}"')
    monkeypatch.setenv(SPARK_HISTORY_VARIABLE, server)
    operator, context = render("rfm")
    with pytest.raises(AirflowException):
        operator.execute(context)
    assert SparkHistoryLink().get_link(operator, ti_key=None) == link


def test_the_environment_is_as_before_and_no_report_is_left(
    render: Render, spark_submit: SparkSubmit, tmp_path: Path
) -> None:
    spark_submit("done", code=0)
    operator, context = render()
    before = dict(os.environ)
    operator.execute(context)
    assert dict(os.environ) == before
    assert list((tmp_path / "lake" / ".reports").iterdir()) == []


def test_the_reason_is_the_last_line_of_the_task_s_log(caplog: pytest.LogCaptureFixture) -> None:
    log_reason(Context(exception=AirflowFailException("ingest: no files")))
    assert caplog.messages[-1] == "ingest: no files"


# -- ending a task ------------------------------------------------------------------------------


@pytest.fixture
def sleeping_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A driver that sleeps, ignores SIGTERM and has a child. It writes a file once it has started."""
    script = tmp_path / "sleeps.py"
    script.write_text(
        "import pathlib, subprocess, time, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '300'])\n"
        "pathlib.Path(__file__).with_name('started').write_text(str(child.pid))\n"
        "time.sleep(300)\n"
    )
    monkeypatch.setenv("SPARK_LOCAL_DIRS", str(tmp_path))
    monkeypatch.setenv("SPARK_SUBMIT_OPTS", f"-XX:-UsePerfData -Djava.io.tmpdir={tmp_path}")
    return script


def processes_of(operator: RfmSparkSubmitOperator) -> list[psutil.Process]:
    """The real spark-submit and everything below it: its JVM, its Python, and the child of that."""
    popen = submit_process(operator)
    assert popen
    submit = psutil.Process(popen.pid)
    return [submit, *submit.children(recursive=True)]


def test_an_ended_task_leaves_no_process(render: Render, sleeping_driver: Path) -> None:
    operator, context = render()
    operator.application = str(sleeping_driver)
    ended: list[AirflowException] = []

    def execute() -> None:
        try:
            operator.execute(context)
        except AirflowException as error:
            ended.append(error)

    task = threading.Thread(target=execute, daemon=True)
    task.start()
    family: list[psutil.Process] = []
    try:
        wait_for(sleeping_driver.with_name("started"), seconds=60)
        family = processes_of(operator)
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


def wait_for(file: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < deadline, f"no {file} after {seconds} s"
        time.sleep(0.2)


def test_ending_a_task_that_has_not_submitted_yet_does_no_harm(render: Render) -> None:
    operator, _ = render()
    operator.on_kill()
