"""Owns the connection to a control plane: one answer that never ends, from which the policy is taken as it changes.

Where that answer cannot be had, because something between the two keeps it back, the same is asked for again and
again. Whatever goes wrong is said once and counted, and the policy stays as it was: nothing here ends the gateway, and
no call waits for any of it.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from gateway.contract.publishing import HEARTBEAT_S, Forged, Part
from gateway.contract.rings import RingError, read_ring
from gateway.faults import GatewayFault
from gateway.feed import Feed
from gateway.policy import PolicyHolder
from gateway.settings import Settings
from gateway.tls_files import Trust, client_context

STREAM_PATH = "/v1/gateway/policy/stream"
POLICY_PATH = "/v1/gateway/policy"
NODE_HEADER = "x-lensai-node"

# What has not said anything for so long is dead, or is kept back by something in between.
SILENCE_S = 3 * HEARTBEAT_S
# Longer than a lost SYN takes to be sent again.
CONNECT_TIMEOUT_S = 5.0
# A control plane that restarts is back in seconds, and must not be met by all its gateways at once.
BACKOFF_MIN_S = 0.25
BACKOFF_MAX_S = 5.0
# Where there is no stream: a policy is so old at most, at a small answer for each gateway in that time.
POLL_S = 2.0
# A proxy that kept the stream back may have been mended.
STREAM_AGAIN_S = 60.0

_ADVICE = {
    401: "it does not know control_plane_token",
    403: "control_plane_token may not read the policy",
    404: "control_plane_url leads to no control plane, or to one of an older version",
}

_log = logging.getLogger("lensai.control_plane")


class Trouble(Exception):
    """The control plane cannot be had; the message says how, and no secret."""


class ControlPlane:
    """HTTP with a control plane, as one gateway. Reads its secrets anew for each answer that it asks for."""

    def __init__(self, settings: Settings, node: str) -> None:
        """Raises GatewayFault where the certificates or the secrets cannot be read."""
        self._settings = settings
        self._node = node
        self._client = httpx.AsyncClient(
            verify=_trust(settings),
            trust_env=False,
            timeout=httpx.Timeout(SILENCE_S, connect=CONNECT_TIMEOUT_S),
        )
        try:
            self._token()
            self.keys()
        except Trouble as fault:
            raise GatewayFault(str(fault)) from None

    def keys(self) -> Mapping[str, bytes]:
        """The secrets that sign the policy. Raises Trouble."""
        text = self._settings.policy_keys or _content("policy_keys_file", self._settings.policy_keys_file)
        try:
            return read_ring(text)
        except RingError as fault:
            raise Trouble(f"policy_keys_file: {fault}") from None

    def _token(self) -> str:
        settings = self._settings
        token = settings.control_plane_token or _content("control_plane_token_file", settings.control_plane_token_file)
        if not token.isascii() or not token.isprintable() or not token:
            raise Trouble("control_plane_token is empty, or holds what no header can carry")
        return token

    def _headers(self) -> dict[str, str]:
        return {
            "authorization": f"Bearer {self._token()}",
            NODE_HEADER: self._node,
            # What is signed is read as it comes.
            "accept-encoding": "identity",
        }

    @asynccontextmanager
    async def ask(self, path: str, since: int, nonce: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The bytes of an answer, as they come. Raises Trouble, also within."""
        url = self._settings.control_plane_url.rstrip("/") + path
        asked = {"since": str(since), "nonce": nonce}
        try:
            async with self._client.stream("GET", url, params=asked, headers=self._headers()) as answer:
                if answer.status_code != 200:
                    raise Trouble(_said(answer.status_code))
                yield answer.aiter_raw()
        except (httpx.HTTPError, httpx.StreamError, OSError) as fault:
            raise Trouble(f"the connection failed: {type(fault).__name__}") from None

    async def post(self, path: str, body: bytes) -> int:
        """The status that it answers. Raises Trouble."""
        url = self._settings.control_plane_url.rstrip("/") + path
        headers = {**self._headers(), "content-type": "application/json"}
        try:
            # Of the answer, nothing but how it begins is of interest.
            async with self._client.stream("POST", url, content=body, headers=headers) as answer:
                return answer.status_code
        except (httpx.HTTPError, httpx.StreamError, OSError) as fault:
            raise Trouble(f"the connection failed: {type(fault).__name__}") from None

    async def close(self) -> None:
        await self._client.aclose()


