"""The rules of the house: which room may import what, and what a module may look like.

The rooms and their directions are those of CONTRIBUTING.md. Every rule is a function of a folder, so that
the tests at the end can break it in a copy.
"""

import ast
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from include.pipeline import PROJECT, TASKS

# From top to bottom: a room imports from the levels below its own, and from itself.
LEVELS = (
    {"dags", "plugins", "spark_jobs"},
    {"include.orchestration", "include.pages", "include.commands", "include.spark"},
    {"include.published"},
    {"include.lake"},
    {"include.landing", "include.as_of"},
    {"include.settings"},
    {"include.shop_formats"},
    {"include.config_files"},
    {"include.pipeline", "include.errors", "include.watchdog", "include.schedule"},
)
LEVEL_OF = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
CODE = ("dags", "plugins", "spark_jobs", "include")
PLACES_OF_PYSPARK = ("spark_jobs", "include.spark")
PLACES_OF_AIRFLOW = ("dags", "plugins", "include.orchestration", "include.pages.app")
LONGEST_FUNCTION, LONGEST_MAIN, MOST_PARAMETERS = 40, 15, 5


def modules(root: Path) -> dict[str, ast.Module]:
    """The code by dotted name. Packages without code of their own are left out."""
    found = {}
    for folder in CODE:
        for path in sorted((root / folder).rglob("*.py")):
            if path.name != "__init__.py" or path.stat().st_size:
                name = ".".join(path.relative_to(root).with_suffix("").parts)
                found[name.removesuffix(".__init__")] = ast.parse(path.read_text())
    return found


