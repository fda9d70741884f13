"""Owns holding a proposal against the lake's calls: sums in SQL as far as they are exact, the rest call by call.

SQL that depends on the proposal is put together here, from the tables below alone; values are variables.

A call is taken to need what it used in the end. While no call has been refused, what was spent is a running sum, which
SQL computes; a window whose whole sum fits needs nothing more. From the first call on that does not fit, refusals
change what follows: those that are larger than what is left are all refused, the few that are smaller are replayed.
"""

# ruff: noqa: S608
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from control_plane.backtest import rates
from control_plane.backtest.periods import grain, periods, slots
from control_plane.backtest.proposal import Proposal
from control_plane.backtest.replay import Call, refused, squeezed
from control_plane.keyring import Keyring
from control_plane.lake.calls import over_calls
from gateway.contract.policy import Dimension, Unit
from gateway.ledger.window import Period
from gateway.model_names import known_as
from gateway.providers import PROVIDERS
from pricing.catalog import Catalog
from pricing.rates import BUCKETS

# Rows of the lake that are held in memory at once.
FETCHED = 20_000
# Distinct (provider, upstream, model, tier) of one organization; far more than any has.
PRICED_MAX = 4096
TOP = 20
NO_KEYS: Mapping[str, Sequence[str]] = {}

_SQL = Path(__file__).parent / "sql"
_CROSSED, _TAIL, _CONTESTED, _REFUSED, _LOST, _WINDOWS, _WHOLE = (
    (_SQL / f"{name}.sql").read_text()
    for name in ("crossed", "tail", "contested", "refused", "lost", "windows", "whole")
)
# As they are replayed.
_ONE_BY_ONE = "SELECT number, period, counter, still, amount FROM contested ORDER BY period, counter, at_us, request_id"

# A model as it was asked for, and as that was mapped.
_MAPPED = "CASE WHEN price_match = 'mapped' THEN coalesce(model, '') ELSE coalesce(model_requested, '') END"
_MODEL = f"[coalesce(provider, ''), coalesce(model_requested, ''), {_MAPPED}]"
# What a call is, in each dimension, as gateway/quotas.py counts it: a list where it may be more than one thing.
_VALUES: Mapping[Dimension, str] = {
    "org": "[org_id]",
    "project": "[coalesce(project_id, '')]",
    "key": "coalesce(getvariable('key_lines')[coalesce(key_id, '')], [coalesce(key_id, '')])",
    "user": "[coalesce(user_id, '')]",
    "team": "[coalesce(team, '')]",
    "model": f"coalesce(getvariable('model_names')[{_MODEL}], [coalesce(model_requested, '')])",
    "provider": "[coalesce(provider, '')]",
    "upstream": "[coalesce(upstream, '')]",
    "route": "CASE WHEN route <> endpoint THEN [route, endpoint] ELSE [coalesce(route, '')] END",
    "tag": "list_distinct(coalesce(tags, []))",
}
_AMOUNTS: Mapping[Unit, str] = {
    "usd": "cost",
    "tokens_in": "tokens_in",
    "tokens_out": "tokens_out",
    "tokens": "tokens_in + tokens_out",
    "requests": "1",
}
_COST = "CAST(CAST(cost_usd AS DECIMAL(28, 9)) * 1000000000 AS BIGINT)"
# By which long-context rates are chosen. Of the sum of a batch nobody kept how long its requests were: short ones.
_SUMMED = "list_contains(flags, 'context_averaged') OR endpoint = 'messages.batches.results'"
_LENGTH = f"CASE WHEN {_SUMMED} THEN 0 ELSE tokens_in END"
_NOBODY = "CREATE TEMP VIEW refused AS SELECT * FROM placed WHERE false"
_SEPARATOR = "\x1f"


class WindowOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One window. Amounts are in the proposal's unit; costs are nano-USD, None where nothing has a price."""

    period: Period
    calls: int
    amount: int
    cost_nanousd: int | None
    refused_calls: int
    refused_amount: int
    refused_nanousd: int
    first_refused_us: int | None
    users: int
    keys: int


