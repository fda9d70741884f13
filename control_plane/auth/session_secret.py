"""Owns how the secret of a browser's session changes while it is used, and the cookie that carries it.

A secret that is a day old is replaced with an answer. The old one goes on until the browser has shown the new one,
since the answer may be lost, and for a minute more, since requests under way still show it. Whoever copied an old
secret has nothing; nobody who keeps working is signed out.
"""

from typing import Any, NamedTuple

from sqlalchemy import CursorResult, update

from control_plane.auth.principal import COOKIE, SEEN_EVERY_MS
from control_plane.auth.tables import BrowserSession
from control_plane.auth.tokens import digest, new_token
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.settings import Settings

RENEWED_AFTER_MS = 86_400_000
# Longer than a request of a page takes: after it an answer with a new secret counts as lost, or as arrived.
OVERLAP_MS = 60_000


class Step(NamedTuple):
    """What changes in the row, and the secret that the answer's cookie has; empty for none."""

    values: dict[str, Any]
    secret: str


def next_step(browser: BrowserSession, shown: str, now_ms: int, session_s: int) -> Step | None:
    """What a request with this secret, which is the session's current or previous one, makes of the session."""
    seen: dict[str, Any] = {"seen_at_ms": now_ms, "expires_at_ms": now_ms + session_s * 1000}
    age_ms = now_ms - browser.secret_at_ms
    arrived = browser.previous_until_ms is not None
    if browser.sha256 != digest(shown):
        return None if arrived or age_ms < OVERLAP_MS else _renewed(seen, now_ms)
    if age_ms >= RENEWED_AFTER_MS:
        return _renewed({**seen, "previous_sha256": browser.sha256, "previous_until_ms": None}, now_ms)
    if browser.previous_sha256 is not None and not arrived:
        return Step({**seen, "previous_until_ms": now_ms + OVERLAP_MS}, shown)
    return Step(seen, shown) if now_ms - browser.seen_at_ms >= SEEN_EVERY_MS else None


async def renew(database: Database, browser: BrowserSession, shown: str, now_ms: int, session_s: int) -> str:
    """Takes the step; returns the secret for the cookie, or nothing. Of two requests at once, one takes it."""
    step = next_step(browser, shown, now_ms, session_s)
    if step is None:
        return ""
    unchanged = (BrowserSession.id == browser.id, BrowserSession.sha256 == browser.sha256)
    async with database.writing(EVERY_ORG) as session:
        taken = await session.execute(update(BrowserSession).where(*unchanged).values(step.values))
    return step.secret if isinstance(taken, CursorResult) and taken.rowcount else ""


def set_cookie(settings: Settings, secret: str) -> str:
    """A Set-Cookie that scripts cannot read and other sites' forms do not send."""
    return _cookie(settings, secret, settings.session_s)


def drop_cookie(settings: Settings) -> str:
    return _cookie(settings, "", 0)


def _renewed(values: dict[str, Any], now_ms: int) -> Step:
    token = new_token("lss_")
    return Step({**values, "sha256": token.sha256, "secret_at_ms": now_ms}, token.secret)


def _cookie(settings: Settings, value: str, age_s: int) -> str:
    secure = "; Secure" if settings.url.startswith("https:") else ""
    return f"{COOKIE}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Lax{secure}"
