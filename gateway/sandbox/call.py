"""Owns what passes between the server and the dialects: a Call goes in, an Answer comes out. Does no I/O."""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple, Protocol, TypeVar

import msgspec

from gateway.sandbox.bill import Entry, Model, Share, Tier, Tokens
from gateway.sandbox.controls import Controls
from gateway.sandbox.request import Request
from gateway.sandbox.store import Store

T = TypeVar("T")

# What a frozen clock says: 2025-10-09T08:53:20Z.
FROZEN_S = 1_760_000_000


class Call(msgspec.Struct, frozen=True):
    """One request, understood as far as HTTP goes."""

    request: Request
    controls: Controls
    dialect: str
    endpoint: str = ""
    path_model: str = ""  # the model or deployment the path names; empty if none
    path_id: str = ""  # the object it names, and the one within that
    path_part: str = ""
    created_s: int = FROZEN_S
    serial: int = 0  # of this call since the start; what is frozen does not show it
    now_s: float = FROZEN_S  # the clock, which no control stops: signatures expire by it
    store: Store = msgspec.field(default_factory=Store)

    def id_hex(self, seed: bytes) -> str:
        """24 hex digits for the ids in a body: unique, or only of the prompt when frozen."""
        return seed.hex()[:16] + f"{0 if self.controls.frozen else self.serial:08x}"

    @property
    def request_id(self) -> str:
        """Names the call on the bill and in the provider's request-id header; unique even when frozen."""
        return f"req_{self.serial:024x}"

    @property
    def refusal_id(self) -> str:
        """The same for a call that is not billed: some dialects repeat it in the body, so it freezes too."""
        return "req_" + "0" * 24 if self.controls.frozen else self.request_id


class Piece(NamedTuple):
    """Bytes of an answer that leave together, and the tokens the model wrote for them."""

    data: bytes
    output: int = 0
    reasoning: int = 0


class Charge(NamedTuple):
    """What is billed the moment the call is accepted; output comes with the pieces, unless nobody can stop it."""

    model: Model
    prompt: Tokens
    endpoint: str
    bill_id: str = ""  # where the body names what is billed: an answer, a job, one turn of a conversation
    others: tuple[Share, ...] = ()
    tier: Tier = "standard"
    image_nanousd: int = 0


class Settled(NamedTuple):
    """A call that was finished unseen, such as one of a batch, and is billed on the occasion of another."""

    call: Call
    charge: Charge
    output: int
    reasoning: int


class Said(NamedTuple):
    """One message of a WebSocket and what it does to the bill."""

    text: bytes
    charge: Charge | None = None  # opens an entry
    tokens: Tokens | None = None  # written with this message
    done: bool = False  # the entry is complete
    binary: bool = False  # the frame's kind; the bytes are JSON all the same
    close_code: int = 0  # in the place of a message: the session is over, for the reason in `text`


class Talk(Protocol):
    """A dialect's side of one WebSocket. What is heard counts at once; what is said may be asked for later."""

    def opening(self) -> Iterable[Said]:
        """What is said before anything is heard."""
        ...

    def hear(self, text: str) -> Iterable[Said]: ...

    def failure(self) -> bytes:
        """The message that says the provider failed; empty if it only closes."""
        ...


class Answer(msgspec.Struct, frozen=True):
    """What a dialect says to a call. A refusal is an Answer too: its status says so and nothing is charged."""

    status: int
    pieces: Iterable[Piece]
    content_type: str = "application/json"
    stream: bool = False
    charge: Charge | None = None
    headers: tuple[tuple[str, str], ...] = ()
    error_event: bytes = b""  # how this dialect reports a failure in the middle of a stream
    settled: tuple[Settled, ...] = ()
    talk: Talk | None = None  # with status 101: what the connection is from now on


class Fault(msgspec.Struct, frozen=True):
    """Why a body is not what the endpoint takes. `field` is a path like `messages` or `tools[0].name`."""

    kind: Literal["json", "unknown", "missing", "invalid"]
    field: str
    detail: str


def entry_of(call: Call, charge: Charge, stream: bool) -> Entry:
    """The entry that charge is to be on the bill."""
    return Entry(
        id=charge.bill_id or call.request_id,
        mark=call.controls.mark,
        dialect=call.dialect,
        endpoint=charge.endpoint,
        model=charge.model.version,
        stream=stream,
        tokens=msgspec.structs.replace(charge.prompt),
        tier=charge.tier,
        others=charge.others,
        image_nanousd=charge.image_nanousd,
    )


_MISSING = re.compile(r"missing required field `([^`]+)`(?: - at `\$\.?([^`]*)`)?")
_UNKNOWN = re.compile(r"contains unknown field `([^`]+)`(?: - at `\$\.?([^`]*)`)?")
_INVALID = re.compile(r"(.*?)(?: - at `\$\.?([^`]*)`)?$", re.DOTALL)


def _join(parent: str | None, field: str) -> str:
    return f"{parent}.{field}" if parent else field


def fault_of(message: str) -> Fault:
    """The Fault a msgspec.ValidationError's message describes."""
    if found := _MISSING.search(message):
        return Fault("missing", _join(found[2], found[1]), message)
    if found := _UNKNOWN.search(message):
        return Fault("unknown", _join(found[2], found[1]), message)
    found = _INVALID.match(message)
    assert found is not None
    return Fault("invalid", found[2] or "", found[1])


def read_body(kind: type[T], body: bytes, fields: frozenset[str]) -> T | Fault:
    """The body as that struct, or what is wrong with it. `fields` are all names the endpoint knows."""
    try:
        names = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        unknown = next((name for name in names if name not in fields), None)
        if unknown is not None:
            return Fault("unknown", unknown, f"unknown field `{unknown}`")
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        return fault_of(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Fault("json", "", str(error))


def prompt_tokens(controls: Controls, counted: int) -> Tokens:
    """The input buckets of a call: what the controls say, else what was counted."""
    return Tokens(
        input=counted if controls.input_tokens is None else controls.input_tokens,
        cache_read=controls.cached_tokens,
        cache_write=controls.cache_write_tokens,
        cache_write_1h=controls.cache_write_1h_tokens,
        cache_read_audio=controls.cached_audio_tokens,
        cache_read_image=controls.cached_image_tokens,
    )


class Budget(NamedTuple):
    """How much the model will write: hidden, then visible; `capped` when the request's limit cut it short."""

    reasoning: int
    visible: int
    capped: bool


def output_budget(controls: Controls, limit: int | None, reasoning: int | None = None) -> Budget:
    """What the controls want, within the request's own limit, which counts hidden tokens too."""
    hidden = controls.reasoning_tokens if reasoning is None else reasoning
    if limit is None or hidden + controls.tokens <= limit:
        return Budget(hidden, controls.tokens, False)
    hidden = min(hidden, limit)
    return Budget(hidden, limit - hidden, True)
