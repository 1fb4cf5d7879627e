"""Runs a notebook from top to bottom, reads its outputs, and renders it for readers without Jupyter."""

import html
import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.commands.notebook import JUPYTER

Row = dict[str, str]


@dataclass(frozen=True)
class Executed:
    """A notebook with its outputs, in the folder in which it ran."""

    file: Path

    @property
    def outputs(self) -> list[dict[str, Any]]:
        cells = json.loads(self.file.read_text())["cells"]
        return [output for cell in cells for output in cell.get("outputs", [])]

    @property
    def printed(self) -> str:
        return "".join("".join(output["text"]) for output in self.outputs if output.get("name") == "stdout")

    @property
    def pictures(self) -> list[str]:
        return ["".join(data["text/html"]) for data in self.shown() if "image/svg+xml" in data]

    def table(self, *columns: str) -> list[Row]:
        """The rows of the first table with these columns; the index is in the column without a name."""
        for data in self.shown():
            rows = rows_of("".join(data.get("text/html", "")))
            if rows and rows[0].keys() >= set(columns):
                return rows
        raise AssertionError(f"no table with {columns}")

    def shown(self) -> list[dict[str, list[str]]]:
        return [output["data"] for output in self.outputs if "data" in output]


def rows_of(text: str) -> list[Row]:
    """The rows of a table of pandas, whose index may have its name in a second line of the header."""
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"(?s)<tr.*?</tr>", text)]
    if not found:
        return []
    header, *rows = [[html.unescape(cell) for cell in row] for row in found]
    return [dict(zip(header, row, strict=True)) for row in rows if any(row[1:])]


def nbconvert(options: Sequence[str], folder: Path, given: Mapping[str, str]) -> None:
    own = {name: str(folder) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    command = [str(JUPYTER), "-m", "nbconvert", *options]
    done = subprocess.run(
        command, env={**given, **own}, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-5000:]


def execute(notebook: Path, folder: Path, environment: Mapping[str, str]) -> Executed:
    """Run a copy of a notebook in a folder. A cell that raises fails the test with its traceback."""
    copy = folder / notebook.name
    copy.write_bytes(notebook.read_bytes())
    nbconvert(["--to", "notebook", "--execute", "--inplace", copy.name], folder, environment)
    return Executed(copy)


def render(executed: Executed, to: Path) -> Path:
    """Write a notebook with its outputs as Markdown, with its pictures beside it; returns the file."""
    notebook = json.loads(executed.file.read_text())
    for cell in notebook["cells"]:
        if "outputs" in cell:
            cell["outputs"] = [for_markdown(output) for output in cell["outputs"] if not is_warning(output)]
    folder = executed.file.parent / "to render"
    folder.mkdir(exist_ok=True)
    (folder / executed.file.name).write_text(json.dumps(notebook))
    to.mkdir(parents=True, exist_ok=True)
    nbconvert(["--to", "markdown", "--output-dir", str(to), executed.file.name], folder, os.environ)
    rendered = to / f"{executed.file.stem}.md"
    for picture in (to / f"{executed.file.stem}_files").iterdir():
        name_picture(rendered, picture)
    return rendered


def name_picture(rendered: Path, picture: Path) -> None:
    """Give a picture the words that it has for screen readers."""
    label = re.search(r'aria-label="([^"]*)"', picture.read_text())
    place = f"]({picture.parent.name}/{picture.name})"
    text = rendered.read_text()
    rendered.write_text(text.replace(f"![svg{place}", f"![{html.unescape(label[1]) if label else ''}{place}"))


def is_warning(output: Mapping[str, Any]) -> bool:
    return output.get("name") == "stderr"


def for_markdown(output: dict[str, Any]) -> dict[str, Any]:
    """An output without what sites that show Markdown leave out: SVG inside of HTML, and style sheets."""
    data = output.get("data", {})
    if "image/svg+xml" in data:
        data = {"image/svg+xml": data["image/svg+xml"]}
    elif "text/html" in data:
        data = {"text/html": re.sub(r"(?s)<style.*?</style>\s*", "", "".join(data["text/html"]))}
    return output | {"data": data} if data else output
