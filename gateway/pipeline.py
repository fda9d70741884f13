"""Owns one request from top to bottom: identify, route, examine, admit, journal, forward, settle, record.

Everything happens in callbacks of the event loop; no task and no timer is made for a call. What a
turn of the loop brings is journaled with one write at its end, and only then sent to the providers.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from gateway.admit import Gate, admit
from gateway.background import Background
from gateway.claims import Claims
from gateway.contract.record import Outcome, Record, encode_record
from gateway.enforce import Admission, Enforcer, Waiting
from gateway.examine import Call, examine
from gateway.examine_socket import examine_handshake
from gateway.faults import Refusal
from gateway.forward import Client, Exchange
from gateway.identify import identify
from gateway.journal.writer import Journal
from gateway.ledger.base import Crossed
from gateway.logs import RequestLog
from gateway.metering.estimate import estimate
from gateway.metering.reading import Reading
from gateway.outgoing import outgoing_head
from gateway.policy import PolicyHolder, PolicyView
from gateway.quotas import begun, consumed_by, decode_begun, encode_begun
from gateway.request import Request
from gateway.route import Plan, Route, RouteTable
from gateway.session_tap import Measured
from gateway.settings import Settings
from gateway.settle import CHARGED_BEFORE, FREE, UNKNOWN, Charge, settle
from gateway.summarize import summarize, summarize_intent, summarize_response, summarize_stranger
from gateway.telemetry import Telemetry
from gateway.upstream import Upstreams
from pricing.catalog import Catalog

# Reading an answer of this size takes about a millisecond: a larger one is read on a thread.
READ_ON_LOOP_BYTES_MAX = 1024 * 1024
# Of many calls that end at once, so many are settled in a turn of the event loop: about a millisecond.
SETTLED_AT_ONCE = 16
# What an operator has to know of each call, within the limits of RequestLog.
_OUTCOMES_LOGGED: frozenset[Outcome] = frozenset(("upstream_error", "gateway_error"))


# Of a counter's name, in the id of a frame, which has no more room.
COUNTER_BYTES_MAX = 255
_BUG = Refusal("gateway_error", "The gateway failed on this request")


class Clock:
    """Wall and monotonic time in nanoseconds; the only clock of the request path."""

    now_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)


CLOCK = Clock()


class Pipeline:
    """Every stage in order, over the parts it is given. One per worker."""

    def __init__(
        self,
        *,
        settings: Settings,
        gate: Gate,
        policy: PolicyHolder,
        catalog: Callable[[str], Catalog],
        journal: Journal,
        claims: Claims,
        enforcer: Enforcer,
        upstreams: Upstreams,
        telemetry: Telemetry,
        background: Background,
        logger: logging.Logger,
        request_log: RequestLog,
        clock: Clock,
    ) -> None:
        self.settings = settings
        self.live: set[Exchange] = set()
        self.now_ns = clock.now_ns
        self.monotonic_ns = clock.monotonic_ns
        self._gate = gate
        self._policy = policy
        self._routes = RouteTable(policy.current)
        self._catalog = catalog
        self._journal = journal
        self._claims = claims
        self._enforcer = enforcer
        self._upstreams = upstreams
        self._telemetry = telemetry
        self._background = background
        self._logger = logger
        self._request_log = request_log
        self._loop = asyncio.get_running_loop()
        # One: a vocabulary takes a second and 75 MB to load, and is loaded once.
        self._thread = ThreadPoolExecutor(1, "metering")
        self._outbox: list[Exchange] = []
        self._cut: list[tuple[Exchange, int]] | None = None  # ended by the switches being obeyed now, and when
        self._flush_scheduled = False
        # Unique across restarts and nodes without a clock: 64 random bits, then a count.
        self._id_prefix = f"req_{secrets.token_hex(8)}"
        self._opened = 0

    def open(self, request: Request, client: Client, refusal: Refusal | None, plan: Plan | None) -> Exchange:
        """The exchange of a request whose head has arrived; it holds a refusal if the head earns one.

        `plan` is that of a like head before it, which holds as long as the policy does.
        """
        self._opened += 1
        exchange = Exchange(request, client, self, f"{self._id_prefix}{self._opened:06x}")
        now_s = request.arrived_ns // 1_000_000_000
        if plan is not None and plan.holds(self._policy.current, now_s):
            exchange.follow(plan)
        else:
            try:
                judged = self._judge_head(exchange, now_s)
            except Exception:  # a bug must cost one call, not its connection and its record
                self._logger.exception("pipeline_failed", extra={"request_id": exchange.id})
                judged = _BUG
            refusal = refusal or judged
        exchange.refusal = refusal
        return exchange

    def refused_unread(self, refusal: Refusal) -> None:
        """Counts an answer to bytes that were no request."""
        now_ns = self.now_ns()
        self._telemetry.observe(summarize_stranger("", now_ns, refusal))

    def begin(self, exchange: Exchange) -> None:
        """The request has arrived whole, or is refused already: forwards it once its intent is journaled."""
        try:
            refusal = exchange.refusal or self._judge_body(exchange) or self._hold(exchange)
            if refusal is None and not exchange.waits:
                self._journal_intent(exchange)
        except Exception:
            self._logger.exception("pipeline_failed", extra={"request_id": exchange.id})
            refusal = _BUG
        if refusal is not None:
            exchange.refuse(refusal)

    def ended(self, exchange: Exchange) -> None:
        """The last byte is out, or will never come: settles and records it."""
        if exchange.admitted:
            self._gate.inflight -= 1
            self.live.discard(exchange)
        if exchange.caller is None:
            # Strangers are counted and not recorded, or anybody could fill the disk.
            self._telemetry.observe(summarize_stranger(exchange.id, exchange.request.arrived_ns, exchange.refusal))
            return
        ended_ns = self.monotonic_ns()
        if self._cut is not None:
            self._cut.append((exchange, ended_ns))
            return
        self._conclude(exchange, ended_ns)

    def _conclude(self, exchange: Exchange, ended_ns: int) -> None:
        """Settles and records a call that ended then, here or from a thread."""
        try:
            charge = self._known_charge(exchange) or self._read_charge(exchange, ended_ns)
        except Exception:  # the record must be written whatever happens
            self._logger.exception("metering_failed", extra={"request_id": exchange.id})
            charge = UNKNOWN
        if charge is not None:
            self._record(exchange, charge, ended_ns)

    def measured(self, exchange: Exchange, measured: Measured) -> None:
        """One response of a session is complete: records it at once, for the session may go on for hours."""
        plan, call, ended_ns = exchange.plan, exchange.call, self.monotonic_ns()
        assert plan is not None, "a session without a plan"
        assert call is not None, "a session without a call"
        began_s = (exchange.request.arrived_ns + measured.began_ns - exchange.request.started_ns) // 1_000_000_000
        asked = msgspec.structs.replace(call, model=measured.model)
        try:
            charge = settle(measured.reading, plan.route, asked, self._prices(exchange), began_s)
        except Exception:  # the record must be written whatever happens
            self._logger.exception("metering_failed", extra={"request_id": exchange.id})
            charge = UNKNOWN
        exchange.responses += 1
        self._settle_holds(exchange, charge)
        self._write_down(summarize_response(exchange, measured, charge, ended_ns))
        exchange.counters, exchange.ledger_seq = None, 0
        self._hold_again(exchange, measured.model, waits=True)

    def _hold_again(self, exchange: Exchange, model: str, *, waits: bool) -> bool:
        """Whether a session holds the next of its responses, before it is asked for; if not, it ends here.

        `waits`: what does not fit here and now may be fetched, and the session goes on meanwhile.
        """
        plan, call = exchange.plan, exchange.call
        if exchange.admission is None or plan is None or call is None:
            return True
        exchange.catalog = self._catalog(plan.caller.project.org_id)
        at_s = self.now_ns() // 1_000_000_000
        asked = msgspec.structs.replace(call, model=model)
        admitted = self._enforcer.admit(exchange.id, self._policy.current, plan.caller, plan.route, asked, at_s)
        exchange.admission = None
        if not isinstance(admitted, Waiting):
            return self._go_on(exchange, admitted)
        if not waits:
            return self._go_on(exchange, self._enforcer.refusal(admitted.admission, admitted.short, at_s))
        self._background.spawn(self._hold_again_waiting(exchange, admitted, plan.route, asked, at_s), "hold")
        return True

    async def _hold_again_waiting(
        self, exchange: Exchange, waiting: Waiting, route: Route, asked: Call, at_s: int
    ) -> None:
        admitted = await self._enforcer.admit_waiting(exchange.id, waiting, route, asked, at_s, guaranteed=False)
        if exchange.wanted:
            self._go_on(exchange, admitted)
        elif isinstance(admitted, Admission):  # it has ended meanwhile, and was recorded: nothing was sent for this
            self._enforcer.settle(exchange.id, admitted, None)

    def _go_on(self, exchange: Exchange, admitted: Admission | Refusal | None) -> bool:
        """Whether a session goes on, with what it holds for its next response; else it ends."""
        if isinstance(admitted, Refusal):
            self._cut_off(exchange, admitted)
            return False
        exchange.admission = admitted
        if exchange.wanted:  # what has ended must not be opened in the journal again
            self._journal_holds(exchange)
        return True

    def renamed(self, exchange: Exchange, model: str) -> bool:
        """A session's client is about to name another model: whether what that may cost is held now."""
        if exchange.admission is None:
            return True
        self._enforcer.settle(exchange.id, exchange.admission, None)
        return self._hold_again(exchange, model, waits=False)

    def _journal_holds(self, exchange: Exchange) -> None:
        """Writes down that an open call holds something else than its intent says: a crash charges it that."""
        assert exchange.intent is not None, "what is under way was journaled"
        exchange.intent = msgspec.structs.replace(exchange.intent, counters=dict(self._enforcer.held(exchange.id)))
        self._journal.again(exchange.id.encode(), encode_record(exchange.intent))
        self._flush_soon()

    def _cut_off(self, exchange: Exchange, refusal: Refusal) -> None:
        """Ends a call under way that its budget does not carry any further."""
        if exchange.wanted:
            exchange.outcome = "cancelled"
            exchange.flags.append("budget_cut")
            exchange.stop(refusal)

    def policy_swapped(self) -> None:
        """Ends the calls under way that the new policy's kill switches are about.

        All are cut before any is settled: reading what a cut stream brought takes as long as cutting it, and estimating
        the rest of it, on a thread, takes the interpreter away from this one.
        """
        view = self._policy.current
        if not view.policy.kill_switches:
            return
        cut: list[tuple[Exchange, int]] = []
        self._cut = cut
        try:
            self._obey_kill_switches(view)
        finally:
            self._cut = None
        if cut:
            self._background.spawn(self._settle_cut(cut), "settle_cut")

    def _obey_kill_switches(self, view: PolicyView) -> None:
        for exchange in list(self.live):
            plan, call = exchange.plan, exchange.call
            if plan is None or call is None:
                continue
            killed = self._enforcer.killed(view, plan.caller, plan.route, call)
            if killed is not None:
                exchange.outcome = "cancelled"
                exchange.stop(killed)

    async def _settle_cut(self, cut: list[tuple[Exchange, int]]) -> None:
        """A few in a turn, the first of them when the connections of all have been closed."""
        for number, (exchange, ended_ns) in enumerate(cut):
            if number % SETTLED_AT_ONCE == 0:
                await asyncio.sleep(0)
            self._conclude(exchange, ended_ns)

    def expire(self, now_ns: int) -> None:
        """Ends every exchange whose deadline has passed. Called a few times a second."""
        for exchange in [exchange for exchange in self.live if exchange.deadline_ns < now_ns]:
            exchange.expire()
        self._tell_crossed()

    def flush(self) -> None:
        """Writes the journal, then sends what waited for it."""
        self._flush_scheduled = False
        outbox, self._outbox = self._outbox, []
        unwritten = set(self._journal.flush(self.monotonic_ns()))
        for exchange in outbox:
            if not exchange.wanted or exchange.route is None:
                continue
            if exchange.id.encode() in unwritten:
                exchange.refuse(Refusal("journal_unavailable", "The journal cannot be written: free its disk", 5))
            else:
                self._upstreams.pool(exchange.route.destination.origin).send(exchange)

    # -- judging

    def _judge_head(self, exchange: Exchange, now_s: int) -> Refusal | None:
        routes, view = self._routes, self._policy.current
        if routes.view is not view:
            routes = self._routes = routes.following(view)
        request = exchange.request
        exchange.dialect = routes.dialect(request)
        caller = identify(request, view, now_s)
        if isinstance(caller, Refusal):
            return caller
        exchange.caller = caller
        if view.has_upstreams(caller.project.org_id):
            exchange.dialect = routes.dialect(request, caller.project.org_id)
        route = routes.route(request, caller)
        if isinstance(route, Refusal):
            return route
        exchange.follow(Plan(view, exchange.dialect, caller, route, {}))
        return None

    def _judge_body(self, exchange: Exchange) -> Refusal | None:
        plan = exchange.plan
        assert plan is not None, "begun without a refusal and without a plan"
        if exchange.websocket:
            call = examine_handshake(plan.caller, plan.route)
        else:
            call = examine(exchange.request, plan.caller, plan.route, self.settings.body_bytes_max)
        if isinstance(call, Refusal):
            return call
        exchange.call, exchange.catalog = call, self._catalog(plan.caller.project.org_id)
        return admit(self._gate, journal_accepting=self._journal.accepting)

    def _hold(self, exchange: Exchange) -> Refusal | None:
        """Takes what the call may need of its quotas; one that does not fit as it is waits, and nobody else for it."""
        plan, call = exchange.plan, exchange.call
        assert plan is not None, "judged without a refusal"
        assert call is not None, "judged without a refusal"
        view = self._policy.current  # that of now: a switch may have been thrown since the head came
        if self._enforcer.idle(view):
            return None
        killed = self._enforcer.killed(view, plan.caller, plan.route, call)
        if killed is not None:
            return killed
        at_s = exchange.request.arrived_ns // 1_000_000_000
        admitted = self._enforcer.admit(exchange.id, view, plan.caller, plan.route, call, at_s)
        if isinstance(admitted, Refusal):
            return admitted
        if isinstance(admitted, Waiting):
            exchange.waits = True
            self._background.spawn(self._hold_waiting(exchange, admitted), "hold")
        else:
            exchange.admission = admitted
        return None

    async def _hold_waiting(self, exchange: Exchange, waiting: Waiting) -> None:
        plan, call, at_s = exchange.plan, exchange.call, self.now_ns() // 1_000_000_000
        assert plan is not None, "judged without a refusal"
        assert call is not None, "judged without a refusal"
        try:
            admitted = await self._enforcer.admit_waiting(
                exchange.id, waiting, plan.route, call, at_s, guaranteed=plan.caller.key.mode == "guaranteed"
            )
        except Exception:
            self._logger.exception("pipeline_failed", extra={"request_id": exchange.id})
            admitted = _BUG
        exchange.waits = False
        if isinstance(admitted, Admission):
            exchange.admission = admitted
            if admitted.body is not None:
                exchange.call = msgspec.structs.replace(call, body=admitted.body)
                exchange.flags.append("output_capped")
        if not exchange.wanted:  # the client has left meanwhile
            self._settle_holds(exchange, UNKNOWN)
            return
        # Much may have changed while it waited.
        refusal = self._enforcer.killed(self._policy.current, plan.caller, plan.route, call) or admit(
            self._gate, journal_accepting=self._journal.accepting
        )
        if isinstance(admitted, Refusal):
            exchange.refuse(admitted)
        elif refusal is not None:
            exchange.refuse(refusal)
        else:
            self._journal_intent(exchange)

    # -- the way there

    def _journal_intent(self, exchange: Exchange) -> None:
        request, plan, call = exchange.request, exchange.plan, exchange.call
        assert plan is not None, "judged without a refusal"
        assert call is not None, "judged without a refusal"
        destination = plan.route.destination
        heads = plan.heads.get(call.spliced)
        if heads is None:
            heads = outgoing_head(request, plan.caller, plan.route, call)
            if plan.route.signer is None:  # a signature holds for one body, and not for long
                plan.heads[call.spliced] = heads
        before, after = heads
        exchange.payload = b"%b%d%b%b" % (before, len(call.body), after, call.body) if after else before
        timeout_ms = destination.upstream.first_byte_timeout_ms or self.settings.first_byte_timeout_ms
        exchange.deadline_ns = self.monotonic_ns() + timeout_ms * 1_000_000
        exchange.admitted = True
        self._gate.inflight += 1
        self.live.add(exchange)
        exchange.intent = summarize_intent(exchange)
        if exchange.admission is not None:
            held = dict(self._enforcer.held(exchange.id))
            exchange.intent = msgspec.structs.replace(exchange.intent, counters=held)
        self._journal.intent(exchange.id.encode(), encode_record(exchange.intent))
        self._outbox.append(exchange)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self.flush)

    # -- the way back

    def _known_charge(self, exchange: Exchange) -> Charge | None:
        """The charge of a call whose answer need not be read."""
        if exchange.websocket:
            return self._session_charge(exchange)
        route, status = exchange.route, exchange.upstream_status
        if not exchange.dispatches or route is None or not route.endpoint.reader or 300 <= status < 500:
            return FREE
        # Sent, and not answered: what the provider made of it is not known.
        return UNKNOWN if status == 0 or status >= 500 else None

    def _session_charge(self, exchange: Exchange) -> Charge:
        """What a session cost beside its responses, each of which has a charge of its own."""
        if exchange.tunnel is None or not exchange.tunnel.tap.unfinished:
            return FREE
        exchange.flags.append("responses_unfinished")
        return UNKNOWN

    def _read_charge(self, exchange: Exchange, ended_ns: int) -> Charge | None:
        """The charge the answer itself tells, or None where a thread has been set to find it."""
        tap = exchange.tap
        assert tap is not None, "a metered answer without a tap"
        reading = tap.reading(complete=exchange.complete) if tap.copied_bytes <= READ_ON_LOOP_BYTES_MAX else None
        if reading is not None and reading.provenance == "reported" and not _may_be_told_twice(exchange, reading):
            return self._settle(exchange, reading)
        self._background.spawn(self._charge_on_thread(exchange, reading, ended_ns), "estimate")
        return None

    def _settle(self, exchange: Exchange, reading: Reading) -> Charge:
        plan, call = exchange.plan, exchange.call
        assert plan is not None, "an answer without a plan"
        assert call is not None, "an answer without a call"
        at_s = exchange.request.arrived_ns // 1_000_000_000
        return settle(reading, plan.route, call, self._prices(exchange), at_s, served_by=exchange.served_by)

    def _prices(self, exchange: Exchange) -> Catalog:
        """Those it was admitted at: what was held is of them, whatever the policy says by now."""
        assert exchange.catalog is not None, "a call without its prices"
        return exchange.catalog

    async def _charge_on_thread(self, exchange: Exchange, seen: Reading | None, ended_ns: int) -> None:
        """Reads what is too large for the loop, and estimates what the provider did not report."""
        try:
            held = dict(self._enforcer.held(exchange.id))
            charge = await self._loop.run_in_executor(self._thread, self._charge_blocking, exchange, seen, held)
        except Exception:  # the record must be written whatever happens
            self._logger.exception("metering_failed", extra={"request_id": exchange.id})
            charge = UNKNOWN
        self._record(exchange, charge, ended_ns)

    def _charge_blocking(self, exchange: Exchange, seen: Reading | None, held: dict[str, int]) -> Charge:
        reading = _with_work(exchange, _read_or_estimate(exchange, seen))
        if not _may_be_told_twice(exchange, reading):
            return self._settle(exchange, reading)
        if reading.work_id is None:
            # An answer that was understood tells of no such work: whoever asked for it was charged then.
            return FREE if reading.provenance == "reported" else UNKNOWN
        charge = self._settle(exchange, reading)
        now_s = exchange.request.arrived_ns // 1_000_000_000
        if charge.provenance == "deferred":
            if _retrieves(exchange):
                return FREE
            before = begun(exchange.admission.dues, held) if exchange.admission is not None else ()
            begins = not before or self._claims.begin(charge.work_id, encode_begun(before), now_s)
            return charge if begins else CHARGED_BEFORE
        if not self._claims.claim(charge.work_id, exchange.id, now_s):
            return CHARGED_BEFORE
        exchange.begun = self._claims.begun(charge.work_id)
        return charge

    def flowed(self, exchange: Exchange, tokens_max: int) -> None:
        """A stream that pays as it goes has brought so much: it holds more, or ends here."""
        admission = exchange.admission
        assert admission is not None, "what pays as it goes was admitted"
        if not admission.runs_out(tokens_max):
            return
        at_s = self.now_ns() // 1_000_000_000
        if exchange.waits:
            if tokens_max > admission.tokens_out:  # what it waits for comes too late
                self._cut_off(exchange, self._enforcer.outrun(admission, tokens_max, at_s))
            return
        if self._enforcer.extend(exchange.id, admission, tokens_max, at_s) is None:
            self._journal_holds(exchange)
        else:
            exchange.waits = True
            self._background.spawn(self._extend_waiting(exchange, admission, tokens_max, at_s), "extend")

    async def _extend_waiting(self, exchange: Exchange, admission: Admission, tokens_max: int, at_s: int) -> None:
        short = await self._enforcer.extend_waiting(exchange.id, admission, tokens_max, at_s)
        exchange.waits = False
        if not exchange.wanted:
            return
        if short is None:
            self._journal_holds(exchange)
        else:
            self._cut_off(exchange, self._enforcer.refusal(admission, short, at_s, midstream=True))

    def _settle_holds(self, exchange: Exchange, charge: Charge) -> None:
        """Charges the counters of a call that has ended, and gives back what it did not need."""
        admission = exchange.admission
        if admission is None and not exchange.begun:
            return
        consumed = consumed_by(charge.provenance, charge.cost_nanousd, charge.usage)
        if admission is None or exchange.begun:
            before = decode_begun(exchange.begun)
            settled = self._enforcer.settle_later(exchange.id, admission, before, consumed)
        else:
            settled = self._enforcer.settle(exchange.id, admission, consumed if exchange.dispatches else None)
        exchange.counters, exchange.ledger_seq = settled
        self._tell_crossed()

    def _tell_crossed(self) -> None:
        for crossed in self._enforcer.ledger.crossed():
            self._signal(crossed)
            self._enforcer.told(crossed)

    def _signal(self, crossed: Crossed) -> None:
        """Tells whom it concerns, once: in the journal, in the log and by a number."""
        self._journal.signal(crossed.counter.encode()[:COUNTER_BYTES_MAX], msgspec.msgpack.encode(crossed))
        self._logger.warning("quota_threshold", extra=msgspec.structs.asdict(crossed))

    def _record(self, exchange: Exchange, charge: Charge, ended_ns: int) -> None:
        self._settle_holds(exchange, charge)
        if exchange.refusal is not None:
            self._enforcer.numbers.denied(exchange.refusal)
        record = summarize(exchange, charge, ended_ns)
        if record.outcome in _OUTCOMES_LOGGED:
            self._request_log.warn(
                record.outcome,
                request_id=record.request_id,
                upstream=record.upstream,
                status=record.upstream_status,
                code=record.refusal_code,
            )
        self._write_down(record)

    def _write_down(self, record: Record) -> None:
        self._journal.final(record.request_id.encode(), encode_record(record))
        self._telemetry.observe(record)
        self._flush_soon()


def _read_or_estimate(exchange: Exchange, reading: Reading | None) -> Reading:
    plan, call, tap = exchange.plan, exchange.call, exchange.tap
    assert plan is not None, "an answer without a plan"
    assert call is not None, "an answer without a call"
    assert tap is not None, "a metered answer without a tap"
    if reading is None:
        reading = tap.reading(complete=exchange.complete)
    if reading.provenance in ("reported", "deferred") or plan.route.endpoint.retrieves:
        return reading
    return estimate(plan.route.endpoint.reader, call.model, call.text, tap.seen, reading)


def _with_work(exchange: Exchange, reading: Reading) -> Reading:
    """The reading, with the id of its work where the path alone tells it."""
    route = exchange.route
    if route is None or not route.endpoint.work_in_path:
        return reading
    return msgspec.structs.replace(reading, work_id=route.target.partition(b"?")[0].split(b"/")[-2].decode())


def _retrieves(exchange: Exchange) -> bool:
    return exchange.route is not None and exchange.route.endpoint.retrieves


def _may_be_told_twice(exchange: Exchange, reading: Reading) -> bool:
    """Whether another call may tell of the same usage, so that it must be asked who is charged for it."""
    return reading.work_id is not None or _retrieves(exchange)
