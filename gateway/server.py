"""Owns one worker: composes the parts, listens, sweeps, drains and stops. The only module that knows all the others."""

import asyncio
import gc
import os
import random
import secrets
import signal
import socket
import sqlite3
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from gateway.admin import Admin, heartbeat_check, start_admin
from gateway.admit import Gate
from gateway.background import Background
from gateway.books import EmbeddedBooks, LeaseBooks
from gateway.budgets_page import budgets_page
from gateway.claims import Claims
from gateway.connect import Connector, LookUp, look_up, outbound
from gateway.connection import CLOSING_S, ClientConnection
from gateway.contract.policy import Quota
from gateway.contract.record import decode_record
from gateway.crossings import Crossings, TellingBooks
from gateway.descriptors import make_room
from gateway.enforce import Enforcer
from gateway.faults import GatewayFault, Refusal
from gateway.heartbeat import Heartbeat
from gateway.journal.checkpoint import CheckpointDamaged
from gateway.journal.directory import JournalLocked, NodeFileDamaged
from gateway.journal.reader import SegmentTooNew, sealed
from gateway.journal.writer import Books, Journal
from gateway.ledger.base import Balance
from gateway.ledger.embedded import EmbeddedLedger
from gateway.ledger.redis import RedisStore
from gateway.ledger.store import Store
from gateway.ledger_watch import WatchedStore
from gateway.logs import RequestLog, logger
from gateway.pipeline import CLOCK, Clock, Pipeline
from gateway.policy import PolicyHolder
from gateway.price_lists import PriceLists
from gateway.published_file import PublishedFile
from gateway.report import Sources
from gateway.settings import Settings, config_path
from gateway.summarize import resolve_open
from gateway.telemetry import Probe, Telemetry
from gateway.upstream import Upstreams
from gateway.wire.headers import request_reader
from pricing.catalog import Catalog

if TYPE_CHECKING:
    from gateway.link import Link

# Deadlines, idle connections, the policy file and the journal's age are looked at this often: one timer for all.
SWEEP_S = 0.1
# Client connections are looked at in small lots with pauses between them: ten thousand idle or slow ones are gone
# through in a second, and ending those that are late makes no pause that those who are served would feel.
SWEPT_AT_ONCE = 50
SWEPT_PAUSE_S = 0.005
# As many connections as the kernel may queue between two turns of a busy loop.
BACKLOG = 2048
# What the kernel holds for a client that does not take it, beyond what is on its way: without this some megabytes for
# each of thousands of slow readers, and a provider that is told too late to wait.
UNSENT_BYTES_MAX = 64 * 1024
# In a line of the log.
QUOTAS_NAMED_MAX = 10
# What a ledger that is not open means to calls.
_LENT = "what is lent is spent, then quotas that block answer 503"
_SILENT = "start those that are silent again, or see `lensai ledger`"
# A look at all counters takes milliseconds; a scraper is not kept waiting by a loop that is stuck.
LOOKING_S = 2.0


