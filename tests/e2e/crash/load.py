"""Owns the load under which gateways die: threads that make calls of every dialect, each with a mark of its own.

A mark goes to the gateway's record as `x-lensai-metadata` and to the sandbox's bill as `x-sandbox-mark`. What
becomes of a call is not noted here: the bill and the records say it.
"""

import http.client
import json
import threading
from random import Random
from typing import Any, NamedTuple

QUESTION = "Name three things that never sleep."
MESSAGES = [{"role": "user", "content": QUESTION}]
CONTENTS = [{"role": "user", "parts": [{"text": QUESTION}]}]

# An answer takes half a second at most; a client that waits longer waits for a gateway that is gone.
REPLY_TIMEOUT_S = 10.0
# Between two attempts while no gateway listens.
RETRY_S = 0.02


class Shape(NamedTuple):
    """One kind of call. `stream` says that the sandbox can cut it between events."""

    path: str
    body: dict[str, Any]
    stream: bool


_CHAT: dict[str, Any] = {"model": "gpt-4o-mini", "messages": MESSAGES}
_CLAUDE: dict[str, Any] = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": MESSAGES}

SHAPES = (
    Shape("/openai/v1/chat/completions", _CHAT, False),
    Shape("/openai/v1/chat/completions", {**_CHAT, "stream": True}, True),
    Shape("/v1/chat/completions", {**_CHAT, "stream": True, "stream_options": {"include_usage": True}}, True),
    Shape("/openai/v1/responses", {"model": "gpt-5-mini", "input": QUESTION}, False),
    Shape("/openai/v1/responses", {"model": "gpt-5-mini", "input": QUESTION, "stream": True}, True),
    Shape("/openai/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": QUESTION, "stream": True}, True),
    Shape("/openai/v1/embeddings", {"model": "text-embedding-3-small", "input": QUESTION, "dimensions": 8}, False),
    Shape(
        "/azure/openai/deployments/gpt-4o-mini/chat/completions?api-version=2025-04-01-preview",
        {"messages": MESSAGES, "stream": True},
        True,
    ),
    Shape("/anthropic/v1/messages", _CLAUDE, False),
    Shape("/anthropic/v1/messages", {**_CLAUDE, "stream": True}, True),
    Shape("/gemini/v1beta/models/gemini-2.5-flash:generateContent", {"contents": CONTENTS}, False),
    Shape("/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", {"contents": CONTENTS}, True),
    Shape("/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent", {"contents": CONTENTS}, True),
)


class Target:
    """Where the calls go now. The port changes with every start; `up` is set while a gateway is known to listen."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.port = 0
        self.up = threading.Event()
        self.stopped = threading.Event()


class Client(threading.Thread):
    """One caller after another on one connection, until the target is stopped. `sent` counts its calls."""

    def __init__(self, target: Target, name: str, seed: str) -> None:
        super().__init__(name=name, daemon=True)
        self.sent = 0
        self.fault: BaseException | None = None
        self._target = target
        self._random = Random(seed)
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        try:
            while not self._target.stopped.is_set():
                if self._target.up.wait(RETRY_S):
                    self._call()
        except BaseException as fault:  # kept, or silence would pass for success
            self.fault = fault
        finally:
            self._hang_up()

    def _call(self) -> None:
        """One call to its end, or to its gateway's."""
        self.sent += 1
        shape = self._random.choice(SHAPES)
        leaves = self._random.random() < 0.1
        headers = self._headers(shape, f"{self.name}-{self.sent}")
        try:
            connection = self._connected()
            connection.request("POST", shape.path, json.dumps(shape.body), headers)
            with connection.getresponse() as response:
                response.read(1 if leaves else None)
            if leaves or response.will_close:
                self._hang_up()
        except (OSError, http.client.HTTPException):
            self._hang_up()
            self._target.stopped.wait(RETRY_S)

    def _headers(self, shape: Shape, mark: str) -> dict[str, str]:
        return {
            "authorization": f"Bearer {self._target.token}",
            "content-type": "application/json",
            "anthropic-version": "2023-06-01",
            "x-lensai-metadata": json.dumps({"mark": mark}),
            "x-lensai-user": self.name,
            "x-sandbox-mark": mark,
            **{f"x-sandbox-{name}": str(value) for name, value in self._controls(shape).items()},
        }

    def _controls(self, shape: Shape) -> dict[str, Any]:
        """How the sandbox is to answer: mostly quickly and well, sometimes slowly, rarely badly."""
        random = self._random
        controls: dict[str, Any] = {
            "tokens": random.randint(1, 40),
            "delay-ms": random.choice((0, 0, 0, 5, 40)),
            "chunk-delay-ms": random.choice((0, 0, 1, 5)),
            "encoding": random.choice(("identity", "identity", "identity", "gzip")),
        }
        chance = random.random()
        if chance < 0.05:
            controls["close"] = "silent"
        elif chance < 0.08:
            controls["fail-status"] = random.choice((429, 500))
        elif chance < 0.12 and shape.stream:
            controls["cut-after-chunks"] = random.randint(0, 3)
        return controls

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None or self._connection.port != self._target.port:
            self._hang_up()
            self._connection = http.client.HTTPConnection("127.0.0.1", self._target.port, timeout=REPLY_TIMEOUT_S)
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
