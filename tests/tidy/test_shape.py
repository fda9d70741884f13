"""The size and the naming of the code: limits that only ever go down."""

import ast

import pytest

from tests.tidy.tree import PACKAGES, ROOT, files, name, python_files, syntax

FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 600
# Written by Alembic, and looked through; a slot of a feature that only declares is shown by its routes' tests.
GENERATED = "control_plane/db/migrations/"
DECLARATIONS = frozenset({"tables.py", "schema.py", "parameters.py", "all_tables.py"})
CODE = [path for path in python_files(*PACKAGES, "bench", "tests", "sdk") if GENERATED not in path.as_posix()]

# Names that say nothing: whatever is in such a module or class has a better one.
EMPTY_MODULE_NAMES = frozenset(
    {"utils", "util", "helpers", "helper", "types", "common", "misc", "manager", "processor"}
)
EMPTY_CLASS_ENDINGS = ("Manager", "Processor", "Helper", "Util", "Utils")

# Sources whose behaviour is proved by the tests named here and not by a unit test of their own.
TESTED_ELSEWHERE: dict[str, str] = {}


def functions(tree: ast.Module):
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_functions_fit_on_a_screen():
    long = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in CODE
        for node in functions(syntax(path))
        if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_modules_can_be_read_in_one_sitting():
    assert [name(path) for path in CODE if len(path.read_text().splitlines()) > MODULE_LINES_MAX] == []


def test_modules_and_classes_are_named_for_what_they_do():
    modules = [name(path) for path in files() if path.stem.lower() in EMPTY_MODULE_NAMES]
    classes = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in CODE
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.ClassDef) and node.name.endswith(EMPTY_CLASS_ENDINGS)
    ]
    assert modules + classes == []


def test_every_module_opens_with_what_it_owns():
    modules = [path for path in python_files(*PACKAGES, "bench") if path.read_text()]
    assert [name(path) for path in modules if not ast.get_docstring(syntax(path))] == []


def test_no_bare_except():
    bare = [
        f"{name(path)}:{node.lineno}"
        for path in CODE
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert bare == []


@pytest.mark.parametrize("package", PACKAGES)
def test_one_source_file_has_one_test_file(package):
    sources = [
        path
        for path in python_files(package)
        if path.name not in {"__init__.py", "__main__.py"} | DECLARATIONS and GENERATED not in path.as_posix()
    ]
    missing = [
        name(path)
        for path in sources
        if name(path) not in TESTED_ELSEWHERE
        and not (ROOT / "tests/unit" / path.relative_to(ROOT).parent / f"test_{path.name}").exists()
    ]
    assert missing == []


def test_no_unit_test_outlives_its_source():
    tests = [path for path in python_files("tests/unit") if path.name.startswith("test_")]
    orphans = [
        name(path)
        for path in tests
        if not (ROOT / path.relative_to(ROOT / "tests/unit").parent / path.name.removeprefix("test_")).exists()
    ]
    assert orphans == []


def test_exceptions_to_the_rule_are_still_needed():
    gone = [
        source
        for source, proof in TESTED_ELSEWHERE.items()
        if not (ROOT / source).exists() or not (ROOT / proof).exists()
    ]
    assert gone == []
