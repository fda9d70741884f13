"""Owns one request from top to bottom: identify, route, examine, admit, journal, forward, settle, record.

Everything happens in callbacks of the event loop; no task and no timer is made for a call. What a
turn of the loop brings is journaled with one write at its end, and only then sent to the providers.
"""

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from gateway.admit import Gate, admit
from gateway.background import Background
from gateway.claims import Claims
from gateway.contract.record import Outcome, Record, encode_record
from gateway.enforce import Enforcer
from gateway.examine import examine
from gateway.examine_socket import examine_handshake
from gateway.faults import BUG, Refusal
from gateway.forward import Client, Exchange
from gateway.holding import Holding
from gateway.identify import identify
from gateway.journal.writer import Journal
from gateway.logs import RequestLog
from gateway.metering.estimate import estimate
from gateway.metering.reading import Reading
from gateway.outgoing import outgoing_head
from gateway.policy import PolicyHolder
from gateway.quotas import begun, encode_begun
from gateway.request import Request
from gateway.route import Plan, RouteTable
from gateway.session_tap import Measured
from gateway.settings import Settings
from gateway.settle import CHARGED_BEFORE, FREE, UNKNOWN, Charge, settle
from gateway.summarize import draft, summarize, summarize_intent, summarize_response, summarize_stranger
from gateway.telemetry import Telemetry
from gateway.upstream import Upstreams
from pricing.catalog import Catalog

# Reading an answer of this size takes about a millisecond: a larger one is read on a thread.
READ_ON_LOOP_BYTES_MAX = 1024 * 1024
# Of many calls that end at once, so many are settled in a turn of the event loop: about a millisecond.
SETTLED_AT_ONCE = 16
# What an operator has to know of each call, within the limits of RequestLog.
_OUTCOMES_LOGGED: frozenset[Outcome] = frozenset(("upstream_error", "gateway_error"))


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
        self._upstreams = upstreams
        self._telemetry = telemetry
        self._background = background
        self._logger = logger
        self._request_log = request_log
        self._loop = asyncio.get_running_loop()
        self._holding = Holding(
            self,
            enforcer=enforcer,
            gate=gate,
            policy=policy,
            catalog=catalog,
            journal=journal,
            background=background,
            logger=logger,
        )
        self.flowed, self.renamed = self._holding.flowed, self._holding.renamed
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
                judged = BUG
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
            refusal = exchange.refusal or self._judge_body(exchange) or self._holding.take(exchange)
            if refusal is None and not exchange.waits:
                self.send(exchange)
        except Exception:
            self._logger.exception("pipeline_failed", extra={"request_id": exchange.id})
            refusal = BUG
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
        self._holding.settle(exchange, charge)
        self._write_down(summarize_response(exchange, measured, charge, ended_ns))
        exchange.counters, exchange.ledger_seq = None, 0
        self._holding.take_again(exchange, measured.model, waits=True)

    def policy_swapped(self) -> None:
        """Ends the calls under way that the new policy's kill switches are about.

        All are cut before any is settled: reading what a cut stream brought takes as long as cutting it, and estimating
        the rest of it, on a thread, takes the interpreter away from this one.
        """
        if not self._policy.current.policy.kill_switches:
            return
        cut: list[tuple[Exchange, int]] = []
        self._cut = cut
        try:
            self._obey_kill_switches()
        finally:
            self._cut = None
        if cut:
            self._background.spawn(self._settle_cut(cut), "settle_cut")

    def _obey_kill_switches(self) -> None:
        """The providers' connections of all are closed first: each is open for as long as anything is done before."""
        killed = [
            (exchange, refusal) for exchange in self.live if (refusal := self._holding.killed(exchange)) is not None
        ]
        for exchange, _ in killed:
            exchange.hang_up()
        for exchange, refusal in killed:
            exchange.outcome = "cancelled"
            exchange.stop(refusal)

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
        self._holding.tell_crossed()

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

    def inflight_by_project(self) -> Counter[str]:
        """How many calls are under way."""
        return Counter(exchange.caller.project.id for exchange in self.live if exchange.caller is not None)

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
        exchange.follow(Plan(view, exchange.dialect, caller, route, {}, draft(caller, route)))
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

    # -- the way there

    def send(self, exchange: Exchange) -> None:
        """Sends a call that nothing stands against, once its intent is in the journal."""
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
        exchange.intent = summarize_intent(exchange, self._holding.held(exchange))
        self._journal.intent(exchange.id.encode(), encode_record(exchange.intent))
        self._outbox.append(exchange)
        self.flush_soon()

    def flush_soon(self) -> None:
        """Writes and sends at the end of this turn of the loop."""
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
            held = self._holding.held(exchange) or {}
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
            before = begun(exchange.admission.dues.each, held) if exchange.admission is not None else ()
            begins = not before or self._claims.begin(charge.work_id, encode_begun(before), now_s)
            return charge if begins else CHARGED_BEFORE
        if not self._claims.claim(charge.work_id, exchange.id, now_s):
            return CHARGED_BEFORE
        exchange.begun = self._claims.begun(charge.work_id)
        return charge

    def _record(self, exchange: Exchange, charge: Charge, ended_ns: int) -> None:
        self._holding.settle(exchange, charge)
        if exchange.refusal is not None:
            self._holding.denied(exchange.refusal)
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
        self.flush_soon()


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