class Who(msgspec.Struct, frozen=True):
    """A user, a key or the values of a counter, and what of it would have been refused."""

    name: str
    refused_calls: int
    refused_amount: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`unbounded_calls` have no price and would have been refused for it, `unknown_calls` count as nothing, and
    `refused_then` were refused in fact. `by_counter` is empty where calls have several counters at once.
    """

    calls: int
    refused_calls: int
    refused_amount: int
    refused_nanousd: int
    first_refused_us: int | None
    users: int
    keys: int
    unbounded_calls: int
    unknown_calls: int
    refused_then: int
    windows: tuple[WindowOutcome, ...]
    by_user: tuple[Who, ...]
    by_key: tuple[Who, ...]
    by_counter: tuple[Who, ...]


def backtest(
    lake: str,
    org_id: str,
    proposal: Proposal,
    catalog: Catalog,
    from_s: int,
    to_s: int,
    *,
    rotated: Mapping[str, Sequence[str]] = NO_KEYS,
    keyring: Keyring | None = None,
) -> Outcome:
    """What would have been refused of the calls that arrived in [from_s, to_s), from the first window's start on.

    `catalog` has the prices to compute costs anew, where the proposal has prices; `rotated` has by key those in whose
    place it is, the first one first; the ring is as in over_calls. Raises Unanswered.
    """
    cuts = periods(proposal.window, proposal.time_zone, from_s, to_s)
    with over_calls(lake, org_id, cuts[0][0], to_s, proposal.project_id, keyring=keyring) as connection:
        _declare(connection, proposal, [cut for cut, _ in cuts], to_s)
        if "model" in proposal.fixed or "model" in proposal.varying:
            _name(connection, catalog)
        lines = {"": [""]} | {key_id: [*before, key_id] for key_id, before in rotated.items()}
        connection.execute("SET VARIABLE key_lines = map($1, $2)", [list(lines), list(lines.values())])
        cost = _repriced(connection, catalog, cuts[0][0], to_s) if proposal.prices else _COST
        _place(connection, proposal, cost)
        alone = _stands_alone(connection, proposal)
        if proposal.limit is None:
            connection.execute(_NOBODY)
        elif alone:
            _refuse_by_sums(connection)
        else:
            _refuse_one_by_one(connection, proposal)
        return _outcome(connection, [found for _, found in cuts], shared=not alone)


def _declare(connection: duckdb.DuckDBPyConnection, proposal: Proposal, cuts: Sequence[int], to_s: int) -> None:
    values: dict[str, Any] = {f"scope_{name}": value for name, value in proposal.fixed.items()}
    values |= {"limit_amount": proposal.limit, "ceiling": proposal.ceiling}
    for name, value in values.items():
        connection.execute(f"SET VARIABLE {name} = {'$1' if isinstance(value, str) else 'CAST($1 AS BIGINT)'}", [value])
    grain_s = grain(cuts)
    connection.execute(f"SET VARIABLE grain_us = {grain_s * 10**6}")
    connection.execute("CREATE TEMP TABLE slots (slot BIGINT, period INTEGER)")
    numbers, windows = zip(*slots(cuts, grain_s, to_s), strict=True)
    connection.execute("INSERT INTO slots SELECT unnest($1), unnest($2)", [list(numbers), list(windows)])


def _name(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Declares by which names quotas know each model."""
    found = connection.execute(f"SELECT DISTINCT {_MODEL} FROM events LIMIT {PRICED_MAX}").fetchall()
    models = [model for (model,) in found]
    names = [known_as(asked, mapped, _catalog_of(provider), catalog.listed) for provider, asked, mapped in models]
    connection.execute("SET VARIABLE model_names = map($1, $2)", [models, names])


