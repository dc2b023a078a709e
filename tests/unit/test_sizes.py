"""Small things stay findable: a size warns at its first number and fails at its second.

Of a function its docstring does not count: it is the contract, and no function is worse for having one.
"""

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

# The first number of each pair is shown as a warning, so these warnings are no failures.
pytestmark = pytest.mark.filterwarnings("default::UserWarning")

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "apps", "tests", "benchmarks", "tools", "examples")

MODULE_LINES = (250, 500)
FUNCTION_LINES = (40, 70)
LUA_LINES = (80, 150)
INIT_LINES = (60, 120)
FILES_IN_A_FOLDER = 12
LONGEST_SLEEP = 0.1
"""Seconds a test may really wait; what takes longer moves the clock (whose own `sleep` costs no time)."""
REAL_SLEEPS = {"anyio.sleep", "asyncio.sleep", "sleep", "time.sleep"}

FORBIDDEN_NAMES = {"base", "core", "data", "info", "process"}
FORBIDDEN_WORDS = {"common", "helper", "helpers", "manager", "managers", "misc", "stuff", "util", "utils"}


def files(pattern: str) -> list[Path]:
    """Return all files of ours with such a name."""
    found = (path for folder in FOLDERS for path in (ROOT / folder).rglob(pattern) if path.is_file())
    return sorted(path for path in found if path.parent.name != "__pycache__")


def parse(path: Path) -> ast.Module:
    """Return the module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def count_lines(path: Path) -> int:
    """Return how many lines the file has."""
    return len(path.read_text(encoding="utf-8").splitlines())


def docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines the docstring takes."""
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return (first.end_lineno or first.lineno) - first.lineno + 1
    return 0


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def judge(what: str, found: list[tuple[str, int]], *, warn: int, fail: int) -> None:
    """Warn about what is above the first number; fail with what is above the second."""
    long = [f"{name}: {lines}" for name, lines in found if warn < lines <= fail]
    too_long = [f"{name}: {lines}" for name, lines in found if lines > fail]
    if long:
        warnings.warn(f"{what} should have at most {warn} lines; {', '.join(long)}", stacklevel=2)

    assert not too_long, f"{what} may have at most {fail} lines"


def label(path: Path) -> str:
    """Return the path as seen from the repository's root."""
    return str(path.relative_to(ROOT))


def test_modules_are_small() -> None:
    """A module can be read in one go."""
    found = [(label(path), count_lines(path)) for path in files("*.py")]

    judge("a module", found, warn=MODULE_LINES[0], fail=MODULE_LINES[1])


def test_functions_are_small() -> None:
    """A function fits on a screen."""
    found = [
        (f"{label(path)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1 - docstring_lines(node))
        for path in files("*.py")
        for node in functions(parse(path))
    ]

    judge("a function", found, warn=FUNCTION_LINES[0], fail=FUNCTION_LINES[1])


def test_lua_scripts_are_small() -> None:
    """One script, one transition."""
    found = [(label(path), count_lines(path)) for path in files("*.lua")]

    judge("a Lua script", found, warn=LUA_LINES[0], fail=LUA_LINES[1])


def test_inits_only_name_things() -> None:
    """An `__init__` says what a package offers; what it does stands in a module with a name."""
    found = [(label(path), count_lines(path)) for path in files("__init__.py")]

    judge("an __init__", found, warn=INIT_LINES[0], fail=INIT_LINES[1])


def test_folders_are_small() -> None:
    """A folder can be taken in at a glance. This one only warns: splitting a folder in two is not always better."""
    folders = {path.parent for path in files("*")}

    counts = {folder: len([path for path in folder.iterdir() if path.is_file()]) for folder in sorted(folders)}
    full = [f"{label(folder)}: {count}" for folder, count in counts.items() if count > FILES_IN_A_FOLDER]
    if full:
        warnings.warn(f"a folder should hold at most {FILES_IN_A_FOLDER} files; {', '.join(full)}", stacklevel=1)

    assert counts


def test_names_say_what_is_inside() -> None:
    """No file or folder has a name that fits everything."""
    found = [
        label(path)
        for path in files("*.py")
        for name in (Path(part).stem for part in path.relative_to(ROOT).parts)
        if name in FORBIDDEN_NAMES or FORBIDDEN_WORDS & set(name.split("_"))
    ]

    assert not found, "a name must tell what is inside; these would fit everything"


def test_tests_do_not_wait() -> None:
    """A test moves the clock; a real wait is slow on a good day and wrong on a bad one."""
    found = [
        f"{label(path)}:{call.lineno}"
        for path in files("*.py")
        if "tests" in path.parts or path.name == "conftest.py"
        for call in ast.walk(parse(path))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in REAL_SLEEPS
        and any(seconds >= LONGEST_SLEEP for seconds in literal_numbers(call.args))
    ]

    assert not found, f"a test may wait less than {LONGEST_SLEEP} s"


def literal_numbers(arguments: list[ast.expr]) -> Iterator[float]:
    """Yield the arguments that are numbers written out."""
    for argument in arguments:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, int | float):
            yield argument.value