def imports(tree: ast.AST) -> Iterator[str]:
    """The dotted names that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room_of(name: str) -> str | None:
    """The room of a module, or None for one that is not ours."""
    parts = name.split(".")
    if parts[0] == "include" and len(parts) > 1:
        return ".".join(parts[:2])
    return parts[0] if parts[0] in CODE else None


def is_below(name: str, places: tuple[str, ...]) -> bool:
    return any(f"{name}.".startswith(f"{place}.") for place in places)


# -- the rules ----------------------------------------------------------------------------------


def arrows_in_the_wrong_direction(root: Path) -> list[str]:
    wrong = []
    for module, tree in modules(root).items():
        own = room_of(module)
        for imported in imports(tree):
            room = room_of(imported)
            if imported.startswith("."):
                wrong.append(f"{module} imports relatively")
            elif own is None or room is None or room == own:
                continue
            elif own not in LEVEL_OF or room not in LEVEL_OF:
                wrong.append(f"{module} -> {imported}: one of them is in no room of the design")
            elif LEVEL_OF[room] <= LEVEL_OF[own]:
                wrong.append(f"{module} -> {imported}: {room} is not below {own}")
        if is_below(module, ("dags", "plugins", "spark_jobs")):
            wrong += [f"{module} -> {i}: a neighbour" for i in imports(tree) if is_below(i, CODE[:3])]
    return wrong


def circles(root: Path) -> list[str]:
    """Modules that import themselves by way of others."""
    known = modules(root)
    arrows = {
        module: {target for name in imports(tree) if (target := target_of(name, known)) and target != module}
        for module, tree in known.items()
    }
    return [module for module in arrows if module in reached_from(module, arrows)]


def target_of(imported: str, known: dict[str, ast.Module]) -> str | None:
    """The module behind `from module import name`, or `import module`."""
    return next((name for name in (imported, imported.rpartition(".")[0]) if name in known), None)


def reached_from(start: str, arrows: dict[str, set[str]]) -> set[str]:
    reached, waiting = set[str](), list(arrows[start])
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += arrows[module]
    return reached


def engines_out_of_place(root: Path) -> list[str]:
    """pyspark and airflow where they do not belong."""
    wrong = []
    for module, tree in modules(root).items():
        for package, places in (("pyspark", PLACES_OF_PYSPARK), ("airflow", PLACES_OF_AIRFLOW)):
            if not is_below(module, places):
                wrong += [f"{module} imports {i}" for i in imports(tree) if is_below(i, (package,))]
    return wrong


def names_of_the_standard_library(root: Path) -> list[str]:
    paths = [path for folder in (*CODE, "tests") for path in (root / folder).rglob("*.py")]
    return [str(path) for path in paths if path.stem in sys.stdlib_module_names]


def functions_too_long(root: Path) -> list[str]:
    wrong = []
    for module, node in functions(root):
        lines = (node.end_lineno or 0) - node.lineno + 1
        is_job_main = module.startswith("spark_jobs.") and node.name == "main"
        if lines > (LONGEST_MAIN if is_job_main else LONGEST_FUNCTION):
            wrong.append(f"{module}.{node.name} has {lines} lines")
    return wrong


def signatures_too_wide(root: Path) -> list[str]:
    wrong = []
    for module, node in functions(root):
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        names = [parameter.arg for parameter in parameters if parameter.arg not in ("self", "cls")]
        if len(names) > MOST_PARAMETERS:
            wrong.append(f"{module}.{node.name} has the parameters {', '.join(names)}")
    return wrong


def functions(root: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    for module, tree in modules(root).items():
        yield from ((module, node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


RULES: list[Callable[[Path], list[str]]] = [
    arrows_in_the_wrong_direction,
    circles,
    engines_out_of_place,
    names_of_the_standard_library,
    functions_too_long,
    signatures_too_wide,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_has_none_of(rule: Callable[[Path], list[str]]) -> None:
    assert rule(PROJECT) == []


# -- jobs ---------------------------------------------------------------------------------------

PYTHON_ON_EXECUTORS = {"udf", "udtf", "pandas_udf", "mapInPandas", "applyInPandas", "mapInArrow"}
PYTHON_ON_EXECUTORS |= {"applyInArrow", "foreach", "foreachPartition", "toPandas", "rdd", "toLocalIterator"}


@pytest.mark.parametrize("task", TASKS)
def test_a_job_runs_no_python_function_on_the_executors_but_for_reading(task: str) -> None:
    tree = modules(PROJECT)[f"spark_jobs.{task}"]
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {name.rpartition(".")[2] for name in imports(tree)}
    assert not names & PYTHON_ON_EXECUTORS


@pytest.mark.parametrize("task", TASKS)
def test_a_job_is_a_documented_script_with_a_main(task: str) -> None:
    tree = modules(PROJECT)[f"spark_jobs.{task}"]
    assert (ast.get_docstring(tree) or "").startswith(f"{task}: ")
    assert "main" in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def test_only_the_connection_says_where_a_job_runs() -> None:
    for module, tree in modules(PROJECT).items():
        if is_below(module, PLACES_OF_PYSPARK) and module != "include.spark.class_archive":
            for word in (".master(", "local[", "spark.master", "spark.executor.", "driver.memory"):
                assert word not in ast.unparse(tree), (module, word)


def test_there_is_a_job_for_each_task() -> None:
    jobs = {module.partition(".")[2] for module in modules(PROJECT) if module.startswith("spark_jobs.")}
    assert jobs == set(TASKS)


# -- the rules find what breaks them --------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the house, to break."""
    for folder in (*CODE, "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "docs", "*.svg")
        shutil.copytree(PROJECT / folder, tmp_path / folder, ignore=ignored)
    return tmp_path


@pytest.mark.parametrize(
    ("module", "text", "rule"),
    [
        ("include/lake/x.py", "from include.published.tables import REJECTS", arrows_in_the_wrong_direction),
        ("include/spark/x.py", "import include.commands.run", arrows_in_the_wrong_direction),
        ("include/landing/x.py", "from include import as_of", arrows_in_the_wrong_direction),
        ("include/lake/x.py", "from .paths import Lake", arrows_in_the_wrong_direction),
        ("include/lake/x.py", "from spark_jobs.rfm import main", arrows_in_the_wrong_direction),
        ("include/attic/x.py", "from include.lake.paths import Lake", arrows_in_the_wrong_direction),
        ("spark_jobs/x.py", "from spark_jobs.rfm import main", arrows_in_the_wrong_direction),
        ("include/errors.py", "from include.pipeline import TASKS", arrows_in_the_wrong_direction),
        ("include/lake/paths.py", "def f():\n    from include.lake.commit import alive", circles),
        ("include/published/x.py", "from pyspark.sql import functions", engines_out_of_place),
        ("include/commands/x.py", "def f():\n    import airflow.sdk", engines_out_of_place),
        ("include/pages/x.py", "from airflow.sdk import DAG", engines_out_of_place),
        ("include/spark/queue.py", "", names_of_the_standard_library),
        ("tests/unit/csv.py", "", names_of_the_standard_library),
        ("dags/x.py", "def f():\n" + "    f()\n" * 40, functions_too_long),
        ("spark_jobs/x.py", "def main():\n" + "    f()\n" * 15, functions_too_long),
        ("include/settings.py", "def f(a, b, c, d, e, *, g=1):\n    pass", signatures_too_wide),
    ],
)
def test_a_rule_finds_the_file_that_breaks_it(
    house: Path, module: str, text: str, rule: Callable[[Path], list[str]]
) -> None:
    before = rule(house)
    file = house / module
    file.parent.mkdir(exist_ok=True)
    file.write_text((file.read_text() if file.exists() else "") + "\n" + text + "\n")
    assert len(rule(house)) > len(before)
