"""What import-linter cannot see: who may read the environment, and what an application may import.

The layers themselves are contracts in `pyproject.toml`; `make check` proves them.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import turnkeeper.documents

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "turnkeeper"
APPS = sorted(path for path in (ROOT / "apps").iterdir() if (path / "pyproject.toml").is_file())

# The environment belongs to the person who starts a process: the command line reads it, and so does a constructor
# that says so by its name.
READS_ENVIRONMENT = {"from_env"}


def parse(path: Path) -> ast.Module:
    """Return the module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Yield (line, module, name) of every absolute import; the name is empty for `import module`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.lineno, node.module, alias.name) for alias in node.names)


def is_public(module: str, name: str) -> bool:
    """Return whether a user of the library may rely on this import."""
    match module.split("."):
        case ["turnkeeper"]:
            return not name or name in turnkeeper.__all__
        case ["turnkeeper", "documents"]:
            return name in turnkeeper.documents.__all__
        case ["turnkeeper", "testing", *modules]:
            return not any(part.startswith("_") for part in (*modules, name))
        case ["turnkeeper", "channels", channel]:
            return not channel.startswith("_") and not name.startswith("_")
        case _:
            return False


@pytest.mark.parametrize("app", APPS, ids=[path.name for path in APPS])
def test_applications_import_public_names_only(app: Path) -> None:
    """A reference application is built from what every user has."""
    private = [
        f"{path.relative_to(ROOT)}:{line} {module} {name}"
        for path in sorted(app.rglob("*.py"))
        for line, module, name in imports(parse(path))
        if module.split(".")[0] == "turnkeeper" and not is_public(module, name)
    ]

    assert not private, (
        "an application imports turnkeeper, turnkeeper.documents, turnkeeper.testing and turnkeeper.channels.* only"
    )


def test_the_library_leaves_the_environment_alone() -> None:
    """Only the command line and `from_env` constructors read the environment."""
    readers = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted(SRC.rglob("*.py"))
        if "cli" not in path.relative_to(SRC).parts
        for line in environment_reads(parse(path))
    ]

    assert not readers, f"read the environment in cli/, apps/ or in {', '.join(READS_ENVIRONMENT)}"


def environment_reads(node: ast.AST) -> Iterator[int]:
    """Yield the lines that read the environment outside the functions that may."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and child.name in READS_ENVIRONMENT:
            continue
        if isinstance(child, ast.Attribute) and ast.unparse(child) in {"os.environ", "os.getenv"}:
            yield child.lineno
        if isinstance(child, ast.ImportFrom) and child.module == "os":
            yield from (child.lineno for alias in child.names if alias.name in {"environ", "getenv"})
        yield from environment_reads(child)