def _place(connection: duckdb.DuckDBPyConnection, proposal: Proposal, cost: str) -> None:
    """Makes `placed`, each call with its window and counter, `totals` of those, and `apart`: what is in neither."""
    within = " AND ".join(f"list_contains({_VALUES[name]}, getvariable('scope_{name}'))" for name in proposal.fixed)
    # Where each key is counted apart, one that was rotated goes on with the counter of the first.
    varied = {**_VALUES, "key": f"{_VALUES['key']}[1:1]"}
    lists = ", ".join(f"{varied[name]} AS v{place}" for place, name in enumerate(proposal.varying))
    counter = _counter(len(proposal.varying))
    unpriced = "cost IS NULL AND unpriced" if proposal.unit == "usd" else "false"
    amount = f"CASE WHEN {unpriced} THEN getvariable('ceiling') ELSE {_AMOUNTS[proposal.unit]} END"
    blocked = "false" if proposal.limit is None else f"({unpriced}) AND getvariable('ceiling') IS NULL"
    connection.execute(
        f"CREATE TEMP VIEW scoped AS SELECT epoch_us(ts) AS at_us, request_id, coalesce(user_id, '') AS user_id,"
        " coalesce(key_id, '') AS key_id, tokens_in, tokens_out, price_match = 'unpriced' AS unpriced,"
        f" outcome = 'refused' AS was_refused, {cost} AS cost{', ' + lists if lists else ''}"
        f" FROM {'repriced' if proposal.prices else 'events'} {'WHERE ' + within if within else ''}"
    )
    connection.execute(
        f"CREATE TEMP VIEW valued AS SELECT *, CAST({amount} AS BIGINT) AS said, {blocked} AS unbounded,"
        f" {counter} AS counter FROM scoped"
    )
    connection.execute(
        "CREATE TEMP VIEW placed AS SELECT period, slot, at_us, request_id, user_id, key_id, cost, counter,"
        f" coalesce(said, 0) AS amount{''.join(f', v{place}' for place in range(len(proposal.varying)))}"
        " FROM valued JOIN slots ON slots.slot = valued.at_us // getvariable('grain_us')"
        " WHERE NOT was_refused AND NOT unbounded AND counter IS NOT NULL"
    )
    connection.execute(
        "CREATE TEMP TABLE apart AS SELECT count(*) FILTER (unbounded AND NOT was_refused),"
        " count(*) FILTER (said IS NULL AND NOT unbounded AND NOT was_refused), count(*) FILTER (was_refused)"
        " FROM valued WHERE counter IS NOT NULL"
    )
    connection.execute(
        "CREATE TEMP TABLE totals AS SELECT period, counter, count(*) AS calls, sum(amount) AS amount,"
        " sum(cost) AS cost FROM placed GROUP BY period, counter"
    )


def _counter(varying: int) -> str:
    """The name of a call's only counter, or of the first; null where it has none."""
    if not varying:
        return "''"
    return " || chr(31) || ".join(f"v{place}[1]" for place in range(varying))


def _stands_alone(connection: duckdb.DuckDBPyConnection, proposal: Proposal) -> bool:
    """Whether each call has one counter, and there are no more than the limit may have."""
    if not proposal.varying:
        return True
    several = " OR ".join(f"len(v{place}) > 1" for place in range(len(proposal.varying)))
    shared = _one(connection, f"SELECT count(*) FROM (SELECT 1 FROM placed WHERE {several} LIMIT 1)")[0]
    most = _one(connection, "SELECT max(n) FROM (SELECT count(*) AS n FROM totals GROUP BY period)")[0]
    return not shared and (most or 0) <= proposal.values_max


def _refuse_by_sums(connection: duckdb.DuckDBPyConnection) -> None:
    if _one(connection, "SELECT count(*) FROM totals WHERE amount > getvariable('limit_amount')") == (0,):
        connection.execute(_NOBODY)
        return
    for statement in (_CROSSED, _TAIL, _CONTESTED):
        connection.execute(statement)
    _keep(connection, "let_through", array("q", squeezed(_fetched(connection.execute(_ONE_BY_ONE)))))
    connection.execute(_REFUSED)


def _refuse_one_by_one(connection: duckdb.DuckDBPyConnection, proposal: Proposal) -> None:
    assert proposal.limit is not None
    connection.execute("CREATE TEMP TABLE tail AS SELECT row_number() OVER () AS number, * FROM placed")
    lists = ", ".join(f"v{place}" for place in range(len(proposal.varying)))
    rows = connection.execute(f"SELECT number, period, amount, {lists} FROM tail ORDER BY at_us, request_id")
    calls = (Call(number, period, tuple(values), amount) for number, period, amount, *values in _fetched(rows))
    _keep(connection, "turned_away", array("q", refused(calls, proposal.limit, proposal.values_max)))
    connection.execute("CREATE TEMP VIEW refused AS SELECT * FROM tail SEMI JOIN turned_away USING (number)")


def _keep(connection: duckdb.DuckDBPyConnection, name: str, numbers: "array[int]") -> None:
    connection.execute(f"CREATE TEMP TABLE {name} (number BIGINT)")
    for start in range(0, len(numbers), FETCHED):
        part = numbers[start : start + FETCHED].tolist()
        connection.execute(f"INSERT INTO {name} SELECT unnest($1)", [part])


def _fetched(rows: duckdb.DuckDBPyConnection) -> Iterator[Any]:
    while part := rows.fetchmany(FETCHED):
        yield from part


