"""A lake of the test's own."""

from pathlib import Path

import pytest

from include.lake.paths import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "a lake")
    lake.landing.mkdir(parents=True)
    return lake
