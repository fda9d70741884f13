"""Owns the application: puts the parts together. The only module that knows every feature."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import Any

from litestar import Litestar, Request, Router, get
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.exceptions import NotFoundException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Scope, Send
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.alerts.jobs import jobs as alert_jobs
from control_plane.alerts.routes import AlertRules, Alerts
from control_plane.analytics.export_routes import Exports
from control_plane.analytics.live import Live
from control_plane.analytics.routes import Metrics
from control_plane.api import problems
from control_plane.api.access import AccessMiddleware, unguarded
from control_plane.api.body import ApiRequest
from control_plane.api.jobs import forgetting
from control_plane.api.parameters import InWork
from control_plane.api.reference import describe_errors, openapi_config
from control_plane.api.throttle import ThrottleMiddleware
from control_plane.api.transaction import TransactionMiddleware
from control_plane.audit.routes import Audit
from control_plane.auth.jobs import forget_the_ended
from control_plane.auth.postman import POSTED, Postman
from control_plane.auth.routes import Invitations, Members, OwnOrganization, OwnSession, OwnSessions, SigningIn, Tokens
from control_plane.auth.sign_in_page import sign_in_script
from control_plane.backtest.routes import Backtest
from control_plane.budgets.jobs import EVERY_S, end_overrides
from control_plane.budgets.routes import Budgets, Quotas
from control_plane.clock import now_ms
from control_plane.db.engine import Database
from control_plane.db.ids import new_id
from control_plane.ingest.jobs import ingesting, spool_root
from control_plane.ingest.known import KnownKeys
from control_plane.ingest.receive import Receiver, before
from control_plane.ingest.routes import Events, IngestKeys, Redactions
from control_plane.ingest.spool import Spool
from control_plane.jobs.runner import Job, Runner
from control_plane.keyring import Keyring
from control_plane.keys.routes import Keys
from control_plane.kill_switch.routes import KillSwitches
from control_plane.lake.jobs import curating, retaining
from control_plane.lake.query import Lake
from control_plane.lake.snapshot import take_snapshot
from control_plane.mail import mailer
from control_plane.operating.read import Reader
from control_plane.operating.routes import metrics
from control_plane.operating.telemetry import Telemetry, watched
from control_plane.projects.routes import Projects
from control_plane.providers.routes import Credentials, PriceOverrides, Upstreams
from control_plane.publish.feed import Feed
from control_plane.publish.outbox import PUBLISHED
from control_plane.publish.reports import PRUNE_EVERY_S, prune, prune_gone
from control_plane.publish.routes import Gateway, Gateways
from control_plane.reconciliation.routes import Reconciliation
from control_plane.retention.routes import Retention
from control_plane.settings import PREFIX, Settings
from control_plane.ui import bundle
from control_plane.ui.routes import nowhere, ui
from control_plane.work import Work

FEATURES: Sequence[ControllerRouterHandler] = (
    SigningIn,
    OwnSession,
    OwnSessions,
    OwnOrganization,
    Members,
    Invitations,
    Tokens,
    Projects,
    Keys,
    Credentials,
    Upstreams,
    PriceOverrides,
    Budgets,
    Quotas,
    Backtest,
    KillSwitches,
    Gateways,
    AlertRules,
    Alerts,
    Audit,
    Metrics,
    IngestKeys,
    Redactions,
    Events,
    Exports,
    Reconciliation,
    Retention,
    Gateway,
)


class Parts:
    """What the application stands on; made once, closed once."""

    def __init__(
        self, settings: Settings, keyring: Keyring, signer: Keyring, clock: Callable[[], int] = now_ms
    ) -> None:
        self.settings = settings
        self.keyring = keyring
        self.signer = signer
        self.clock = clock
        self.ui_files = bundle.load()
        self.database = Database(settings.database)
        self.feed = Feed(self.database, keyring, signer, clock)
        self.lake = Lake(settings.lake, take=partial(take_snapshot, keyring=keyring), clock=clock)
        self.live = Live(lambda: self.lake, self.database, clock)
        self.throttle = ThrottleMiddleware(settings.requests_per_minute, clock)
        self.access = AccessMiddleware(self.database, keyring, settings, clock, lambda: new_id("req", clock()))
        self.postman = Postman(self.database, keyring, mailer(settings), clock)
        wakes = {PUBLISHED: self.feed.wake, POSTED: self.postman.wake}
        self.transaction = TransactionMiddleware(self.database, keyring, wakes, settings.body_bytes_max)
        self.spool = Spool(spool_root(settings))
        self.receiver = Receiver(KnownKeys(self.database, keyring), self.spool, clock)
        self.telemetry = Telemetry(clock)
        self.readings = Reader(self.database, settings.lake, clock)
        self.runner = Runner(self.database, secrets.token_hex(8), clock, self.telemetry.ran)
        self.jobs: tuple[Job, ...] = (
            forget_the_ended(self.database),
            forgetting(self.database),
            Job("end_overrides", EVERY_S, partial(end_overrides, self.database)),
            Job("prune_reports", PRUNE_EVERY_S, partial(prune, self.database)),
            Job("prune_gone", PRUNE_EVERY_S, partial(prune_gone, self.database)),
            *alert_jobs(self),
            *((curating(settings.lake, settings.lake_curate_s, _told(settings)),) if settings.lake_curate_s else ()),
            *((retaining(settings.lake, settings.lake_retain_s, _told(settings)),) if settings.lake_retain_s else ()),
        )

    def end_streams(self) -> None:
        """Ends what would not end by itself."""
        self.feed.close()
        self.live.close()

    async def close(self) -> None:
        self.end_streams()
        await asyncio.to_thread(self.lake.close)
        await self.database.close()


def create_app(parts: Parts) -> Litestar:
    """The application over a database that is migrated. Raises AssertionError if a route says not who may use it.

    What is asked for is read from `state.parts` with each request: an application that serves nobody may be given
    other parts, of the same limit of bodies.
    """

    def now() -> Parts:
        return app.state.parts

    app = Litestar(
        route_handlers=[
            _Api("/v1", route_handlers=list(FEATURES)),
            ui(parts.ui_files),
            sign_in_script,
            healthz,
            readyz,
            metrics,
        ],
        middleware=[_Part(lambda: now().throttle), _Part(lambda: now().access), _Part(lambda: now().transaction)],
        dependencies={
            "work": Provide(_work(now), sync_to_thread=False),
            "feed": Provide(lambda: now().feed, sync_to_thread=False),
            "database": Provide(lambda: now().database, sync_to_thread=False),
            "lake": Provide(lambda: now().lake, sync_to_thread=False),
            "receiver": Provide(lambda: now().receiver, sync_to_thread=False),
            "live": Provide(lambda: now().live, sync_to_thread=False),
            "settings": Provide(lambda: now().settings, sync_to_thread=False),
            "telemetry": Provide(lambda: now().telemetry, sync_to_thread=False),
            "readings": Provide(lambda: now().readings, sync_to_thread=False),
        },
        request_class=ApiRequest,
        exception_handlers={Exception: problems.answer, NotFoundException: nowhere(parts.ui_files)},
        request_max_body_size=parts.settings.body_bytes_max,
        openapi_config=openapi_config(),
        lifespan=[lambda _app: running(now())],
        # Where lines go is the process's to say.
        logging_config=None,
        debug=False,
    )
    describe_errors(app)
    answering = before(app.asgi_handler, lambda: now().receiver)
    app.asgi_handler = watched(answering, lambda: now().telemetry, _elapsed_ms)
    app.state.parts = parts
    assert not unguarded(app), f"routes that do not say who may use them: {unguarded(app)}"
    return app


def _elapsed_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class _Api(Router):
    """All routes of the API. Litestar copies a router in depth before it takes it in: a third of its start."""

    def __deepcopy__(self, _memo: object) -> "_Api":
        return self


class _Part(ASGIMiddleware):
    """The middleware that is among the parts now."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, part: Callable[[], ASGIMiddleware]) -> None:
        self._part = part

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        await self._part().handle(scope, receive, send, next_app)


