"""Owns the outermost look at OpenAI's socket messages: what kind they are, and which answers they leave open."""

import re

from gateway.metering.reading import Reading

# The first member of a message, or the second after its id, as OpenAI, Azure and xAI write nearly all of them. What
# stands there is the type: no text that a client made can come before it. Audio is passed over at this glance.
_TYPE = re.compile(rb'\s*\{\s*(?:"event_id"\s*:\s*"[^"\\]*"\s*,\s*)?"type"\s*:\s*"([^"\\]*)"')

# OpenAI lets a session have one answer in its conversation at a time, and some beside it. More are not followed.
_BEGUN_MAX = 256


def may_be(payload: bytes, types: frozenset[bytes]) -> bool:
    """Whether a message may be of one of the types: false for certain, true for what only parsing tells."""
    found = _TYPE.match(payload)
    return found is None or found[1] in types


class OpenAnswers:
    """The answers of one session that have not ended: asked for by the client, then begun by the provider."""

    def __init__(self) -> None:
        self._asked = 0
        self._begun: dict[str, Reading] = {}

    def ask(self) -> None:
        self._asked = min(self._asked + 1, _BEGUN_MAX)

    def begin(self, answer_id: str, known: Reading) -> None:
        """`known`: what there is to tell of it, should it never end."""
        self.refuse()
        if len(self._begun) < _BEGUN_MAX:
            self._begun[answer_id] = known

    def refuse(self) -> None:
        """What was asked for begins, or will not: an error came instead."""
        self._asked = max(self._asked - 1, 0)

    def end(self, answer_id: str) -> None:
        self._begun.pop(answer_id, None)

    def __len__(self) -> int:
        return self._asked + len(self._begun)

    def pending(self, model: str | None) -> tuple[Reading, ...]:
        """Those begun, then those only asked for."""
        return (*self._begun.values(), *(Reading(model=model) for _ in range(self._asked)))
