"""Owns `lensai budgets`: what a machine's gateways have spent of every quota, and minutes of grace for one.

The state comes from the admin listeners, one for each worker, which counts its own calls: what they tell is added.
"""

import argparse
import sys
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TextIO

import msgspec

from gateway.budgets_page import Amount, BudgetRow, BudgetsPage
from gateway.cli.columns import printable
from gateway.cli.policy_edit import Edit, EditError, Fields, read_text, write
from gateway.contract.policy import Policy, Quota
from gateway.policy_toml import PolicyError, read_limits
from gateway.quota_toml import UNLIMITED
from gateway.quota_words import counted_in
from gateway.settings import Settings

# A listener answers from memory, on a thread of its own.
TIMEOUT_S = 5.0
# Ten thousand rows of a few hundred bytes.
PAGE_BYTES_MAX = 16 * 1024 * 1024
# Grace is for an incident; what is to last belongs into the quota.
MINUTES_MAX = 7 * 24 * 60

Fetch = Callable[[str], bytes]


def fetch(url: str) -> bytes:
    """The page behind a URL of the admin listener. Raises OSError."""
    # No proxy of the environment: the listener is this machine's.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=TIMEOUT_S) as answer:
        return answer.read(PAGE_BYTES_MAX)


def run_budgets(
    argv: Sequence[str],
    settings: Settings,
    config: Path,
    now_s: int,
    *,
    output: TextIO = sys.stdout,
    errors: TextIO = sys.stderr,
    get: Fetch = fetch,
) -> int:
    """Does what the words after `lensai budgets` say; the exit code. Raises SystemExit for words it does not know."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "override":
            errors.write(override(config, arguments.quota, arguments.minutes, arguments.limit, now_s) + "\n")
        else:
            page = merged(msgspec.json.decode(get(url), type=BudgetsPage) for url in urls(settings))
            output.write(msgspec.json.encode(page).decode() + "\n" if arguments.json else table(page))
    except (EditError, PolicyError) as fault:
        errors.write(f"lensai budgets: {fault}\n")
        return 1
    except (OSError, msgspec.MsgspecError) as fault:
        errors.write(f"lensai budgets: {_unreadable(fault, settings)}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lensai budgets", description="What is left of every quota, and until when.")
    parser.add_argument("--json", action="store_true", help="for jq and scripts; money is decimal USD")
    commands = parser.add_subparsers(dest="command", metavar="command")
    grace = commands.add_parser("override", help="another limit for a quota, for some minutes")
    grace.add_argument("quota", help="id of the quota")
    grace.add_argument("--minutes", type=_minutes, required=True, help=f"1 to {MINUTES_MAX}")
    grace.add_argument("--limit", default=UNLIMITED, help="USD of a budget, else a count (default: unlimited)")
    return parser


def _minutes(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MINUTES_MAX:
        raise argparse.ArgumentTypeError(f"must be 1 to {MINUTES_MAX}; for longer, change the quota")
    return int(text)


def override(config: Path, quota_id: str, minutes: int, limit: str, now_s: int) -> str:
    """Writes the override in place of the one the quota may have; says so. Raises `EditError`, `PolicyError`."""
    text = read_text(config)
    limits = read_limits(text, source=config.name)
    quota = next((quota for quota in limits.quotas if quota.id == quota_id), None)
    if quota is None:
        known = ", ".join(quota.id for quota in limits.quotas) or "none"
        there = f"there are: {known}; one of a control plane is overridden there, in its UI or by its API"
        raise EditError(f"there is no quota {quota_id!r} in {config}; {there}")
    until = datetime.fromtimestamp(now_s, UTC) + timedelta(minutes=minutes)
    fields: Fields = {"quota": quota_id, "until": until, **_limit(quota, limit)}
    write(config, text, Edit("quota_overrides", _overrides_of(limits, quota_id), fields))
    return f"{quota_id} has the limit {limit} until {until:%Y-%m-%d %H:%M:%S} UTC"


def _limit(quota: Quota, limit: str) -> Fields:
    """The field that says the limit in the quota's unit. Text that is none is for the rules to refuse."""
    if limit == UNLIMITED:
        return {"limit": UNLIMITED}
    if quota.unit == "usd":
        return {"limit_usd": limit}
    return {"limit": int(limit) if limit.isascii() and limit[:19].isdigit() and len(limit) < 20 else limit}