class Server:
    """One worker's parts, wired. Owner of its client connections; `run` returns when it has drained."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        worker: int,
        *,
        look_up: LookUp = look_up,
        clock: Clock = CLOCK,
    ) -> None:
        """Takes the policy and the journal. Raises PolicyError, or GatewayFault where the machine is in the way."""
        self.settings = settings
        self.body_buffer_bytes = 0
        self.request_reader = request_reader()
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._tls = _tls(settings)
        self._listening = False
        self._connections: set[ClientConnection] = set()
        self._unswept: list[ClientConnection] = []
        data_dir = Path(settings.data_dir)
        kept = self._published_file = PublishedFile(data_dir, worker) if settings.control_plane_url else None
        poll_ms = settings.policy_poll_ms
        self._policy = PolicyHolder(config_path(environ), data_dir, environ, poll_ms=poll_ms, published=kept)
        self._policy_loaded_s = time.monotonic()
        self._kill_switches = self._policy.current.policy.kill_switches
        catalog = Catalog.load()
        self._prices = PriceLists(catalog, self._policy.current)
        self._journal_dir = data_dir / "journal" / f"worker-{worker}"
        self._claims = Claims(data_dir)
        self._store = (
            RedisStore(settings.ledger_url, replicas=settings.ledger_replicas) if settings.ledger_url else None
        )
        self._watched = None if self._store is None else WatchedStore(self._store, logger)
        self._books = _books(settings, self._watched, self._now_s)
        self._crossings = Crossings(self._now_s)
        books = TellingBooks(self._books, self._crossings) if settings.control_plane_url else self._books
        self._journal = _open_journal(self._journal_dir, settings, self._resolve_open, books)
        self.ledger = self._books.ledger
        self._synced_s = time.monotonic()
        self._gate = Gate(settings.inflight_max)
        self._heartbeat = Heartbeat()
        # One: what it loads to count tokens exactly is loaded once.
        self._bounding = ThreadPoolExecutor(1, "bounding")
        self._background = Background(logger)
        alone = self._store is not None or settings.workers == 1
        self._enforcer = Enforcer(self.ledger, self._bounding, catalog.listed, alone=alone)
        self._enforcer.away = lambda: bool(self._degraded())
        self._link = self._linked() if settings.control_plane_url else None
        self._telemetry = Telemetry(self._probes())
        self._telemetry.keys_used = None if self._link is None else {}
        self._connector = Connector(
            self._loop, timeout_ms=settings.connect_timeout_ms, outbound=outbound(settings), look_up=look_up
        )
        self._upstreams = self._pools()
        self._pipeline = self._made_pipeline()
        self.open = self._pipeline.open
        self.begin = self._pipeline.begin
        self.refused_unread = self._pipeline.refused_unread
        self.loop_time = self._loop.time
        self.now_ns = self._clock.now_ns
        self.monotonic_ns = self._clock.monotonic_ns
        self._stop = asyncio.Event()
        self._quotas_warned_of: tuple[Quota, ...] = ()
        self._warn_unshared()

    def _made_pipeline(self) -> Pipeline:
        return Pipeline(
            settings=self.settings,
            gate=self._gate,
            policy=self._policy,
            catalog=self._prices.of,
            journal=self._journal,
            claims=self._claims,
            enforcer=self._enforcer,
            upstreams=self._upstreams,
            telemetry=self._telemetry,
            background=self._background,
            logger=logger,
            request_log=RequestLog(time.monotonic),
            clock=self._clock,
        )

    # -- for the connections

    def _pools(self) -> Upstreams:
        return Upstreams(
            self._loop,
            self._background,
            self._connector,
            connections_max=self.settings.upstream_connections_max,
            connection_age_ms=self.settings.upstream_connection_age_ms,
            random=random.random,
        )

    @property
    def draining(self) -> bool:
        return self._gate.draining

    def connected(self, connection: ClientConnection) -> bool:
        """Takes a connection in; False when there are too many."""
        self._connections.add(connection)
        return len(self._connections) <= self.settings.connections_max

    def disconnected(self, connection: ClientConnection) -> None:
        self._connections.discard(connection)

    # -- the worker's life

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT, then drains: stops accepting, lets calls end, writes everything down.

        Raises GatewayFault if it cannot listen.
        """
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(signal_number, self.stop)
        self._loop.add_signal_handler(signal.SIGHUP, self.reload)
        self._heartbeat.start(self._loop)
        syncing = self._background.spawn(self._sync(), "journal_sync")
        leasing = self._background.spawn(self._lease(), "leases") if self._store is not None else None
        linking = (
            []
            if self._link is None
            else [self._background.spawn(run(), name) for name, run in self._link.tasks.items()]
        )
        self._sweep()
        try:
            await self._serve()
        finally:
            self._sweep_timer.cancel()
            syncing.cancel()
            for task in (*linking, *([] if leasing is None else [leasing])):
                task.cancel()
            self._heartbeat.stop()
            await self._background.join()
            if self._link is not None:
                await self._link.close()
            await self._give_back()
            if self._published_file is not None:
                await self._loop.run_in_executor(None, self._published_file.close)
            self._claims.close()
            if left := self._journal.close(time.monotonic_ns()):
                logger.error("journal_left_unwritten", extra={"frames": left})
        logger.info("stopped")

    async def _serve(self) -> None:
        """Both listeners, until the last connection is gone. The admin's is there first and goes last."""
        settings, admin = self.settings, self._start_admin()
        try:
            listener = await self._listen()
            self._listening = True
            port = listener.sockets[0].getsockname()[1]
            names = {"host": settings.listen_host, "port": port, "admin_port": admin.port, "worker": self._worker}
            logger.info("listening", extra=names)
            await self._stop.wait()
            logger.info("draining", extra={"inflight": self._gate.inflight})
            self._gate.draining = True
            listener.close()
            await self._drain()
        finally:
            await self._loop.run_in_executor(None, admin.close)

    def _start_admin(self) -> Admin:
        host, first_port = self.settings.admin_host, self.settings.admin_port
        port = first_port + self._worker if first_port else 0
        try:
            return start_admin(
                host,
                port,
                registry=self._telemetry.registry(),
                health=heartbeat_check(self._heartbeat.age_s),
                ready=self._unready,
                degraded=self._degraded,
                pages={"/budgets": self._budgets},
            )
        except (OSError, OverflowError) as fault:
            raise GatewayFault(f"cannot listen on {host}:{port} (admin_host, admin_port): {_reason(fault)}") from None

    async def _listen(self) -> asyncio.Server:
        settings = self.settings
        host, port = settings.listen_host, settings.listen_port
        try:
            listener = await self._loop.create_server(
                lambda: ClientConnection(self),
                **_listening_at(host, port, shared=settings.workers > 1),
                ssl=self._tls,
                ssl_handshake_timeout=settings.header_timeout_ms / 1000 if self._tls else None,
                # What is written last leaves within this time too; a goodbye alone is not waited for so long.
                ssl_shutdown_timeout=settings.write_timeout_ms / 1000 if self._tls else None,
                backlog=BACKLOG,
            )
        except OSError as fault:
            raise GatewayFault(f"cannot listen on {host}:{port} (listen_host, listen_port): {_reason(fault)}") from None
        for listening in listener.sockets:
            # What a listener has, its connections inherit.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX)
        return listener

    def stop(self) -> None:
        """Tells `run` to drain and return."""
        self._stop.set()

    def _sweep(self) -> None:
        """The one timer: everything that waits is looked at here."""
        self._sweep_timer = self._loop.call_later(SWEEP_S, self._sweep)
        now = self._loop.time()
        if self._policy.reload_if_changed(now):
            self._policy_swapped()
        self._keep_policy()
        if not self._unswept:
            self._unswept = list(self._connections)
            self._sweep_connections()
        self._pipeline.expire(self.monotonic_ns())
        self._upstreams.sweep(now - self.settings.upstream_idle_timeout_ms / 1000)
        self._pipeline.flush()

    def _sweep_connections(self) -> None:
        """Looks at the next few, and at the others after a pause."""
        now = self._loop.time()
        for connection in self._unswept[-SWEPT_AT_ONCE:]:
            connection.sweep(now)
        del self._unswept[-SWEPT_AT_ONCE:]
        if self._unswept:
            self._loop.call_later(SWEPT_PAUSE_S, self._sweep_connections)

    async def _sync(self) -> None:
        """Makes the journal durable at its interval, on a thread that nothing else can keep busy."""
        with ThreadPoolExecutor(1, "journal-sync") as thread:
            while True:
                await asyncio.sleep(self.settings.journal_sync_ms / 1000)
                if await self._loop.run_in_executor(thread, self._journal.sync):
                    self._synced_s = time.monotonic()

    async def _lease(self) -> None:
        """Says that this process is there, reports, borrows ahead and gives back."""
        if isinstance(self._books, LeaseBooks):
            await self._books.ledger.agent()
            logger.error("ledger_identity_taken", extra={"journal": str(self._journal_dir)})

    async def _give_back(self) -> None:
        """What others may spend from now on; a store that cannot be reached counts it as spent until the next start."""
        if self._store is None or not isinstance(self._books, LeaseBooks):
            return
        if not await self._books.ledger.leave():
            logger.warning("leases_kept", extra={"journal": str(self._journal_dir)})
        await self._store.close()

    async def _drain(self) -> None:
        """Waits for the calls in flight, and ends those that outlast the timeout."""
        for connection in list(self._connections):
            connection.keep_alive = False
            if connection.idle:
                connection.part()
        for exchange in list(self._pipeline.live):
            if exchange.tunnel is not None:
                exchange.tunnel.drain()
        deadline = self._loop.time() + self.settings.shutdown_timeout_ms / 1000
        while self._pipeline.live and self._loop.time() < deadline:  # noqa: ASYNC110 - ends by time too
            await asyncio.sleep(SWEEP_S / 2)
        for exchange in list(self._pipeline.live):
            if exchange.outcome == "ok":
                exchange.outcome = "cancelled"
            exchange.stop(Refusal("shutting_down", "This gateway is shutting down: try again"))
        for connection in list(self._connections):
            connection.part()
        while self._connections and self._loop.time() < deadline + CLOSING_S:  # noqa: ASYNC110 - ends by time too
            await asyncio.sleep(SWEEP_S / 2)

    def _resolve_open(self, intent: bytes) -> bytes:
        """Ends a call that died here, and gives back the work it was to be charged for and never was."""
        record = decode_record(intent)
        try:
            self._claims.release(record.request_id)
        except sqlite3.Error:
            logger.exception("claim_not_released", extra={"request_id": record.request_id})
        return resolve_open(record, self._books.count_open(record.counters) if record.counters else 0)

    def reload(self) -> None:
        """Reads the policy and the proxy's files again, changed or not (SIGHUP)."""
        if self._policy.reload():
            self._policy_swapped()
        self._keep_policy()
        try:
            self._connector.outbound = outbound(self.settings)
        except GatewayFault as fault:
            logger.warning("outbound_proxy_kept", extra={"problem": str(fault)})

    def _keep_policy(self) -> None:
        if self._policy.unkept:
            self._loop.run_in_executor(None, self._policy.keep_file)

    def _policy_swapped(self) -> None:
        self._policy_loaded_s = time.monotonic()
        view = self._policy.current
        self._prices.follow(view)
        self._enforcer.follow(view)
        self._warn_unshared()
        if view.policy.kill_switches is not self._kill_switches:
            self._kill_switches = view.policy.kill_switches
            self._pipeline.policy_swapped()

    def _warn_unshared(self) -> None:
        """Says which quotas refuse every call, because each of several workers would spend all of them."""
        quotas = self._policy.current.policy.quotas
        if self._store is not None or self.settings.workers == 1 or self._worker or quotas is self._quotas_warned_of:
            return
        self._quotas_warned_of = quotas
        blocking = [quota.id for quota in quotas if quota.action == "block" and quota.limit is not None]
        if blocking:
            more = f" and {len(blocking) - QUOTAS_NAMED_MAX} more" if len(blocking) > QUOTAS_NAMED_MAX else ""
            logger.warning(
                "quotas_refuse_every_call",
                extra={
                    "quotas": ", ".join(blocking[:QUOTAS_NAMED_MAX]) + more,
                    "problem": f"{self.settings.workers} workers have no ledger in common, so calls under quotas that"
                    " block are answered 503: set ledger_url to a Redis or Valkey, or workers to 1",
                },
            )

    def _linked(self) -> "Link":
        """The control plane, and what this worker tells it."""
        from gateway.link import Link  # with an HTTP client that nobody else needs

        self._enforcer.touched = set(self.ledger.counters())  # an earlier start may have left some untold
        self._enforcer.heard = self._crossings.add
        sources = Sources(
            self._policy,
            self.ledger,
            self._touched,
            self._keys_used,
            self._crossings,
            lambda: self._pipeline.inflight_by_project(),
        )
        return Link(
            self.settings,
            self._journal.node_id,
            sources,
            self._policy_swapped,
            shared=self._store is not None,
            now_ms=lambda: self._clock.now_ns() // 1_000_000,
        )

    def _touched(self) -> set[str]:
        touched, self._enforcer.touched = self._enforcer.touched, set()
        return touched or set()

    def _keys_used(self) -> Mapping[str, int]:
        used, self._telemetry.keys_used = self._telemetry.keys_used, {}
        return used or {}

    # -- what is told of it

    def _unready(self) -> dict[str, str]:
        """Why no call should be sent here; empty when all is well. Called from the admin's threads."""
        reasons: dict[str, str] = {}
        if self._gate.draining or not self._listening:
            reasons["server"] = "draining" if self._gate.draining else "starting"
        if not self._journal.accepting:
            reasons["journal"] = self._journal.fault
        if self._link is not None and self._policy.published is None:
            reasons["control_plane"] = f"no policy has come yet: {self._link.subscriber.problem or 'connecting'}"
        elif self._link is None and not self._policy.current.callers.by_digest:
            reasons["policy"] = "no keys: `lensai keys create` makes one"
        return reasons

    def _degraded(self) -> dict[str, str]:
        """Why calls under quotas that block may be refused, though others are served; empty when all is well."""
        if self._watched is None or not isinstance(self._books, LeaseBooks):
            return {}
        if self._watched.problem:
            return {"ledger": f"the store cannot be asked ({self._watched.problem}): {_LENT}"}
        ledger = self._books.ledger
        if ledger.open:
            return {}
        if ledger.fenced:
            why = "another process has this identity"
        else:
            silent = ", ".join(ledger.silent)
            why = "the store waits for every gateway to report" + (f" ({_SILENT}: {silent})" if silent else "")
        return {"ledger": f"{why}: {_LENT}"}

    def _probes(self) -> dict[str, Probe]:
        journal, policy = self._journal, self._policy
        return {
            "lensai_inflight_requests": lambda: self._gate.inflight,
            "lensai_connections": lambda: len(self._connections),
            "lensai_upstream_connections": lambda: self._upstreams.connections,
            "lensai_tasks": lambda: len(self._background),
            "lensai_body_buffer_bytes": lambda: self.body_buffer_bytes,
            "lensai_journal_bytes_total": lambda: journal.bytes_written,
            "lensai_journal_frames_total": lambda: journal.frames_written,
            "lensai_journal_faults_total": lambda: journal.write_failures + journal.sync_failures,
            "lensai_journal_segments_waiting": lambda: len(sealed(self._journal_dir)),
            "lensai_journal_sync_age_seconds": lambda: time.monotonic() - self._synced_s,
            "lensai_policy_version": lambda: policy.current.policy.version,
            "lensai_policy_age_seconds": lambda: time.monotonic() - self._policy_loaded_s,
            "lensai_policy_refused": lambda: bool(policy.problem),
            "lensai_policy_source": lambda: {(policy.source,): 1},
            "lensai_event_loop_lag_seconds": self._heartbeat.lag_s,
            **({} if self._store is None else {"lensai_ledger_open": lambda: not self._degraded()}),
            **({} if self._link is None else self._link.probes()),
            **self._enforcer.numbers.probes(lambda: policy.current.policy, self._counters, self._now_s),
        }

    def _now_s(self) -> int:
        return self._clock.now_ns() // 1_000_000_000

    def _counters(self) -> Mapping[str, Balance]:
        """What the ledger has, for the admin's threads: taken by the loop, which alone may look."""
        return asyncio.run_coroutine_threadsafe(self._taken(), self._loop).result(LOOKING_S)

    async def _taken(self) -> Mapping[str, Balance]:
        return self.ledger.counters()

    def _budgets(self) -> bytes:
        return budgets_page(self._policy.current.policy, self._counters(), self._now_s())


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.tls_cert_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for file in (settings.tls_cert_file, settings.tls_key_file):
        try:
            Path(file).open("rb").close()
        except OSError as fault:
            raise GatewayFault(f"cannot read {file} (tls_cert_file, tls_key_file): {fault.strerror}") from fault
    try:
        context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file)
    except ssl.SSLError as fault:
        pair = f"{settings.tls_cert_file} and {settings.tls_key_file}"
        raise GatewayFault(f"{pair} are not a PEM certificate and its key: {fault.reason or 'not PEM'}") from fault
    return context