class Subscriber:
    """Follows a control plane until it is cancelled. `swapped` is called when another policy is in force."""

    def __init__(
        self,
        plane: ControlPlane,
        policy: PolicyHolder,
        swapped: Callable[[], None],
        *,
        now_ms: Callable[[], int],
        nonce: Callable[[], str],
        random: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.connected = False
        self.completed = 0
        self.lines_refused = 0
        self.failures = 0
        self.lag_s: float | None = None  # from where the last part was sent to where it was in force
        self._plane = plane
        self._policy = policy
        self._swapped = swapped
        self._now_ms = now_ms
        self._nonce = nonce
        self._random = random
        self._sleep = sleep
        self.problem = ""  # why it is not connected, where it is known
        self._afresh = False  # what is known may not be what was published

    async def run(self) -> None:
        """Never returns."""
        failed = 0
        while True:
            began_s = _time_s()
            heard = await self._hear(STREAM_PATH)
            if not heard and await self._hear(POLICY_PATH):
                await self._poll()
                failed = 0
                continue
            failed = 0 if heard and _time_s() - began_s > BACKOFF_MAX_S else failed + 1
            await self._sleep(backoff_s(failed, self._random()))

    async def _poll(self) -> None:
        """Asks again and again, for as long as it is answered, or until the stream is to be tried again."""
        _log.warning("control_plane_polled", extra={"interval_s": POLL_S})
        for _ in range(int(STREAM_AGAIN_S / POLL_S)):
            await self._sleep(POLL_S)
            if not await self._hear(POLICY_PATH):
                return

    async def _hear(self, path: str) -> bool:
        """Takes one answer in, to its end or to its first fault; whether it completed anything."""
        completed = self.completed
        try:
            await self._read(path)
        except Trouble as fault:
            self._note_trouble(str(fault))
        except Forged as fault:
            self.lines_refused += 1
            self._note_trouble(f"a line is not believed: {fault}")
        except Exception:
            # A bug must cost the policy's freshness, never the gateway; the whole is asked for next.
            self._afresh = True
            _log.exception("control_plane_failed")
            self._note_trouble("the gateway failed on an answer")
        finally:
            self._policy.drop_staged()
        return self.completed > completed

    async def _read(self, path: str) -> None:
        """Takes in what an answer says. Raises Trouble and Forged; returns where it ended as it should."""
        since = 0 if self._afresh else self._policy.published_version
        nonce = self._nonce()
        feed = Feed(self._plane.keys(), nonce, since)
        loop = asyncio.get_running_loop()
        try:
            async with (
                asyncio.timeout(CONNECT_TIMEOUT_S + SILENCE_S) as limit,
                self._plane.ask(path, since, nonce) as answer,
            ):
                async for data in answer:
                    for part in feed.read(data):
                        limit.reschedule(loop.time() + SILENCE_S)
                        self._take(part)
                        await asyncio.sleep(0)  # each takes milliseconds, and callers are served between them
        except TimeoutError:
            raise Trouble(f"nothing has come for {SILENCE_S:g} s") from None
        if path == STREAM_PATH or not feed.complete:
            raise Trouble("the answer ended in the midst")

    def _take(self, part: Part) -> None:
        before = self._policy.current
        if not self._policy.take(part):
            return
        if self._policy.current is not before:
            # In force first: no disk is waited for, least of all by a kill switch.
            self._swapped()
            if part.sent_at_ms:
                self.lag_s = max(0, self._now_ms() - part.sent_at_ms) / 1000
            self._policy.keep(part)
        self._afresh = False
        self.completed += 1
        self._note_connected()

    def _note_connected(self) -> None:
        if not self.connected:
            _log.info("control_plane_connected", extra={"version": self._policy.published_version})
        self.connected, self.problem = True, ""

    def _note_trouble(self, trouble: str) -> None:
        self.connected = False
        self.failures += 1
        if trouble != self.problem:
            self.problem = trouble
            _log.warning("control_plane_away", extra={"problem": trouble, "version": self._policy.published_version})


def backoff_s(failed: int, random: float) -> float:
    """How long to wait after so many failures: doubling, and so spread that many gateways do not come at once."""
    return min(BACKOFF_MIN_S * 2 ** min(failed, 16), BACKOFF_MAX_S) * (0.5 + random / 2)


def _time_s() -> float:
    return asyncio.get_running_loop().time()


def _said(status: int) -> str:
    return f"it answers {status}: {_ADVICE[status]}" if status in _ADVICE else f"it answers {status}"


def _content(setting: str, file: str) -> str:
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise Trouble(f"{setting} cannot be read: {type(fault).__name__}") from None


def _trust(settings: Settings) -> ssl.SSLContext | bool:
    if not settings.control_plane_url.startswith("https://"):
        return False  # nobody is asked for a certificate
    try:
        return client_context(Trust(ca_file=settings.control_plane_ca_file))
    except (OSError, ssl.SSLError) as fault:
        raise GatewayFault(f"control_plane_ca_file cannot be used: {type(fault).__name__}") from None
