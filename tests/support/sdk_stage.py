"""Owns the making of SDK calls straight to a sandbox and through gateways before it, and what each left behind."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx

from tests.support.gateways import PROVIDER_KEY, Gateway, Row, wait_until
from tests.support.sdk_calls import SdkCall

DIRECT = "direct"
# The LensAI key in the path, where the provider's key passes through; and in the provider's slot, where the gateway
# injects one.
PATH_TOKEN, VIRTUAL_KEY = "path token", "virtual key"


class Made(NamedTuple):
    """One call or script as it was made: what it gave, what the sandbox billed for it, and when it was."""

    told: Any
    bill: list[dict[str, Any]]
    began_ns: int
    ended_ns: int

    def rows(self, rows: list[Row]) -> list[Row]:
        """Its rows among all; nothing else was going on at the time."""
        # Rows keep microseconds.
        return [row for row in rows if self.began_ns - 1_000 <= row.ts_ns <= self.ended_ns]


@dataclass(frozen=True)
class Way:
    """A gateway, and how its key is given to it."""

    gateway: Gateway
    token: str

    def place(self, route: str, upstream: str) -> tuple[str, str]:
        """The base URL in place of the provider's origin, and the SDK's key."""
        if route == PATH_TOKEN:
            return f"{self.gateway.url}/k/{self.token}/{upstream}", PROVIDER_KEY
        return f"{self.gateway.url}/{upstream}", self.token


class SdkStage:
    """A sandbox, and a gateway of its own for each route: what one has charged for, another has not.

    Answers are frozen, so that the same work has the same id whichever way it is asked for.
    """

    def __init__(self, sandbox: str, ways: Mapping[str, Way], calls: Mapping[str, SdkCall]) -> None:
        self._sandbox = sandbox
        self._ways = ways
        self._calls = calls
        self._made: dict[tuple[str, str], Made] = {}
        self._rows: dict[str, list[Row]] = {}

    def call(self, name: str, route: str) -> Made:
        """The call of that name, made once in each way."""
        if (name, route) not in self._made:
            call = self._calls[name]
            where = self._ways[route].place(route, call.dialect) if route in self._ways else self._direct
            httpx.post(self._sandbox + "/_sandbox/reset")
            began_ns = time.time_ns()
            told = call.run(*where)
            ended_ns = time.time_ns()
            bill = httpx.get(self._sandbox + "/_sandbox/bill").json()["lines"]
            self._made[name, route] = Made(told, bill, began_ns, ended_ns)
        return self._made[name, route]

    def rows(self, name: str, route: str) -> list[Row]:
        """What landed of a call, once the gateway of the route has `ended`."""
        return self._made[name, route].rows(self._rows[route])

    def rows_of(self, route: str) -> list[Row]:
        return self._rows[route]

    def end(self, route: str) -> None:
        """Ends the gateway of the route, and waits for all its rows."""
        gateway = self._ways[route].gateway
        gateway.stop()
        wait_until(lambda: not gateway.segments(), lambda: f"not landed: {gateway.segments()}")
        self._rows[route] = gateway.rows()

    @property
    def _direct(self) -> tuple[str, str]:
        return self._sandbox, PROVIDER_KEY
