"""Owns which counters a call touches, how much of each it may need, and what it is charged at the end. Pure.

A call touches every quota whose scope it lies in. Of a quota that blocks, the most that the call can consume is held
until it has ended; of one that only tells, nothing is, and what was consumed is counted then.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from operator import itemgetter

import msgspec
from msgspec.structs import replace

from gateway.contract.counter_names import counter_name
from gateway.contract.policy import Dimension, Key, Policy, Project, Quota, QuotaOverride, Unit, Upstream
from gateway.examine import Call
from gateway.identify import Caller
from gateway.ledger.base import UNLIMITED, Hold, Holds, Terms
from gateway.ledger.window import NEVER_S, NOW, Period, period
from gateway.model_names import Listed, names_of
from gateway.route import Route

# What the amount of a hold is counted in, for quotas that need to know how much a call may consume.
BOUNDED_UNITS = frozenset(("usd", "tokens_in", "tokens_out", "tokens"))
# Calls alike in everything that quotas are of, whose counters are remembered: some 2 KB each.
ALIKE_MAX = 4096
_DIMENSIONS: tuple[Dimension, ...] = (
    "org", "project", "key", "user", "team", "model", "provider", "upstream", "route", "tag",
)  # fmt: skip


# What a call may consume, or did, as every quota may count it: nano-USD, tokens in, out and both; 1 and 0.
Amounts = tuple[int, int, int, int, int, int]
_ONE, _NOTHING_OF_IT = 4, 5
_PLACES: Mapping[Unit, int] = {
    "usd": 0, "tokens_in": 1, "tokens_out": 2, "tokens": 3, "requests": _ONE, "concurrent": _ONE,
}  # fmt: skip


def amounts_of(nanousd: int, tokens_in: int, tokens_out: int) -> Amounts:
    return nanousd, tokens_in, tokens_out, tokens_in + tokens_out, 1, 0


class Due(msgspec.Struct, frozen=True, gc=False):
    """One counter that a call touches, and the time in which it is this one, on these terms."""

    quota: Quota
    counter: str
    period: Period
    scope: tuple[tuple[Dimension, str], ...]  # as it is counted
    terms: Terms
    starts_at_s: int
    ends_at_s: int
    held_as: int  # where the amounts of a call say what is held of it
    blocks: bool
    needs_bound: bool  # what the call may consume must be known before it is let through
    varies: bool  # callers choose some of its counter's name

    @property
    def charged_as(self) -> int:
        """Where the amounts of a call say what it is charged: of calls at a time nothing is left."""
        return _NOTHING_OF_IT if self.quota.unit == "concurrent" else _PLACES[self.quota.unit]


class Dues(msgspec.Struct, gc=False):
    """The counters that calls touch which are alike, and the time in which they are these."""

    each: tuple[Due, ...]
    starts_at_s: int
    ends_at_s: int
    blocks: bool  # whether any does
    empty: bool  # whether any is a budget of nothing, which refuses what costs nothing too
    # Of these, those that need a bound, those whose names callers choose, and those that only tell of a limit.
    bounded: tuple[Due, ...]
    varying: tuple[Due, ...]
    telling: tuple[Due, ...]
    counters: tuple[str, ...]
    terms: tuple[Terms, ...]
    held: Callable[[Amounts], tuple[int, ...]]  # what is held of each, and what each is charged
    charged: Callable[[Amounts], tuple[int, ...]]
    # There was room for all counters whose names callers choose. Nothing takes it from them in their window: only calls
    # at a time that have ended lose it, so that those are asked again each time.
    known: bool = False

    @classmethod
    def of(cls, each: tuple[Due, ...]) -> "Dues":
        """A quota that is not due now is not due later: its scope, not its window, says so."""
        return cls(
            each=each,
            starts_at_s=max((due.starts_at_s for due in each), default=0),
            ends_at_s=min((due.ends_at_s for due in each), default=NEVER_S),
            blocks=any(due.blocks for due in each),
            empty=any(due.quota.unit == "usd" and due.terms.limit == 0 for due in each),
            bounded=tuple(due for due in each if due.needs_bound),
            varying=tuple(due for due in each if due.varies),
            telling=tuple(due for due in each if not due.blocks and due.quota.limit is not None),
            counters=tuple(due.counter for due in each),
            terms=tuple(due.terms for due in each),
            held=_picker([due.held_as for due in each]),
            charged=_picker([due.charged_as for due in each]),
        )

    def holds(self, amounts: Amounts) -> Holds:
        """What is to be held for a call that may consume so much."""
        return Holds(self.counters, self.terms, self.held(amounts))

    def charges(self, amounts: Amounts) -> dict[str, int]:
        """What each counter is charged for a call that consumed so much."""
        return dict(zip(self.counters, self.charged(amounts)))  # noqa: B905 - takes twice as long


def _picker(places: Sequence[int]) -> Callable[[Amounts], tuple[int, ...]]:
    """Picks the amounts at these places."""
    if len(places) > 1:
        return itemgetter(*places)  # for one it would give no tuple
    return lambda amounts: tuple(amounts[place] for place in places)


def _varying(quota: Quota) -> tuple[Dimension, ...]:
    """The dimensions in which it has a counter for each value."""
    return tuple(name for name in _DIMENSIONS if quota.scope.get(name) == "*")


def _counts_alike(quota: Quota, other: Quota) -> bool:
    """Whether two quotas of one id count the same, under the same names."""
    same = quota.unit == other.unit and quota.window == other.window and quota.time_zone == other.time_zone
    return same and _varying(quota) == _varying(other)


class _Ready:
    """A quota and the period it is in."""

    def __init__(self, quota: Quota, version: int, override: QuotaOverride | None) -> None:
        self.quota = quota
        self.override = override
        self.revision = quota.revision or version
        self.blocks = quota.action == "block" and quota.limit is not None
        self.needs_bound = self.blocks and quota.unit in BOUNDED_UNITS
        scope = quota.scope
        self.fixed: tuple[tuple[Dimension, str], ...] = tuple(
            (name, scope[name]) for name in _DIMENSIONS if scope.get(name, "*") != "*"
        )
        self.varying = _varying(quota)
        self._period = NOW if quota.unit == "concurrent" else Period("", 0, 0)

    def period(self, at_s: int) -> Period:
        """That of a moment. It is remembered, for the next call comes in the same one as a rule."""
        if not self._period.starts_at_s <= at_s < self._period.ends_at_s:
            self._period = period(self.quota.window, self.quota.time_zone, at_s)
        return self._period

    def limit(self, at_s: int) -> int | None:
        """What refuses at that moment; None: nothing does."""
        if not self.blocks:
            return None
        override = self.override
        return self.quota.limit if override is None or at_s >= override.until_s else override.limit

    def terms(self, counter: str, kept_until_s: int, at_s: int) -> Terms:
        """Those that holds of one of its counters are subject to at that moment."""
        quota, limit, revision = self.quota, self.limit(at_s), self.revision
        if self.blocks and limit is None:
            limit = UNLIMITED
        if self.override is not None:
            # An override ends by the clock, and others may have gone further under it: no limit before it is as this.
            until_s = self.override.until_s
            revision = (revision << 64) + 2 * until_s + (at_s >= until_s)
        return Terms(counter, limit, quota.thresholds, quota.limit, kept_until_s, revision)

    def due(self, counter: str, now: Period, scope: tuple[tuple[Dimension, str], ...], at_s: int) -> Due:
        """One of its counters. Of a quota that only tells, nothing is held but the call itself, where that counts."""
        quota = self.quota
        turns_at_s = NEVER_S if self.override is None else self.override.until_s
        is_held = self.blocks or quota.unit == "concurrent"
        return Due(
            quota=quota,
            counter=counter,
            period=now,
            scope=scope,
            terms=self.terms(counter, now.kept_until_s, at_s),
            starts_at_s=now.starts_at_s if at_s < turns_at_s else max(now.starts_at_s, turns_at_s),
            ends_at_s=min(now.ends_at_s, turns_at_s) if at_s < turns_at_s else now.ends_at_s,
            held_as=_PLACES[quota.unit] if is_held else _NOTHING_OF_IT,
            blocks=self.blocks,
            needs_bound=self.needs_bound,
            varies=bool(self.varying),
        )


# What calls alike touch, and whose they are: a key, a project or an upstream may have been another one under its name.
_Found = tuple[Dues, Key, Project, Upstream]


class QuotaTable:
    """The quotas of one policy, made ready."""

    def __init__(self, policy: Policy, listed: Listed) -> None:
        self._listed = listed
        overrides = {override.quota_id: override for override in policy.quota_overrides}
        self._ready = {quota.id: _Ready(quota, policy.version, overrides.get(quota.id)) for quota in policy.quotas}
        self._everybodys: list[_Ready] = []
        self._by_org: dict[str, list[_Ready]] = {}
        self._by_project: dict[str, list[_Ready]] = {}
        for ready in self._ready.values():
            org_id, project_id = ready.quota.scope.get("org", "*"), ready.quota.scope.get("project", "*")
            if project_id != "*":
                self._by_project.setdefault(project_id, []).append(ready)
            elif org_id != "*":
                self._by_org.setdefault(org_id, []).append(ready)
            else:
                self._everybodys.append(ready)
        self.quotas: Mapping[str, Quota] = {quota.id: quota for quota in policy.quotas}
        self._found: dict[tuple[object, ...], _Found] = {}

    def due(self, caller: Caller, route: Route, call: Call, at_s: int) -> Dues:
        """The counters of every quota in whose scope the call lies, one for each value that it has of a "*"."""
        alike = (
            caller.key.id, caller.team, caller.route, caller.tags,
            call.user_id, call.model, call.beside, route.endpoint.name, route.destination.upstream.name,
        )  # fmt: skip
        key, project, upstream = caller.key, caller.project, route.destination.upstream
        found = self._found.get(alike)
        if found is not None:
            dues, of_key, of_project, of_upstream = found
            # A call whose head was judged under another policy is not alike, though its names are.
            same = of_key is key and of_project is project and of_upstream is upstream
            if same and dues.starts_at_s <= at_s < dues.ends_at_s:
                return dues
        dues = self._find(caller, route, call, at_s)
        if len(self._found) >= ALIKE_MAX:
            self._found.clear()
        self._found[alike] = dues, key, project, upstream
        return dues

    def _find(self, caller: Caller, route: Route, call: Call, at_s: int) -> Dues:
        project = caller.project
        values = _values(caller, route, call, self._listed)
        own = (*self._by_org.get(project.org_id, ()), *self._by_project.get(project.id, ()))
        # What an organization calls by a name is not the upstream that everybody's quotas name so.
        of_everybody = values.copy()
        if route.destination.upstream.org_id:
            of_everybody["upstream"] = ()
        return Dues.of(
            (
                *(due for ready in self._everybodys for due in _due(ready, of_everybody, at_s)),
                *(due for ready in own for due in _due(ready, values, at_s)),
            )
        )

    def limit(self, due: Due, at_s: int) -> int | None:
        """What refuses more of a counter at that moment, under whichever policy it was found; None: nothing does."""
        ready = self._of(due)
        return None if ready is None else ready.limit(at_s)

    def holds(self, dues: Sequence[Due], amounts: Amounts, at_s: int) -> Holds:
        """What is to be held of each, for a call that came earlier, and perhaps under another policy.

        The counter, its window and what is held of it stay what they were then. What refuses is this policy's limit
        at that moment: a quota that it has no more, that does not block any more or that counts something else by now
        (another unit, window or time zone, other dimensions with "*") refuses nothing. One of another scope does: what
        is counted under its name is its own.
        """
        return Holds.of(Hold(self._terms(due, at_s), amounts[due.held_as]) for due in dues)

    def _terms(self, due: Due, at_s: int) -> Terms:
        ready = self._of(due)
        if ready is None:
            return replace(due.terms, limit=None)
        return ready.terms(due.counter, due.terms.kept_until_s, at_s)

    def _of(self, due: Due) -> _Ready | None:
        """The quota of this policy that counts by a counter's name."""
        ready = self._ready.get(due.quota.id)
        if ready is None or not (ready.quota is due.quota or _counts_alike(ready.quota, due.quota)):
            return None
        return ready


