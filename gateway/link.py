"""Owns one worker's link to its control plane: the policy that comes over it, and the reports that go."""

import random
import secrets
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from gateway.report import Reporter, Sources
from gateway.settings import Settings
from gateway.subscribe import ControlPlane, Subscriber
from gateway.telemetry import Probe


class Link:
    """Two tasks that its owner runs, and cancels before it closes the link."""

    def __init__(
        self,
        settings: Settings,
        node: str,
        sources: Sources,
        swapped: Callable[[], None],
        *,
        shared: bool,
        now_ms: Callable[[], int],
    ) -> None:
        """`swapped` is called when another policy is in force. Raises GatewayFault where a secret cannot be read."""
        self._sources = sources
        self._plane = ControlPlane(settings, node)
        self.subscriber = Subscriber(
            self._plane,
            sources.policy,
            swapped,
            now_ms=now_ms,
            nonce=lambda: secrets.token_urlsafe(16),
            random=random.random,
        )
        self.reporter = Reporter(node, sources, self._plane.post, shared=shared, now_ms=now_ms)

    @property
    def tasks(self) -> Mapping[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What is to be run, by name."""
        return {"subscribe": self.subscriber.run, "report": self.reporter.run}

    async def close(self) -> None:
        """Tells what is left to tell, once, and hangs up."""
        await self.reporter.tell_last()
        await self._plane.close()

    def probes(self) -> dict[str, Probe]:
        subscriber, reporter, policy = self.subscriber, self.reporter, self._sources.policy
        return {
            "lensai_published_version": lambda: policy.published_version,
            "lensai_published_lag_seconds": lambda: subscriber.lag_s,
            "lensai_published_refused_total": lambda: policy.items_refused,
            "lensai_published_waiting": lambda: 0 if policy.published is None else policy.published.unserved,
            "lensai_control_plane_connected": lambda: subscriber.connected,
            "lensai_control_plane_failures_total": lambda: {
                ("answer",): subscriber.failures,
                ("line",): subscriber.lines_refused,
                ("report",): reporter.failures,
            },
            "lensai_crossings_untold": lambda: len(self._sources.crossings),
        }
