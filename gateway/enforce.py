"""Owns the enforcing of quotas: what a call holds before it is sent, how a stream pays as it goes, what is settled.

One reserve takes all that a call may need of every counter, or nothing. The cheap bound is tried first; where it does
not fit, a tighter one is counted on a thread, and what other processes hold unused is fetched, before anybody is
refused. Knows no bytes of the wire.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import msgspec

from gateway import quota_words
from gateway.cap import lower_cap
from gateway.cardinality import Cardinality
from gateway.contract.policy import Policy
from gateway.examine import Call
from gateway.faults import Refusal
from gateway.identify import Caller
from gateway.kill_switch import KillSwitches
from gateway.ledger.base import NO_HOLDS, Crossed, Holds, Ledger, Shortage, Unreachable
from gateway.ledger.window import NEVER_S
from gateway.model_names import Listed
from gateway.policy import PolicyView
from gateway.quota_numbers import QuotaNumbers
from gateway.quota_words import Counted
from gateway.quotas import Amounts, Begun, Consumed, Due, Dues, QuotaTable, amounts_of, charged, charged_later
from gateway.route import Route
from gateway.worst_case import WorstCase, WorstCases, tighten
from pricing.bound import Unbounded
from pricing.catalog import Catalog

# Counters that were told to be used up, remembered; beyond that some are told again, and heard once.
USED_UP_MAX = 10_000
# A stream without an output cap holds its full maximum where that is at most this part of each limit: it never pays
# again, and costs nothing to watch. Else it pays by slices.
AMPLE = 32
# Output tokens of one slice: half a minute of a fast model, so that a stream extends its hold a few times a minute.
SLICE_TOKENS = 2048
# Near a limit slices shrink to what is left; one of less than this would end as soon as it is taken.
SLICE_TOKENS_MIN = 64
# A stream asks for the next slice when it has this many tokens left: what a provider may have written, and we not yet
# read, when the stream is cut.
LEAD_TOKENS = 1024
# Price lists whose worst cases are remembered: everybody's, and those of organizations with prices of their own.
CASES_MAX = 256
# How long a call waits for what other processes hold unused, and how often others may be quicker to take it.
OBTAIN_TIMEOUT_S = 0.25
OBTAIN_ROUNDS_MAX = 8


class Admission(msgspec.Struct, gc=False):
    """What a call was let through with. `tokens_out` is how much output its holds allow."""

    dues: Dues
    worst: WorstCase | None = None
    ceiling_nanousd: int | None = None  # held because the cost has no bound
    tokens_out: int = 0
    pays_as_it_goes: bool = False
    body: bytes | None = None  # to be sent instead of the call's: its output cap is lower

    def runs_out(self, tokens_seen: int) -> bool:
        """Whether a stream that has brought so much needs more than it holds before long."""
        worst = self.worst
        return worst is not None and self.tokens_out < min(tokens_seen + LEAD_TOKENS, worst.tokens_out)

    def amounts(self, tokens_out: int) -> Amounts:
        """The most that a call of so much output consumes."""
        worst = self.worst
        if worst is None:
            return amounts_of(self.ceiling_nanousd or 0, 0, 0)
        nanousd = worst.bound.nanousd(tokens_out) if self.ceiling_nanousd is None else self.ceiling_nanousd
        return amounts_of(nanousd, worst.tokens_in, tokens_out)


class Waiting(msgspec.Struct, frozen=True):
    """A call that does not fit by what is known here and now."""

    admission: Admission
    short: Shortage


# Each of several workers would let through all of a budget.
_NEEDS_STORE = Refusal(
    "ledger_unavailable",
    "Budgets that block need one ledger for all workers: set ledger_url to a Redis or Valkey, or workers to 1",
    retry=False,
)


class Enforcer:
    """The quotas in force and the ledger they are kept in. One per process."""

    def __init__(self, ledger: Ledger, thread: Executor, listed: Listed, *, alone: bool) -> None:
        """`listed`: what the price list calls a model. `alone`: no other process has a ledger of its own."""
        self.ledger = ledger
        self._listed = listed
        self._alone = alone
        self._cardinality = Cardinality(ledger)
        self.numbers = QuotaNumbers()
        self._cases: dict[Catalog, WorstCases] = {}
        self._thread = thread
        # The counters that calls have touched, for whoever reports them, and who is told of thresholds.
        self.touched: set[str] | None = None
        self.heard: Callable[[Crossed], None] = lambda _crossed: None
        # Whether the ledger's store is away: what others count is not known, so that what only tells may tell too late.
        self.away: Callable[[], bool] = lambda: False
        self._used_up: set[str] = set()  # counters of which that was told
        self._view: PolicyView | None = None
        self._table: QuotaTable
        self._kill_switches: KillSwitches
        self._kills = False  # whether there is any kill switch

    def follow(self, view: PolicyView) -> None:
        """Has the quotas and kill switches of a policy in force, also for what is under way: extensions, and who waits.

        To be told of each policy as it comes into force.
        """
        before, self._view = None if self._view is None else self._view.policy, view
        after = view.policy
        self._cases.clear()
        if before is None or not _same_quotas(before, after):
            self._table = QuotaTable(after, self._listed)
        if before is None or before.kill_switches is not after.kill_switches:
            self._kill_switches = KillSwitches(after, self._listed)
        self._kills = bool(self._kill_switches)

    def killed(self, view: PolicyView, caller: Caller, route: Route, call: Call) -> Refusal | None:
        """Why the call must not be, whatever its budgets say; None if nothing is in its way."""
        if self._view is not view:
            self.follow(view)
        return self._kill_switches.find(caller, route, call) if self._kills else None

    # -- before a call is sent

    def admit(
        self,
        id: str,
        view: PolicyView,
        caller: Caller,
        route: Route,
        call: Call,
        catalog: Catalog,
        at_s: int,
        now_s: int | None = None,
    ) -> Admission | Waiting | Refusal | None:
        """What the call holds from now on; why it does not; or None where no quota touches it.

        `catalog` has the prices for its organization. Windows and prices are those of `at_s`, when it arrived; limits
        are those of `now_s`, where that may be another moment.
        """
        if now_s is None:
            now_s = at_s
        if self._view is not view:
            self.follow(view)
        if self._kills and (killed := self._kill_switches.find(caller, route, call)) is not None:
            return killed
        dues = self._table.due(caller, route, call, at_s)
        if not dues.each:
            return None
        if dues.blocks and not self._alone:
            return _NEEDS_STORE
        if dues.varying and not dues.known:
            unknown = self._cardinality.without_room(dues.varying)
            blocking = next((due for due in unknown if due.blocks), None)
            if blocking is not None:
                return quota_words.too_many_values(self._counted(blocking, at_s))
            if unknown:
                dues = Dues.of(tuple(due for due in dues.each if due not in unknown))
        admission = self._bounded(dues, caller, route, call, catalog, at_s, now_s)
        if isinstance(admission, Refusal):
            return admission
        is_as_then = now_s < dues.ends_at_s
        if (dues.empty or not is_as_then) and (empty := self._empty(admission, now_s)) is not None:
            return empty
        if dues.varying and not dues.known:
            # Now, for the ledger has these counters from here on, whether the call fits or not.
            self._cardinality.take(dues.varying)
            dues.known = all(due.quota.unit != "concurrent" for due in dues.varying)
        if self.touched is not None:
            self.touched.update(dues.counters)
        holds = dues.holds(admission.amounts(admission.tokens_out)) if is_as_then else self._holds(admission, now_s)
        short = self.ledger.reserve(id, holds)
        return admission if short is None else Waiting(admission, short)

    def _bounded(
        self, dues: Dues, caller: Caller, route: Route, call: Call, catalog: Catalog, at_s: int, now_s: int
    ) -> Admission | Refusal:
        if not dues.bounded:
            return Admission(dues)
        cases = self._cases.get(catalog)
        if cases is None:
            if len(self._cases) >= CASES_MAX:
                self._cases.clear()
            cases = self._cases[catalog] = WorstCases(catalog)
        worst = cases.find(call, route, at_s)
        if isinstance(worst, Unbounded):
            return self._with_ceiling(Admission(dues), dues.bounded, worst, now_s)
        admission = Admission(dues, worst, tokens_out=worst.tokens_out)
        if worst.unpriced is not None:  # quotas of tokens have their bound
            of_money = tuple(due for due in dues.bounded if due.quota.unit == "usd")
            refused = self._with_ceiling(admission, of_money, worst.unpriced, now_s)
            if isinstance(refused, Refusal):
                return refused
        guaranteed = caller.key.mode == "guaranteed"
        if worst.open_ended and not guaranteed and not _is_ample(admission):
            admission.pays_as_it_goes = True
            admission.tokens_out = min(SLICE_TOKENS, worst.tokens_out)
        return admission

    def _with_ceiling(
        self, admission: Admission, dues: Sequence[Due], lacking: Unbounded, now_s: int
    ) -> Admission | Refusal:
        """Lets a call hold the ceilings of these, which lack a bound, if each has one or refuses nothing now."""
        blocking = (due for due in dues if self._table.limit(due, now_s) is not None)
        without = next((due for due in blocking if due.quota.ceiling is None), None)
        if without is not None:
            counted = self._counted(without, now_s)
            if lacking.unpriced and without.quota.unit == "usd":
                return quota_words.unpriced(counted, lacking.reason)
            return quota_words.unbounded(counted, lacking.of_tokens or lacking.reason)
        for due in dues:
            self.numbers.let_through(due.quota.id, "unpriced" if lacking.unpriced else "unbounded")
        admission.ceiling_nanousd = max((due.quota.ceiling or 0 for due in dues), default=None)
        return admission

    def _empty(self, admission: Admission, now_s: int) -> Refusal | None:
        """Why a call that costs nothing may not be: a budget of nothing ends all calls, and the ledger the others."""
        if admission.amounts(admission.tokens_out)[0]:
            return None
        for due in admission.dues.bounded:
            if due.quota.unit == "usd" and self._table.limit(due, now_s) == 0:
                return self.refusal(admission, Shortage(due.counter, 0, 0), now_s)
        return None

    async def admit_waiting(
        self, id: str, waiting: Waiting, route: Route, call: Call, at_s: int, *, guaranteed: bool
    ) -> Admission | Refusal:
        """The same call by its exact bound, with what lies elsewhere and, if it is `guaranteed`, with a lower cap."""
        admission = waiting.admission
        if admission.worst is not None:
            loop = asyncio.get_running_loop()
            worst = await loop.run_in_executor(self._thread, tighten, admission.worst, call, route)
            admission.worst, admission.tokens_out = worst, min(admission.tokens_out, worst.tokens_out)

        def take(holds: Holds) -> Shortage | None:
            return self.ledger.reserve(id, holds)

        obtained = await self._obtain(lambda: self._holds(admission, at_s), take)
        if obtained is None:
            return admission
        if not isinstance(obtained, Shortage) or admission.worst is None or not guaranteed:
            return self.refusal(admission, obtained, at_s)
        lowered = self._lowered(id, admission, obtained, route, call, at_s)
        return admission if lowered else self.refusal(admission, obtained, at_s)

    async def _obtain(
        self, holds_now: Callable[[], Holds], take: Callable[[Holds], Shortage | None]
    ) -> Shortage | Unreachable | None:
        """Takes the holds once what is missing has been fetched; why it could not be."""
        for _ in range(OBTAIN_ROUNDS_MAX):
            holds = holds_now()
            if take(holds) is None:
                return None
            obtained = await self.ledger.obtain(holds, OBTAIN_TIMEOUT_S)
            if obtained is not None:
                return obtained
        return take(holds_now())

    def _lowered(self, id: str, admission: Admission, short: Shortage, route: Route, call: Call, at_s: int) -> bool:
        """Lets a call write no more than every counter affords, by the cap in its body; whether it holds that now.

        Each round fits one more counter, so there are as many as counters at most.
        """
        if call.text is not call.body and not call.spliced:
            return False  # in an encoding: its bytes are the client's
        for _ in admission.dues.each:
            tokens = _affordable(admission, short)
            lowered = lower_cap(route.endpoint.reader, route.destination.provider.name, call.body, tokens)
            if lowered is None:
                return False
            admission.tokens_out, admission.body = tokens, lowered
            again = self.ledger.reserve(id, self._holds(admission, at_s))
            if again is None:
                return True
            short = again
        return False

    # -- while it streams

    def extend(self, id: str, admission: Admission, tokens_seen: int, at_s: int) -> Shortage | None:
        """Holds what a stream needs to go on, before it has used up what it holds."""
        tokens_out = _extended(admission, tokens_seen)
        short = self.ledger.extend(id, self._more(admission, tokens_out, at_s))
        if short is None:
            admission.tokens_out = tokens_out
        return short

    async def extend_waiting(
        self, id: str, admission: Admission, tokens_seen: int, at_s: int
    ) -> Shortage | Unreachable | None:
        """The same, with what lies elsewhere. What has ended meanwhile needs no more."""
        tokens_out = _extended(admission, tokens_seen)

        def take(holds: Holds) -> Shortage | None:
            return self.ledger.extend(id, holds) if self.ledger.held(id) else None

        obtained = await self._obtain(lambda: self._more(admission, tokens_out, at_s), take)
        for _ in admission.dues.bounded:  # each round fits one more counter
            if not isinstance(obtained, Shortage):
                break
            tokens_out = _smaller(admission, tokens_out, obtained)
            if tokens_out < max(admission.tokens_out, tokens_seen) + SLICE_TOKENS_MIN:
                break
            obtained = take(self._more(admission, tokens_out, at_s))
        if obtained is None and self.ledger.held(id):
            admission.tokens_out = tokens_out
        return obtained

    def outrun(self, admission: Admission, tokens_seen: int, at_s: int) -> Refusal:
        """Why a stream ends that has brought more than it holds, while what it asked for is being fetched."""
        wanted = self._more(admission, _extended(admission, tokens_seen), at_s)
        # Of input tokens a stream wants no more, and of none of them more than there is.
        short = next(Shortage(hold.counter, hold.amount, 0) for hold in wanted if hold.amount)
        return self.refusal(admission, short, at_s, midstream=True)

    def _holds(self, admission: Admission, at_s: int) -> Holds:
        """What a call is to hold that came earlier."""
        return self._table.holds(admission.dues.each, admission.amounts(admission.tokens_out), at_s)

    def _more(self, admission: Admission, tokens_out: int, at_s: int) -> Holds:
        """What it needs beside what it holds."""
        before, after = admission.amounts(admission.tokens_out), admission.amounts(tokens_out)
        more = amounts_of(after[0] - before[0], 0, tokens_out - admission.tokens_out)
        return self._table.holds(admission.dues.bounded, more, at_s)

    # -- at its end

    def settle(self, id: str, admission: Admission, consumed: Consumed | None) -> tuple[dict[str, int], int]:
        """What every counter was charged, and the number of it; `consumed` None: the call was never sent."""
        dues = admission.dues
        if self.touched is not None:
            self.touched.update(dues.counters)
        if consumed is None:
            return {}, self.ledger.settle(id, {})
        told = consumed.told
        charges = charged(dues.each, self.ledger.held(id), consumed) if told is None else dues.charges(told)
        seq = self.ledger.settle(id, charges)
        if dues.telling:
            self._count_let_through(dues)
        return charges, seq

    def settle_unheld(self, id: str, admission: Admission, consumed: Consumed) -> tuple[dict[str, int], int]:
        """The same for what was consumed before its hold was taken, or though it was refused: it counts all the same.

        What nobody reported is charged as it was to be held.
        """
        dues = admission.dues
        if self.touched is not None:
            self.touched.update(dues.counters)
        wanted = dict(zip(dues.counters, dues.held(admission.amounts(admission.tokens_out)), strict=True))
        charges = charged(dues.each, wanted, consumed)
        self.ledger.reserve(id, NO_HOLDS)
        seq = self.ledger.settle(id, charges)
        self._count_let_through(dues)
        return charges, seq

    def _count_let_through(self, dues: Dues) -> None:
        """Counts what quotas that only tell would have refused."""
        if dues.telling and self.away():
            for due in dues.telling:
                self.numbers.let_through(due.quota.id, "ledger_unavailable")
        for due in dues.telling:
            if self.ledger.balance(due.counter).settled > (due.quota.limit or 0):
                self.numbers.let_through(due.quota.id, "over_alert")

    def settle_later(
        self, id: str, admission: Admission | None, before: Sequence[Begun], consumed: Consumed
    ) -> tuple[dict[str, int], int]:
        """The same for a call that tells what work consumed which another call began, and was charged `before` for."""
        if admission is None:
            self.ledger.reserve(id, NO_HOLDS)
        amounts = charged_later(() if admission is None else admission.dues.each, before, consumed)
        if self.touched is not None:
            self.touched.update(amounts)
        return amounts, self.ledger.settle_later(id, amounts)

    def unpriced(self, admission: Admission) -> None:
        """Nobody knows what a call cost that quotas of money only tell of."""
        for due in admission.dues.telling:
            if due.quota.unit == "usd":
                self.numbers.let_through(due.quota.id, "unpriced")

    def told(self, crossed: Crossed) -> None:
        """A threshold was reached, and is in the journal."""
        self.numbers.told(crossed)
        self.heard(crossed)

    def refusal(
        self, admission: Admission, short: Shortage | Unreachable, at_s: int, *, midstream: bool = False
    ) -> Refusal:
        """What was hit, how much of it is left, and when there is more."""
        due = next(due for due in admission.dues.each if due.counter == short.counter)
        counted = self._counted(due, at_s)
        if isinstance(short, Unreachable):
            return quota_words.unreachable(counted)
        self._tell_used_up(due)
        if midstream:
            return quota_words.ran_out(counted, wanted=short.wanted, remaining=short.available)
        ceiling = admission.ceiling_nanousd is not None
        return quota_words.too_little(
            counted, wanted=short.wanted, remaining=short.available, now_s=at_s, ceiling=ceiling
        )

    def _counted(self, due: Due, at_s: int) -> Counted:
        """The counter, with what is left of it by what is known here."""
        limit, balance = self._table.limit(due, at_s), self.ledger.balance(due.counter)
        resets_at_s = None if due.period.ends_at_s == NEVER_S else due.period.ends_at_s
        counted = Counted(due.quota, dict(due.scope), limit, resets_at_s)
        if limit is None:
            return counted
        taken = balance.settled + balance.held + (balance.leased or 0)
        return counted._replace(remaining=max(limit - taken, 0))

    def _tell_used_up(self, due: Due) -> None:
        """A quota that refuses with less than a tenth left is at 100 % to people, and is told so once in a window.

        What is settled seldom gets there: a call holds the most it may cost, which is more than it costs.
        """
        quota = self._table.quotas.get(due.quota.id, due.quota)
        limit, balance = quota.limit, self.ledger.balance(due.counter)
        if not limit or 100 not in quota.thresholds or due.counter in self._used_up:
            return
        if (balance.settled + balance.held + (balance.leased or 0)) * 10 >= limit * 9:
            if len(self._used_up) >= USED_UP_MAX:
                self._used_up.clear()
            self._used_up.add(due.counter)
            self.heard(Crossed(due.counter, 100, balance.settled, limit))


def _same_quotas(before: Policy, after: Policy) -> bool:
    return before.quotas is after.quotas and before.quota_overrides is after.quota_overrides


def _extended(admission: Admission, tokens_seen: int) -> int:
    """How much output a stream that has brought so much is to hold for."""
    assert admission.worst is not None, "only what has a bound is paid as it goes"
    return min(tokens_seen + LEAD_TOKENS + SLICE_TOKENS, admission.worst.tokens_out)


def _smaller(admission: Admission, tokens_out: int, short: Shortage) -> int:
    """How much output a stream may hold for in place of so much, by what is left of a counter."""
    place = _place(admission, short)
    affordable = admission.amounts(admission.tokens_out)[place] + short.available
    return _most_within(affordable, admission, place, admission.tokens_out, tokens_out - 1)


def _is_ample(admission: Admission) -> bool:
    """Whether each limit has room for many calls like this one."""
    holds = admission.dues.holds(admission.amounts(admission.tokens_out))
    return all(hold.limit is None or hold.amount * AMPLE <= hold.limit for hold in holds)


def _affordable(admission: Admission, short: Shortage) -> int:
    """How much output fits into what is left of a counter; the input included, it may be none."""
    return _most_within(short.available, admission, _place(admission, short), 0, admission.tokens_out - 1)


def _place(admission: Admission, short: Shortage) -> int:
    """Where the amounts of a call say what it holds of the counter that is short."""
    return next(due.held_as for due in admission.dues.each if due.counter == short.counter)


def _most_within(affordable: int, admission: Admission, place: int, fewest: int, most: int) -> int:
    """The most output, between these two, of which no more is held there than is affordable; else the fewest."""
    while fewest < most:
        tokens = (fewest + most + 1) // 2
        fits = admission.amounts(tokens)[place] <= affordable
        fewest, most = (tokens, most) if fits else (fewest, tokens - 1)
    return fewest
