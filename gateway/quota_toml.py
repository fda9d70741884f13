"""Owns how amounts, scopes and units of quotas are written in TOML, and what to say where they are not.

Money is decimal USD and exact to the nano-USD; whatever else is counted is a whole number. That there is no limit must
be said: it is never what a slip of the pen leaves.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, get_args

from gateway import toml_text
from gateway.contract.policy import Dimension
from gateway.quota_rules import LIMIT_USD_MAX
from pricing.money import nanousd

UNLIMITED = "unlimited"
MISSING_LIMIT = f'is missing; write limit_usd = 25 for money, limit = 100 for the rest, or limit = "{UNLIMITED}"'

_DOLLARS = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")


def read_limit(value: object) -> int | None:
    """A count, or None for "unlimited". Raises ValueError; bounds are for the rules to judge."""
    if value == UNLIMITED:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f'must be a whole number such as 100, or "{UNLIMITED}"')  # noqa: TRY004
    return value


def read_limit_usd(value: object) -> int | None:
    """Nano-USD, or None for "unlimited". Raises ValueError."""
    return None if value == UNLIMITED else read_usd(value)


def read_usd(value: object) -> int:
    """Nano-USD of a number or a text of decimal digits. Raises ValueError for anything that is no exact amount."""
    amount = Decimal(value) if isinstance(value, str) and _DOLLARS.fullmatch(value) else value
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        raise ValueError(f'must be an amount of USD such as 25 or "0.50", or "{UNLIMITED}" for a limit')  # noqa: TRY004
    amount = Decimal(amount)
    if not amount.is_finite():
        raise ValueError(f'{amount} is no amount; write "{UNLIMITED}" if there is to be no limit')
    if amount < 0:
        raise ValueError(f"{_shown(amount)} is negative; use 0 to refuse every call, or more")
    # Compared before it is made an integer: 1e999999999 would fill the memory.
    if amount > LIMIT_USD_MAX:
        raise ValueError(f"{_shown(amount)} is over {LIMIT_USD_MAX} USD, the most that is counted exactly; lower it")
    if amount != amount.quantize(Decimal("1e-9")):
        raise ValueError("is finer than a nano-dollar; write at most nine decimals")
    return nanousd(amount)


def _shown(amount: Decimal) -> str:
    return f"{amount:.9g}"


def read_scope(value: object) -> object:
    """The table with its dimensions checked, for their names are not those of fields. Raises ValueError."""
    for dimension, named in (toml_text.table(value) or {}).items():
        if dimension not in get_args(Dimension):
            raise ValueError(f"there is no dimension {dimension!r}; use some of {', '.join(get_args(Dimension))}")
        if not isinstance(named, str):
            raise ValueError(f'{dimension} must be a text, or "*" for each value by itself')  # noqa: TRY004
    if toml_text.table(value) is None:
        raise ValueError('must be a table such as { project = "web", user = "*" }')
    return value


def limit_faults(table: dict[str, Any], unit: str) -> Iterator[tuple[str, str]]:
    """A field, and why the limit in it is not written as the quota's unit wants it."""
    if "limit" in table and "limit_usd" in table:
        yield "limit", "stands beside limit_usd; keep the one that is meant"
    elif unit == "usd" and table.get("limit", UNLIMITED) != UNLIMITED:
        yield "limit", "counts, and the quota is of usd; write limit_usd = 25"
    elif unit != "usd" and table.get("limit_usd", UNLIMITED) != UNLIMITED:
        yield "limit_usd", f"is money, and the quota is of {unit}; write limit = 100"
