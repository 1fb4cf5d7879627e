"""Small exports as shops really write them, and what has to come out. They are not part of the project:
RFM_SHAPES names their folder, with `expected.json` in it."""

import json
import os
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from include.pipeline import PROJECT
from tests.tables import LONG_AGO

SHAPES = Path(os.environ.get("RFM_SHAPES") or "nowhere")
EXPECTED: dict[str, dict[str, Any]] = (
    json.loads((SHAPES / "expected.json").read_text()) if SHAPES.is_dir() else {}
)
SKIPPED = "RFM_SHAPES is not set: no inputs to read"
# What a shop has to configure for its shape.
SETTINGS: dict[str, dict[str, Any]] = {
    "02": {"landing": {"formats": ["generic"]}},
    "07": {"invoice_in_several_files": "newest"},
    "08": {"invoice_in_several_files": "newest"},
    "15": {"invoice_in_several_files": "newest"},
    "18": {"excluded_stock_codes": ["POST", "BANK CHARGES", "TEST*", "gift_*", "AMAZONFEE", "M", "D", "B"]},
}
SOME_ARE_LISTED = {"35"}
NOT_IN_THE_DESIGN = {"33": "a map of merged customer ids"}

Figures = tuple[str, str, int, Decimal, Decimal, Decimal]  # first, last, frequency, monetary, gross, returned


def configured(folder: Path, shape: str) -> Path:
    """A copy of the configuration with the settings of a shape."""
    shutil.copytree(PROJECT / "include" / "config", folder)
    file = folder / "segmentation.yaml"
    values = yaml.safe_load(file.read_text())
    for key, value in SETTINGS.get(shape, {}).items():
        values[key] = values[key] | value if isinstance(value, dict) else value
    file.write_text(yaml.safe_dump(values))
    return folder


def landed(shape: str, landing: Path) -> Path:
    (folder,) = SHAPES.glob(f"{shape}-*")
    shutil.copytree(folder, landing)
    for file in landing.rglob("*"):
        os.utime(file, (LONG_AGO, LONG_AGO))
    return landing


def figures(values: dict[str, Any]) -> Figures:
    monetary, gross, returned = (Decimal(values[name]) for name in ("monetary", "gross", "returned"))
    return values["first"], values["last"], int(values["frequency"]), monetary, gross, returned


def is_as_expected(shape: str, found: dict[str, Figures]) -> bool:
    """Whether the customers are those of expected.json, with their figures."""
    wanted = {customer: figures(values) for customer, values in EXPECTED[shape]["customers"].items()}
    listed = wanted.keys() if shape in SOME_ARE_LISTED else found.keys()
    return {customer: found[customer] for customer in listed} == wanted