def _values(caller: Caller, route: Route, call: Call, listed: Listed) -> dict[Dimension, tuple[str, ...]]:
    """What a call is, in each dimension; its key is also those in whose place it is. What its caller chooses to say
    comes beside what the key, the path or the policy say, never instead: no header takes a call out of a quota.
    """
    destination, key = route.destination, caller.key
    named_route = caller.route or route.endpoint.name
    return {
        "org": (caller.project.org_id,),
        "project": (caller.project.id,),
        "key": (*caller.key.replaces, caller.key.id),
        "user": _both(call.user_id, key.user_id),
        "team": _both(caller.team, key.team),
        "model": names_of(route, call, listed),
        "provider": (destination.provider.name,),
        "upstream": (destination.upstream.name,),
        "route": _both(named_route, route.endpoint.name),
        "tag": caller.tags or ("",),
    }


def _both(said: str, known: str) -> tuple[str, ...]:
    return (said,) if said == known or not known else (said, known)


def _due(ready: _Ready, values: Mapping[Dimension, tuple[str, ...]], at_s: int) -> Iterator[Due]:
    for name, value in ready.fixed:
        if value not in values[name]:
            return
    now = ready.period(at_s)
    stem = f"{ready.quota.id}@{now.name}"
    if not ready.varying:
        yield ready.due(stem, now, ready.fixed, at_s)
        return
    # Where each key is counted apart, one that was rotated goes on with the counter of the first.
    for varied in product(*(values[name][:1] if name == "key" else values[name] for name in ready.varying)):
        scope = tuple(zip(ready.varying, varied, strict=True))
        yield ready.due(counter_name(stem, scope), now, ready.fixed + scope, at_s)


