"""Owns how an outcome is shown: as the API's structs, as text for a terminal. Pure."""

from collections.abc import Sequence

from control_plane.api.money import usd
from control_plane.backtest.history import Outcome, Who, WindowOutcome
from control_plane.backtest.proposal import Proposal
from control_plane.backtest.schema import Amount, BacktestOut, BacktestWho, BacktestWindow
from gateway.contract.policy import Unit
from gateway.ledger.window import NEVER_S

# A year of days; of shorter windows the newest and those of the most refusals.
WINDOWS_MAX = 400

_ASSUMPTIONS = (
    "A call is taken to need what it used in the end; a gateway holds the most that it may use until then, so that near"
    " the limit it refuses somewhat earlier.",
    "Callers are taken to do what they did, whatever is refused: none tries again, none gives up.",
)
_REPRICED = (
    "Costs are computed anew from what calls used; one that several models answered is priced as its main one, a batch"
    " as requests that are too short for long-context rates."
)
_TOTAL = "A window that never ends is counted from the beginning of the time."


def rendered(outcome: Outcome, proposal: Proposal, from_s: int, to_s: int) -> BacktestOut:
    unit = proposal.unit
    chosen = _chosen(outcome.windows)
    return BacktestOut(
        unit=unit,
        limit=None if proposal.limit is None else shown(unit, proposal.limit),
        from_s=from_s,
        to_s=to_s,
        calls=outcome.calls,
        spent=shown(unit, sum(window.amount for window in outcome.windows)),
        refused_calls=outcome.refused_calls,
        refused=shown(unit, outcome.refused_amount),
        refused_usd=usd(outcome.refused_nanousd),
        first_refused_at_ms=_ms(outcome.first_refused_us),
        users=outcome.users,
        keys=outcome.keys,
        unbounded_calls=outcome.unbounded_calls,
        unknown_calls=outcome.unknown_calls,
        refused_then=outcome.refused_then,
        windows=[_window(unit, window) for window in chosen],
        windows_more=len(outcome.windows) - len(chosen),
        by_user=_who(unit, outcome.by_user),
        by_key=_who(unit, outcome.by_key),
        by_counter=_who(unit, outcome.by_counter),
        assumptions=_assumptions(proposal),
    )


def as_text(out: BacktestOut) -> str:
    """For a terminal: the sums, then each window in which something is refused."""
    dollars = " USD" if out.unit == "usd" else f" {out.unit}"
    lines = [f"{out.calls} calls spent {out.spent}{dollars}"]
    if out.limit is not None:
        lines.append(
            f"refused: {out.refused_calls} calls of {out.users} users and {out.keys} keys,"
            f" {out.refused}{dollars} ({out.refused_usd} USD)"
        )
    lines += [
        f"  {window.name}: spent {window.spent}, let through {window.let_through}, refused {window.refused_calls} calls"
        for window in out.windows
        if window.refused_calls or out.limit is None
    ]
    for count, what in (
        (out.unbounded_calls, "calls have no price and no ceiling, and would have been refused"),
        (out.unknown_calls, "calls are of unknown amount, and count as nothing"),
        (out.refused_then, "calls were refused in fact, and are not counted"),
    ):
        if count:
            lines.append(f"{count} {what}")
    return "\n".join(lines) + "\n"


def shown(unit: Unit, amount: int) -> Amount:
    """Dollars as text for usd, else a count."""
    return usd(amount) if unit == "usd" else amount


def _assumptions(proposal: Proposal) -> list[str]:
    more = [_REPRICED] if proposal.prices else []
    return [*_ASSUMPTIONS, *more, *([_TOTAL] if proposal.window == "total" else [])]


def _chosen(windows: Sequence[WindowOutcome]) -> Sequence[WindowOutcome]:
    if len(windows) <= WINDOWS_MAX:
        return windows
    newest = windows[-WINDOWS_MAX // 2 :]
    worst = sorted(windows[: -WINDOWS_MAX // 2], key=lambda one: (-one.refused_calls, -one.amount))
    kept = [*worst[: WINDOWS_MAX - len(newest)], *newest]
    return sorted(kept, key=lambda one: one.period.starts_at_s)


def _window(unit: Unit, window: WindowOutcome) -> BacktestWindow:
    period = window.period
    return BacktestWindow(
        name=period.name,
        starts_at_s=period.starts_at_s,
        ends_at_s=None if period.ends_at_s == NEVER_S else period.ends_at_s,
        calls=window.calls,
        spent=shown(unit, window.amount),
        spent_usd=None if window.cost_nanousd is None else usd(window.cost_nanousd),
        let_through=shown(unit, window.amount - window.refused_amount),
        refused_calls=window.refused_calls,
        refused=shown(unit, window.refused_amount),
        refused_usd=usd(window.refused_nanousd),
        first_refused_at_ms=_ms(window.first_refused_us),
        users=window.users,
        keys=window.keys,
    )


def _who(unit: Unit, found: Sequence[Who]) -> list[BacktestWho]:
    return [BacktestWho(one.name, one.refused_calls, shown(unit, one.refused_amount)) for one in found]


def _ms(at_us: int | None) -> int | None:
    return None if at_us is None else at_us // 1000