def _repriced(connection: duckdb.DuckDBPyConnection, catalog: Catalog, from_s: int, to_s: int) -> str:
    """Makes `repriced`: the calls beside the rates that hold for them. Returns the cost's expression, in nano-USD."""
    found = connection.execute(
        "SELECT DISTINCT coalesce(provider, ''), coalesce(upstream, ''), coalesce(model, ''),"
        " coalesce(price_match = 'mapped', false), coalesce(service_tier, '') FROM events"
        f" WHERE tokens_in IS NOT NULL LIMIT {PRICED_MAX}"
    ).fetchall()
    used = [
        rates.Used(provider, _catalog_of(provider), upstream, model, mapped, tier)
        for provider, upstream, model, mapped, tier in found
    ]
    table = rates.table(used, catalog, from_s, to_s)
    declared = ", ".join(f"{name} {type}" for name, type in rates.COLUMNS.items())
    connection.execute(f"CREATE TEMP TABLE rates ({declared})")
    if table.rates:
        marks = ", ".join("?" for _ in rates.COLUMNS)
        connection.executemany(f"INSERT INTO rates VALUES ({marks})", [rates.row(one) for one in table.rates])
    connection.execute(
        "CREATE TEMP VIEW repriced AS SELECT events.*, rates.* EXCLUDE (provider, upstream, model, mapped, tier)"
        " FROM events LEFT JOIN rates ON rates.provider = coalesce(events.provider, '')"
        " AND rates.upstream = coalesce(events.upstream, '') AND rates.model = coalesce(events.model, '')"
        " AND rates.mapped = coalesce(events.price_match = 'mapped', false)"
        " AND rates.tier = coalesce(events.service_tier, '')"
        " AND epoch_us(ts) >= rates.from_s * 1000000 AND epoch_us(ts) // 1000000 < rates.to_s"
        f" AND {_LENGTH} > rates.above AND {_LENGTH} <= rates.upto"
    )
    attousd = " + ".join(["per_call", *(_line(bucket) for bucket in BUCKETS)])
    nano = 10**9 * table.parts
    rounded = (
        f"CAST(({attousd}) // {nano} + CASE WHEN 2 * (({attousd}) % {nano}) > {nano}"
        f" OR (2 * (({attousd}) % {nano}) = {nano} AND ({attousd}) // {nano} % 2 = 1) THEN 1 ELSE 0 END AS BIGINT)"
    )
    # What was never metered costs what it was charged.
    return f"CASE WHEN tokens_in IS NULL THEN {_COST} ELSE {rounded} END"


def _catalog_of(provider: str) -> str:
    return PROVIDERS[provider].catalog if provider in PROVIDERS else ""


def _line(bucket: str) -> str:
    """What a bucket costs; null where it was used and has no rate."""
    count = "greatest(input_audio_ms, input_audio_ms_min)" if bucket == "input_audio_ms" else bucket
    return f"CASE WHEN coalesce({bucket}, 0) = 0 THEN 0 ELSE CAST({count} AS HUGEINT) * rate_{bucket} END"


def _outcome(connection: duckdb.DuckDBPyConnection, found: Sequence[Period], *, shared: bool) -> Outcome:
    connection.execute(_LOST)
    unbounded, unknown, refused_then = _one(connection, "SELECT * FROM apart")
    calls, amount, cost, first_us, users, keys = _one(connection, _WHOLE)
    windows = tuple(_window(row, found) for row in _fetched(connection.execute(_WINDOWS)))
    return Outcome(
        calls=sum(window.calls for window in windows) + unbounded,
        refused_calls=calls + unbounded,
        refused_amount=amount,
        refused_nanousd=cost,
        first_refused_us=first_us,
        users=users,
        keys=keys,
        unbounded_calls=unbounded,
        unknown_calls=unknown,
        refused_then=refused_then,
        windows=windows,
        by_user=_who(connection, "user_id"),
        by_key=_who(connection, "key_id"),
        by_counter=() if shared else _who(connection, "counter"),
    )


def _window(row: Sequence[Any], found: Sequence[Period]) -> WindowOutcome:
    period, calls, amount, cost, refused_calls, refused_amount, refused_cost, first_us, users, keys = row
    return WindowOutcome(
        period=found[period],
        calls=calls,
        amount=amount,
        cost_nanousd=cost,
        refused_calls=refused_calls,
        refused_amount=refused_amount,
        refused_nanousd=refused_cost,
        first_refused_us=first_us,
        users=users,
        keys=keys,
    )


def _who(connection: duckdb.DuckDBPyConnection, column: str) -> tuple[Who, ...]:
    rows = connection.execute(
        f"SELECT {column}, CAST(sum(calls) AS BIGINT), CAST(sum(amount) AS BIGINT) FROM lost WHERE {column} <> ''"
        f" GROUP BY {column} ORDER BY sum(calls) DESC, {column} LIMIT {TOP}"
    )
    return tuple(Who(str(name).replace(_SEPARATOR, ", "), calls, amount) for name, calls, amount in rows.fetchall())


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row
