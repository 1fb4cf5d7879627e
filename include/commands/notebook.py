"""`make notebook`: JupyterLab on a lake, on this machine's loopback with a token, until Ctrl-C.

The notebooks are copied to `notebooks/` and opened there, so that running them changes nothing in git. A
copy is never overwritten; delete it for a fresh one.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from include.commands.terminal import say, say_error
from include.errors import ConfigError, UserError
from include.lake.paths import Lake
from include.pipeline import LAKE_VARIABLE, PROJECT
from include.published.catalog import published_snapshots

NOTEBOOKS = PROJECT / "include" / "notebooks"
JUPYTER = PROJECT / ".cache" / "notebook-venv" / "bin" / "python"
# Jupyter takes another port where this one is taken, and prints the address. It asks nobody for updates.
OPTIONS = ["--ip=127.0.0.1", "--port=8888", "--no-browser", "--allow-root"]
OPTIONS += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]


def refuse_empty_lake(lake: Lake) -> None:
    """Raises ConfigError where there is no snapshot to open the notebooks on."""
    if not lake.root.is_dir() or all(name.variant for name in published_snapshots(lake)):
        raise ConfigError(f"LAKE: {lake.root} has no published snapshot; make one with `make run`")


def copy_notebooks(to: Path) -> None:
    to.mkdir(exist_ok=True)
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        if not (to / notebook.name).exists():
            shutil.copyfile(notebook, to / notebook.name)


def environment_of(lake: Lake, cache: Path) -> dict[str, str]:
    """What Jupyter and its kernels get. Jupyter keeps its own files in the cache, not in the user's home."""
    own = {name: str(cache) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    return os.environ | own | {LAKE_VARIABLE: str(lake.root)}


def open_notebooks(folder: Path, environment: Mapping[str, str]) -> None:
    """Become JupyterLab, in the folder of the copies."""
    os.chdir(folder)
    os.execve(JUPYTER, [str(JUPYTER), "-m", "jupyterlab", *OPTIONS], environment)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="make notebook", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lake", type=Path, help="a lake with a published snapshot")
    lake, folder = Lake(parser.parse_args(argv).lake.absolute()), PROJECT / "notebooks"
    try:
        refuse_empty_lake(lake)
        copy_notebooks(folder)
    except UserError as error:
        say_error("make notebook", error)
        return 2
    say(f"lake       {lake.root}\nnotebooks  {folder}, your copies")
    open_notebooks(folder, environment_of(lake, PROJECT / ".cache" / "jupyter"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
