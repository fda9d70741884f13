"""Every security case of the control plane has a test that is named by its number, where the page says it is."""

import ast

from tests.support.security_cases import Case, cases, not_tried
from tests.tidy.tree import ROOT, syntax

CASES = list(cases())


def named(file: str) -> list[str]:
    functions = (
        node for node in ast.walk(syntax(ROOT / file)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return [function.name for function in functions if function.name.startswith("test_")]


def test_every_case_has_a_test_of_its_number():
    numbers = {case.number for case in CASES}
    assert {f"C{number:02}" for number in range(1, 28)} <= numbers
    assert {"CVE-2026-42208", "Portkey 1718", "37618"} <= numbers
    missing = [case for case in CASES if not any(case.is_of(test) for test in named(case.file))]
    assert missing == []


def test_a_case_that_did_not_pass_where_its_file_ran_is_told():
    of_mail = [case for case in CASES if case.file.endswith("test_mail.py")]
    assert of_mail == [Case("C11", "c11", "tests/unit/control_plane/test_mail.py")]
    [case] = of_mail
    assert not_tried([f"{case.file}::test_another"]) == [case]
    assert not_tried([f"{case.file}::test_c11_a_header_cannot_be_added[x]"]) == []
    assert not_tried([]) == []
