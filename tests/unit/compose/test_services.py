"""docker-compose.yaml and the Dockerfile, as far as they can be checked without Docker."""

import re
from typing import Any

import pytest
import yaml

from include.commands.notebook import NOTEBOOKS
from include.pipeline import LAKE_VARIABLE, PROJECT

NOT_BESIDE_THE_OTHERS = ("airflow-init", "notebook")  # ends before they start; has a profile of its own


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())["services"]
    return loaded


@pytest.fixture(scope="module")
def notebook_image() -> str:
    """The last stage of the Dockerfile."""
    text = (PROJECT / "Dockerfile").read_text()
    return text[text.index("FROM base AS notebook") :]


def test_what_make_up_starts_has_room_in_8_gib(services: dict[str, Any]) -> None:
    limits = {name: int(service["mem_limit"].removesuffix("m")) for name, service in services.items()}
    assert sum(limits[name] for name in limits if name not in NOT_BESIDE_THE_OTHERS) < 8 * 1024


def test_notebooks_read_the_lake_that_is_mounted_and_cannot_change_it(services: dict[str, Any]) -> None:
    notebook = services["notebook"]
    assert f"{notebook['environment'][LAKE_VARIABLE]}:ro" in [
        volume.partition(":")[2] for volume in notebook["volumes"]
    ]


def test_notebooks_have_the_code_that_they_import_and_are_copied_to_the_volume(
    services: dict[str, Any], notebook_image: str
) -> None:
    code = re.search(r"COPY \. (\S+)", notebook_image)
    home = re.search(r"WORKDIR (\S+)", notebook_image)
    assert code and home and f"PYTHONPATH={code[1]}" in notebook_image
    assert f"cp -n {code[1]}/{NOTEBOOKS.relative_to(PROJECT)}/*.ipynb notebooks/" in notebook_image
    assert f"notebooks:{home[1]}/notebooks" in services["notebook"]["volumes"]
    assert len([*NOTEBOOKS.glob("*.ipynb")]) == 2