def _overrides_of(limits: Policy, quota_id: str) -> tuple[int, ...]:
    return tuple(index for index, row in enumerate(limits.quota_overrides) if row.quota_id == quota_id)


def urls(settings: Settings) -> list[str]:
    """The page of each worker. Raises `EditError` where the ports cannot be known."""
    if not settings.admin_port:
        raise EditError("the setting admin_port is 0, so nobody knows where to ask; give it a number")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.admin_host, settings.admin_host)
    host = f"[{host}]" if ":" in host else host
    return [f"http://{host}:{settings.admin_port + worker}/budgets" for worker in range(settings.workers)]


def merged(pages: Iterable[BudgetsPage]) -> BudgetsPage:
    """One page of several workers': what each has spent and holds is added up; what is leased they say of the same."""
    told = list(pages)
    rows: dict[tuple[object, ...], BudgetRow] = {}
    for row in (row for page in told for row in page.counters):
        counter = (row.quota, row.period, *sorted(row.scope.items()))
        before = rows.get(counter)
        if before is not None:
            spent, held = _sum(before.spent, row.spent), _sum(before.held, row.held)
            row = msgspec.structs.replace(row, spent=spent, held=held)
        rows[counter] = row
    return BudgetsPage(told[0].at if told else "", list(rows.values()), sum(page.more for page in told))


def _sum(left: Amount, right: Amount) -> Amount:
    return left + right if isinstance(left, int) and isinstance(right, int) else f"{Decimal(left) + Decimal(right):f}"


def table(page: BudgetsPage) -> str:
    """The page for people, in columns."""
    head = ("QUOTA", "SCOPE", "WINDOW", "DOES", "LIMIT", "SPENT", "HELD", "LEASED", "RESETS IN")
    now = datetime.fromisoformat(page.at) if page.at else None
    rows = [head, *(_cells(row, now) for row in page.counters)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows]
    return "".join(lines) + (f"and {page.more} more\n" if page.more else "")


def _cells(row: BudgetRow, now: datetime | None) -> tuple[str, ...]:
    scope = printable(",".join(f"{name}={value}" for name, value in row.scope.items())) or "everything"
    amounts = (_amount(row, amount) for amount in (row.limit, row.spent, row.held, row.leased))
    if row.unit == "concurrent":
        # Of calls at a time none is ever spent: those held are under way.
        held, leased = (f"{int(amount):,} calls" if amount else "–" for amount in (row.held, row.leased))
        amounts = (_amount(row, row.limit), "–", held, leased)
    left = datetime.fromisoformat(row.resets_at) - now if row.resets_at and now else None
    does = "counts" if row.limit is None else {"block": "blocks", "alert": "alerts"}[row.action]
    return row.quota, scope, row.window, does, *amounts, _duration(left)


def _amount(row: BudgetRow, amount: Amount | None) -> str:
    if amount is None:
        return "–"
    if row.unit != "usd":
        return counted_in(row.unit, int(amount))
    whole, _, fraction = str(amount).partition(".")
    return f"${int(whole):,}.{fraction.rstrip('0').ljust(2, '0')}"


def _duration(left: timedelta | None) -> str:
    """The two largest units: `3d 4h`, `4h 5m`, `5m 6s`."""
    if left is None:
        return "never"
    seconds = max(int(left.total_seconds()), 0)
    parts = ((seconds // 86_400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s"))
    first = next((place for place, (count, _) in enumerate(parts[:2]) if count), 2)
    return " ".join(f"{count}{unit}" for count, unit in parts[first : first + 2])


def _unreadable(fault: Exception, settings: Settings) -> str:
    where = f"{settings.admin_host}:{settings.admin_port}"
    if isinstance(fault, OSError):
        reason = getattr(fault, "reason", None) or fault.strerror or fault
        return f"cannot ask the gateway at {where} or write the policy: {reason}; does it run, with this configuration?"
    return f"what answers at {where} is not a gateway of this version; upgrade the one or the other"