def _listening_at(host: str, port: int, *, shared: bool) -> dict[str, Any]:
    """Where an event loop is to listen. `::` is both families, which a loop would make IPv6 alone."""
    if host != "::" or not socket.has_dualstack_ipv6():
        return {"host": host, "port": port, "reuse_port": shared}
    both = socket.create_server(
        (host, port), family=socket.AF_INET6, backlog=BACKLOG, reuse_port=shared, dualstack_ipv6=True
    )
    return {"sock": both}


def _books(settings: Settings, store: Store | None, now_s: Callable[[], int]) -> EmbeddedBooks | LeaseBooks:
    if store is None:
        return EmbeddedBooks(EmbeddedLedger(), now_s, monotonic_s=time.monotonic)
    return LeaseBooks(store, now_s, monotonic_s=time.monotonic, nodes_min=settings.ledger_nodes_min)


def _open_journal(directory: Path, settings: Settings, resolve: Callable[[bytes], bytes], books: Books) -> Journal:
    try:
        return Journal.open(
            directory,
            node_id=secrets.token_hex(6),
            now_ns=time.monotonic_ns(),
            resolve=resolve,
            segment_bytes_max=settings.segment_bytes_max,
            segment_age_ms=settings.segment_age_ms,
            books=books,
        )
    except (JournalLocked, NodeFileDamaged, SegmentTooNew) as fault:
        raise GatewayFault(str(fault)) from fault
    except CheckpointDamaged as fault:
        raise GatewayFault(
            f"the ledger's checkpoint in {directory} is damaged ({fault}), so what was spent is not known: restore it "
            "from a backup, or delete it to count from nothing"
        ) from fault
    except OSError as fault:
        raise GatewayFault(f"cannot write the journal in {directory}: {fault.strerror}") from fault


def _reason(fault: Exception) -> str:
    """Why, without the address, which event loops repeat in words of their own."""
    code = fault.errno if isinstance(fault, OSError) else None
    return os.strerror(code) if code is not None and code > 0 else str(fault)


def serve(settings: Settings, environ: Mapping[str, str], worker: int) -> None:
    """Runs one worker until it is told to stop. Raises what Server and its `run` do."""

    if missing := make_room(settings.connections_max, settings.upstream_connections_max):
        # Not fatal: a small deployment never comes near its limits.
        logger.warning("file_limit_low", extra={"missing": missing})

    async def main() -> None:
        server = Server(settings, environ, worker)
        # What is alive now stays alive: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        await server.run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
