"""Owns what text in a cell of a table may be: what a spreadsheet would compute is marked as text. Pure.

Models, users and tags are named by callers, and whoever opens an export is not who named them.
https://owasp.org/www-community/attacks/CSV_Injection
"""

import re
from typing import Final

# Both in the syntax that Python and RE2 (which Arrow searches with) have in common.
FORMULA: Final = r"^[=+\-@\t\r\n]"
# What begins with a sign and is a number is computed to itself.
NUMBER: Final = r"^[+-]?[0-9]+(?:\.[0-9]+)?$"
# Spreadsheets take what follows as text.
MARK: Final = "'"
_FORMULA, _NUMBER = re.compile(FORMULA), re.compile(NUMBER)


def cell(value: object) -> object:
    """The value as it may stand in a CSV file: None is an empty cell, and no text is a formula."""
    if value is None:
        return ""
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.match(value):
        return MARK + value
    return value