def _told(settings: Settings) -> dict[str, str]:
    """What a process that works on the lake is told: where keys and the database are, and how long what is kept."""
    return {
        f"{PREFIX}SECRET_KEYS": settings.secret_keys,
        f"{PREFIX}DATA_DIR": settings.data_dir,
        f"{PREFIX}DATABASE_URL": settings.database_url,
        f"{PREFIX}RETENTION": settings.retention,
    }


def _work(now: Callable[[], Parts]) -> Callable[[Request[Any, Any, Any]], Work]:
    def work(request: Request[Any, Any, Any]) -> Work:
        state, parts = request.scope["state"], now()
        session: AsyncSession = state["session"]
        return Work(
            session=session,
            principal=state["principal"],
            now_ms=state["now_ms"],
            keyring=parts.keyring,
            settings=parts.settings,
            request_id=state["request_id"],
        )

    return work


@contextlib.asynccontextmanager
async def running(parts: Parts, jobs: Sequence[Job] | None = None) -> AsyncGenerator[None]:
    """What goes on beside the requests, for as long as the application serves; `jobs` are all unless they are named."""
    tasks = [asyncio.create_task(parts.feed.watch()), asyncio.create_task(parts.postman.keep_delivering())]
    tasks += [asyncio.create_task(parts.runner.keep_running(job)) for job in (parts.jobs if jobs is None else jobs)]
    try:
        async with ingesting(parts.spool, parts.settings, parts.keyring):
            yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await parts.close()


@get("/healthz", public=True, include_in_schema=False)
async def healthz() -> str:
    """Whether the process answers."""
    return "ok"


@get("/readyz", public=True, include_in_schema=False)
async def readyz(work: InWork) -> str:
    """Whether the database answers too."""
    await work.session.execute(text("SELECT 1"))
    return "ok"