class Consumed(msgspec.Struct, frozen=True, gc=False):
    """What a call consumed. `reported` by the provider, or known to be nothing; else it is a guess, or None."""

    reported: bool
    nanousd: int | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None

    @property
    def told(self) -> Amounts | None:
        """The amounts, where the provider's word is all there is to them."""
        nanousd, tokens_in, tokens_out = self.nanousd, self.tokens_in, self.tokens_out
        if not self.reported or nanousd is None or tokens_in is None or tokens_out is None:
            return None
        return amounts_of(nanousd, tokens_in, tokens_out)


def consumed_by(provenance: str, nanousd: int | None, tokens_in: int | None, tokens_out: int | None) -> Consumed:
    """What a call's charge says that it consumed."""
    if provenance == "none":
        return Consumed(True, nanousd, tokens_in or 0, tokens_out or 0)
    return Consumed(provenance == "reported", nanousd, tokens_in, tokens_out)


def charged(dues: Sequence[Due], held: Mapping[str, int], consumed: Consumed) -> dict[str, int]:
    """What each counter is charged for a call that was sent. What nobody reported counts as it was held.

    A guess may be too low, and a hold is not: where a quota blocks, only the provider's own word gives back.
    """
    known = _consumed_by_unit(consumed)
    amounts: dict[str, int] = {}
    for due in dues:
        amount = known[due.quota.unit]
        if amount is None or (due.needs_bound and not consumed.reported):
            amount = max(amount or 0, held.get(due.counter, 0))
        amounts[due.counter] = amount
    return amounts


