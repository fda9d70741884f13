"""Owns what the calls under way hold of their quotas: before they are sent, while they stream, and at their end.

Joins exchanges to the Enforcer, which knows none, and the journal to what they hold, which a crash charges them.
"""

import logging
from collections.abc import Callable
from typing import Protocol

import msgspec

from gateway.admit import Gate, admit
from gateway.background import Background
from gateway.contract.record import encode_record
from gateway.enforce import Admission, Enforcer, Waiting
from gateway.examine import Call
from gateway.faults import BUG, Refusal
from gateway.forward import Exchange
from gateway.journal.writer import Journal
from gateway.ledger.base import Crossed
from gateway.policy import PolicyHolder
from gateway.quotas import consumed_by, decode_begun
from gateway.route import Route
from gateway.settle import UNKNOWN, Charge
from pricing.catalog import Catalog

# Of a counter's name, in the id of a frame, which has no more room.
COUNTER_BYTES_MAX = 255


class Owner(Protocol):
    """Who sends calls."""

    def now_ns(self) -> int: ...
    def send(self, exchange: Exchange) -> None:
        """A call that waited for its quotas may go."""

    def flush_soon(self) -> None:
        """Something is to be written to the journal in this turn of the loop."""


class Holding:
    """The quotas of one worker's calls."""

    def __init__(
        self,
        owner: Owner,
        *,
        enforcer: Enforcer,
        gate: Gate,
        policy: PolicyHolder,
        catalog: Callable[[str], Catalog],
        journal: Journal,
        background: Background,
        logger: logging.Logger,
    ) -> None:
        self._owner = owner
        self._enforcer = enforcer
        self._gate = gate
        self._policy = policy
        self._catalog = catalog
        self._journal = journal
        self._background = background
        self._logger = logger

    def killed(self, exchange: Exchange) -> Refusal | None:
        """Why a call must not be, by the switches of now; None also for one that was not judged yet."""
        plan, call = exchange.plan, exchange.call
        if plan is None or call is None:
            return None
        if exchange.tunnel is not None:  # its session may have named another model since
            call = msgspec.structs.replace(call, model=exchange.tunnel.tap.model)
        return self._enforcer.killed(self._policy.current, plan.caller, plan.route, call)

    def held(self, exchange: Exchange) -> dict[str, int] | None:
        """What it holds by counter; None where no quota touches it."""
        return None if exchange.admission is None else self._enforcer.ledger.held(exchange.id)

    # -- before a call is sent

    def take(self, exchange: Exchange) -> Refusal | None:
        """Takes what the call may need of its quotas; one that does not fit as it is waits, and nobody else for it."""
        plan, call = exchange.plan, exchange.call
        assert plan is not None, "judged without a refusal"
        assert call is not None, "judged without a refusal"
        assert exchange.catalog is not None, "judged without a refusal"
        view = self._policy.current  # that of now: a switch may have been thrown since the head came
        if not view.enforces:
            return None
        at_s = exchange.request.arrived_ns // 1_000_000_000
        # An override may have ended while the body came; where there is none, no clock is read for that.
        now_s = self._now_s() if view.policy.quota_overrides else at_s
        catalog = exchange.catalog
        admitted = self._enforcer.admit(exchange.id, view, plan.caller, plan.route, call, catalog, at_s, now_s)
        if admitted is None or isinstance(admitted, Admission):
            exchange.admission = admitted
        elif isinstance(admitted, Refusal):
            return admitted
        else:
            exchange.waits = True
            self._background.spawn(self._take_waiting(exchange, admitted), "hold")
        return None

    async def _take_waiting(self, exchange: Exchange, waiting: Waiting) -> None:
        plan, call, at_s = exchange.plan, exchange.call, self._now_s()
        assert plan is not None, "judged without a refusal"
        assert call is not None, "judged without a refusal"
        try:
            admitted = await self._enforcer.admit_waiting(
                exchange.id, waiting, plan.route, call, at_s, guaranteed=plan.caller.key.mode == "guaranteed"
            )
        except Exception:
            self._logger.exception("pipeline_failed", extra={"request_id": exchange.id})
            admitted = BUG
        exchange.waits = False
        if isinstance(admitted, Admission):
            exchange.admission = admitted
            if admitted.body is not None:
                exchange.call = msgspec.structs.replace(call, body=admitted.body)
                exchange.flags.append("output_capped")
        if not exchange.wanted:  # the client has left meanwhile
            self.settle(exchange, UNKNOWN)
            return
        # Much may have changed while it waited.
        refusal = self.killed(exchange) or admit(self._gate, journal_accepting=self._journal.accepting)
        if isinstance(admitted, Refusal):
            exchange.refuse(admitted)
        elif refusal is not None:
            exchange.refuse(refusal)
        else:
            self._owner.send(exchange)

    # -- between the responses of a session

    def take_again(self, exchange: Exchange, model: str, *, waits: bool) -> bool:
        """Whether a session holds the next of its responses, before it is asked for; if not, it ends here.

        `waits`: what does not fit here and now may be fetched, and the session goes on meanwhile. Quotas of now are
        asked, also where none touched the session before.
        """
        plan, call, view = exchange.plan, exchange.call, self._policy.current
        assert plan is not None, "a session without a plan"
        assert call is not None, "a session without a call"
        if exchange.waiting is not None:
            return True  # the hold that is being fetched will be for the next
        if not view.enforces:
            return self._go_on(exchange, None)
        catalog, at_s = self._catalog(plan.caller.project.org_id), self._now_s()
        exchange.catalog = catalog
        asked = msgspec.structs.replace(call, model=model)
        admitted = self._enforcer.admit(exchange.id, view, plan.caller, plan.route, asked, catalog, at_s)
        if not isinstance(admitted, Waiting):
            return self._go_on(exchange, admitted)
        exchange.admission = admitted.admission
        if not waits:
            return self._go_on(exchange, self._enforcer.refusal(admitted.admission, admitted.short, at_s))
        exchange.waiting = admitted
        self._background.spawn(self._take_again_waiting(exchange, admitted, plan.route, asked, at_s), "hold")
        return True

    async def _take_again_waiting(
        self, exchange: Exchange, waiting: Waiting, route: Route, asked: Call, at_s: int
    ) -> None:
        try:
            admitted = await self._enforcer.admit_waiting(exchange.id, waiting, route, asked, at_s, guaranteed=False)
        except Exception:
            self._logger.exception("pipeline_failed", extra={"request_id": exchange.id})
            admitted = BUG
        exchange.waiting = None
        if exchange.wanted:
            self._go_on(exchange, admitted)
        elif isinstance(admitted, Admission):  # it has ended meanwhile, and was recorded: nothing was sent for this
            self._enforcer.settle(exchange.id, admitted, None)

    def _go_on(self, exchange: Exchange, admitted: Admission | Refusal | None) -> bool:
        """Whether a session goes on, with what it holds for its next response; else it ends."""
        if isinstance(admitted, Refusal):
            _cut_off(exchange, admitted)
            return False
        untouched = admitted is None and exchange.admission is None
        exchange.admission = admitted
        if exchange.wanted and not untouched:  # what has ended must not be opened in the journal again
            self._journal_again(exchange)
        return True

    def renamed(self, exchange: Exchange, model: str) -> bool:
        """A session's client is about to name another model: whether what that may cost is held now.

        While the hold for the next response is still being fetched, not even what the model before may cost is held:
        the session ends.
        """
        waiting = exchange.waiting
        if waiting is not None:
            return self._go_on(exchange, self._enforcer.refusal(waiting.admission, waiting.short, self._now_s()))
        if exchange.admission is not None:
            self._enforcer.settle(exchange.id, exchange.admission, None)
        return self.take_again(exchange, model, waits=False)

    # -- while it streams

    def flowed(self, exchange: Exchange, tokens_max: int) -> None:
        """A stream that pays as it goes has brought so much: it holds more, or ends here."""
        admission = exchange.admission
        assert admission is not None, "what pays as it goes was admitted"
        if not admission.runs_out(tokens_max):
            return
        at_s = self._now_s()
        if exchange.waits:
            if tokens_max > admission.tokens_out:  # what it waits for comes too late
                _cut_off(exchange, self._enforcer.outrun(admission, tokens_max, at_s))
            return
        if self._enforcer.extend(exchange.id, admission, tokens_max, at_s) is None:
            self._journal_again(exchange)
        else:
            exchange.waits = True
            self._background.spawn(self._extend_waiting(exchange, admission, tokens_max, at_s), "extend")

    async def _extend_waiting(self, exchange: Exchange, admission: Admission, tokens_max: int, at_s: int) -> None:
        short = await self._enforcer.extend_waiting(exchange.id, admission, tokens_max, at_s)
        exchange.waits = False
        if not exchange.wanted:
            return
        if short is None:
            self._journal_again(exchange)
        else:
            _cut_off(exchange, self._enforcer.refusal(admission, short, at_s, midstream=True))

    def _journal_again(self, exchange: Exchange) -> None:
        """Writes down that an open call holds something else than its intent says: a crash charges it that."""
        assert exchange.intent is not None, "what is under way was journaled"
        exchange.intent = msgspec.structs.replace(exchange.intent, counters=self._enforcer.ledger.held(exchange.id))
        self._journal.again(exchange.id.encode(), encode_record(exchange.intent))
        self._owner.flush_soon()

    # -- at its end

    def settle(self, exchange: Exchange, charge: Charge) -> None:
        """Charges the counters of a call that has ended, and gives back what it did not need."""
        admission = exchange.admission
        if admission is None and not exchange.begun:
            return
        consumed = consumed_by(charge.provenance, charge.cost_nanousd, charge.tokens_in, charge.tokens_out)
        if admission is None or exchange.begun:
            before = decode_begun(exchange.begun)
            settled = self._enforcer.settle_later(exchange.id, admission, before, consumed)
        elif exchange.websocket and admission.dues.each and not self._enforcer.ledger.held(exchange.id):
            if charge.provenance == "none":
                return  # a session that ends with no response under way
            settled = self._enforcer.settle_unheld(exchange.id, admission, consumed)
        else:
            settled = self._enforcer.settle(exchange.id, admission, consumed if exchange.dispatches else None)
        if admission is not None and charge.price_match == "unpriced":
            self._enforcer.unpriced(admission)
        exchange.counters, exchange.ledger_seq = settled
        self.tell_crossed()

    def tell_crossed(self) -> None:
        """Tells each threshold that was reached since then, once."""
        for crossed in self._enforcer.ledger.crossed():
            self._signal(crossed)
            self._enforcer.told(crossed)

    def _signal(self, crossed: Crossed) -> None:
        """Tells whom it concerns: in the journal, in the log and by a number."""
        self._journal.signal(crossed.counter.encode()[:COUNTER_BYTES_MAX], msgspec.msgpack.encode(crossed))
        self._logger.warning("quota_threshold", extra=msgspec.structs.asdict(crossed))

    def denied(self, refusal: Refusal) -> None:
        """Counts a call that was refused, by its reason."""
        self._enforcer.numbers.denied(refusal)

    def _now_s(self) -> int:
        return self._owner.now_ns() // 1_000_000_000


def _cut_off(exchange: Exchange, refusal: Refusal) -> None:
    """Ends a call under way that its budget does not carry any further."""
    if exchange.wanted:
        exchange.outcome = "cancelled"
        exchange.flags.append("budget_cut")
        exchange.stop(refusal)
