"""The scripts of the image give each process its settings. They run here with another folder for /opt."""

import os
import shlex
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from include.pipeline import PROJECT

PRINT_ARGUMENTS = '#!/usr/bin/env bash\nprintf "%s\\n" "$SPARK_CONF_DIR" "$SPARK_SUBMIT_OPTS" "$@"\n'
SPARK = {"SPARK_AUTH_SECRET": "a secret", "SPARK_UI_PASSWORD": "shown to Spark"}


@pytest.fixture
def opt(tmp_path: Path) -> Path:
    """The image's /opt: the scripts with their paths changed, and a spark-submit that prints its input."""
    opt = tmp_path / "opt"
    for room in ("compose", "spark"):
        shutil.copytree(PROJECT / "include" / room, opt / "rfm" / "include" / room)
    for script in ("entrypoint", "bin/spark-submit", "spark-defaults.conf"):
        path = opt / "rfm" / "include" / "compose" / script
        path.write_text(path.read_text().replace("/opt/", f"{opt}/"))
    for folder in ("spark-conf", "venv/bin"):
        (opt / folder).mkdir(parents=True)
    (opt / "venv" / "bin" / "spark-submit").write_text(PRINT_ARGUMENTS)
    (opt / "venv" / "bin" / "spark-submit").chmod(0o755)
    return opt


def run(opt: Path, script: str, *arguments: str, **environment: str) -> str:
    """The output of a script of include/compose/."""
    command = [str(opt / "rfm" / "include" / "compose" / script), *arguments]
    given = {"PATH": os.environ["PATH"], "SPARK_CONF_DIR": str(opt / "spark-conf")} | environment
    return subprocess.run(command, env=given, capture_output=True, text=True, check=True).stdout


def options(name: str) -> list[str]:
    lines = (PROJECT / "include" / "spark" / f"{name}.options").read_text().splitlines()
    return [line for line in lines if line.startswith("-")]


def class_archive(opt: Path) -> list[str]:
    command = [str(PROJECT / "include" / "spark" / "java_options"), "class_archive", f"{opt}/spark.jsa"]
    return shlex.split(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


# -- the entrypoint -----------------------------------------------------------------------------


def spark_defaults(opt: Path) -> dict[str, str]:
    lines = (opt / "spark-conf" / "spark-defaults.conf").read_text().splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))


def test_executors_start_with_the_class_archive_and_the_options_of_long_jobs(opt: Path) -> None:
    run(opt, "entrypoint", "true", **SPARK)
    assert shlex.split(spark_defaults(opt)["spark.executor.extraJavaOptions"]) == [
        *class_archive(opt),
        f"-Dlog4j2.configurationFile={opt}/spark-conf/log4j2.properties",
        *options("long_job"),
    ]
    assert (opt / "spark-conf" / "log4j2.properties").is_file()


def test_services_of_spark_have_the_options_of_short_jobs(opt: Path) -> None:
    printed = run(opt, "entrypoint", "printenv", "SPARK_DAEMON_JAVA_OPTS", **SPARK)
    assert printed.split() == options("short_job")


def test_options_that_the_container_has_already_are_kept(opt: Path) -> None:
    given = {"SPARK_DAEMON_JAVA_OPTS": "-Xss4m"}
    assert run(opt, "entrypoint", "printenv", "SPARK_DAEMON_JAVA_OPTS", **SPARK, **given) == "-Xss4m\n"


def test_a_container_without_spark_gets_no_settings_for_it(opt: Path) -> None:
    assert "SPARK_DAEMON_JAVA_OPTS" not in run(opt, "entrypoint", "env")
    assert list((opt / "spark-conf").iterdir()) == []


def test_secrets_go_to_files_that_only_the_user_can_read(opt: Path) -> None:
    passwords = opt / "passwords.json"
    admin = {"ADMIN_PASSWORD": "hidden", "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords)}
    printed = run(opt, "entrypoint", "env", **SPARK, **admin)
    assert "a secret" not in printed and "hidden" not in printed
    assert spark_defaults(opt)["spark.authenticate.secret"] == "a secret"
    assert passwords.read_text() == '{"admin": "hidden"}\n'
    for file in (passwords, opt / "spark-conf" / "spark-defaults.conf"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


# -- spark-submit -------------------------------------------------------------------------------


def test_drivers_start_with_the_class_archive_and_the_options_of_short_jobs(opt: Path) -> None:
    conf_dir, java, *arguments = run(
        opt, "bin/spark-submit", "--master", "spark://host", "job.py"
    ).splitlines()
    assert conf_dir == f"{opt}/no-conf"
    assert arguments == [
        "--properties-file",
        f"{opt}/spark-conf/spark-defaults.conf",
        "--master",
        "spark://host",
        "job.py",
    ]
    assert shlex.split(java) == [
        *class_archive(opt),
        f"-Dlog4j2.configurationFile={opt}/spark-conf/log4j2.properties",
        f"-Dspark.pyspark.driver.python={opt}/rfm/include/spark/driver_python",
        *options("short_job"),
    ]


def test_options_of_the_caller_replace_those_of_short_jobs(opt: Path) -> None:
    java = run(opt, "bin/spark-submit", "job.py", SPARK_SUBMIT_OPTS="-Xss4m").splitlines()[1]
    assert shlex.split(java)[-1] == "-Xss4m"
    assert not set(options("short_job")) & set(shlex.split(java))