def _consumed_by_unit(consumed: Consumed) -> dict[Unit, int | None]:
    tokens_in, tokens_out = consumed.tokens_in, consumed.tokens_out
    return {
        "usd": consumed.nanousd,
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        "tokens": None if tokens_in is None or tokens_out is None else tokens_in + tokens_out,
        "requests": 1,
        "concurrent": 0,
    }


class Begun(msgspec.Struct, frozen=True, array_like=True):
    """What a counter was charged for work whose usage a later call tells."""

    counter: str
    unit: Unit
    amount: int


_NOTHING = Consumed(reported=True, nanousd=0, tokens_in=0, tokens_out=0)
encode_begun = msgspec.msgpack.Encoder().encode
decode_begun = msgspec.msgpack.Decoder(tuple[Begun, ...]).decode


def begun(dues: Sequence[Due], held: Mapping[str, int]) -> tuple[Begun, ...]:
    """What the counters are charged for a call that began work: its holds, until its usage is known."""
    return tuple(
        Begun(due.counter, due.quota.unit, held.get(due.counter, 0)) for due in dues if due.quota.unit in BOUNDED_UNITS
    )


def charged_later(dues: Sequence[Due], before: Sequence[Begun], consumed: Consumed) -> dict[str, int]:
    """What each counter is charged for a call that tells what work consumed which another call began.

    The work is that call's, in its counters and its window: they get back what they were charged too much, so that an
    amount may be below zero. The call that tells is charged itself alone.
    """
    amounts, known = charged(dues, {}, _NOTHING), _consumed_by_unit(consumed)
    for one in before:
        amount = known[one.unit]
        if amount is not None:
            own = amount if consumed.reported else max(amount, one.amount)
            amounts[one.counter] = amounts.get(one.counter, 0) + own - one.amount
    return amounts
