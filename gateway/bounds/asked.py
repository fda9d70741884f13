"""Owns Asked: what one request may make its model use, and the rules by which every API's bodies are read for it.

Knows no API, no price and no model's limit.
"""

from collections.abc import Callable
from typing import NamedTuple, cast

import msgspec

from gateway.bounds.parts import Parts
from gateway.bounds.tools import Tooling
from pricing.bound import Unbounded
from pricing.usage import Usage

# What OpenAI allows at most (`n`: developers.openai.com/api/reference/resources/chat), and nobody allows more.
ANSWERS_MAX = 128

# What an answer may hold besides text.
SPOKEN, DRAWN = "output_audio", "output_image"
MEDIA = (SPOKEN, DRAWN, "output_video")

SEARCHED = "nothing bounds what searching the web costs: leave it out"
_ACTS = (
    "its input adds a tool that the provider runs, or compacts the context, and nothing bounds what that costs: leave"
    " it out"
)
ELSEWHERE = "it is answered by models or plugins that the request does not bound: leave them out"


class Asked(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a request may use at most, as far as its body says."""

    cap: int | None = None  # tokens of one answer, as declared
    answers: int = 1
    puts_out: bool = True  # tokens at all
    reasons: bool = False  # thinking was asked for
    parts: Parts = Parts()
    whole_context: bool = False  # stored or fetched input: as much as the model can take
    tooling: Tooling = Tooling()
    more_in: int = 0  # tokens beside those of the body
    more_out: int = 0
    output_buckets: tuple[str, ...] = ()
    other: Usage = Usage()
    by_rate: bool = False  # of tokens and `other`, billed is what the model has rates for
    cached_12h: bool = False
    modifiers: tuple[tuple[str, str], ...] = ()  # of the price, as the request names them
    models: tuple[str, ...] = ()  # which may answer instead


class Body(NamedTuple):
    """A body as its reader takes it: content-decoded, and with the provider and the model that it is for."""

    text: bytes
    provider: str  # as gateway/providers.py names it
    model: str


# Raises jsontext.NotJson or msgspec.ValidationError for what is no body of its API.
Reader = Callable[[Body], Asked | Unbounded]


def cap_of(*declared: object) -> int | Unbounded | None:
    """The largest of the declared caps. One below 1 caps nothing; one that is no whole number may mean anything."""
    largest: int | None = None
    for value in declared:
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            return Unbounded("the cap on output tokens must be a whole number")
        if value > 0:
            largest = max(largest or 0, value)
    return largest


def answers_of(*numbers: object) -> int | Unbounded:
    """The largest of the numbers of answers asked for."""
    largest = 1
    for value in numbers:
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= ANSWERS_MAX:
            return Unbounded(f"the number of answers must be a whole number from 1 to {ANSWERS_MAX}")
        largest = max(largest, value)
    return largest


def asked_of(
    cap: int | Unbounded | None, answers: int | Unbounded, tooling: Tooling | Unbounded, base: Asked
) -> Asked | Unbounded:
    """`base` with what was declared, unless one of them has no bound."""
    if isinstance(cap, Unbounded):
        return cap
    if isinstance(answers, Unbounded):
        return answers
    if isinstance(tooling, Unbounded):
        return tooling
    if base.parts.acts:
        return Unbounded(_ACTS)
    return msgspec.structs.replace(base, cap=cap, answers=answers * base.answers, tooling=tooling)


def refused(body: msgspec.Struct, reasons: dict[str, str]) -> Unbounded | None:
    """Why a body is refused for one of its members, if it has one that says anything."""
    for name, reason in reasons.items():
        if getattr(body, name):
            return Unbounded(reason)
    return None


def modifiers_of(**stated: object) -> tuple[tuple[str, str], ...]:
    if not any(stated.values()):
        return ()
    return tuple((name, value) for name, value in stated.items() if isinstance(value, str) and value)


def items_of(value: object) -> list[object]:
    """The elements of a list; none of what is no list."""
    return cast("list[object]", value) if isinstance(value, list) else []


def texts_of(value: object) -> tuple[str, ...]:
    """The texts in a list."""
    return tuple(item for item in items_of(value) if isinstance(item, str)) if value else ()


def thinks(config: object) -> bool:
    return isinstance(config, dict) and cast("dict[str, object]", config).get("type") not in (None, "disabled")
