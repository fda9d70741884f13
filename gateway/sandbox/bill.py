"""Owns the sandbox's bill: its models, its own price list and one entry for each billed call.

It is the oracle of the gateway's metering tests, so it shares no code with what it judges: plain
multiplication of integers, nano-USD per token. Prices are flat; long contexts cost no more here.
"""

from collections import deque
from fractions import Fraction
from typing import Literal

import msgspec

# One crash or load run; older entries leave, their amounts stay in the totals.
ENTRIES_MAX = 200_000

Family = Literal["openai", "anthropic", "gemini"]
Kind = Literal["chat", "completions", "embeddings", "moderations", "images", "speech", "transcriptions", "realtime"]
State = Literal["open", "completed", "cut", "client_left"]


class Tokens(msgspec.Struct):
    """Disjoint buckets, as the bill counts them."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    # Other modalities, and what is not counted in tokens; each has its rate in `Model.rates`.
    input_audio: int = 0
    input_image: int = 0
    cache_read_audio: int = 0
    cache_read_image: int = 0
    output_audio: int = 0
    output_image: int = 0
    input_characters: int = 0
    input_audio_ms: int = 0
    training: int = 0
    images: int = 0  # priced by size and quality: `Entry.image_nanousd`

    @property
    def prompt(self) -> int:
        text = self.input + self.cache_read + self.cache_write + self.cache_write_1h
        return text + self.input_audio + self.input_image + self.cache_read_audio + self.cache_read_image


# The buckets whose rates are in `Model.rates`.
RATED = (
    "input_audio", "input_image", "cache_read_audio", "cache_read_image", "output_audio", "output_image",
    "input_characters", "input_audio_ms", "training",
)  # fmt: skip


class Model(msgspec.Struct, frozen=True):
    """`name` is asked for, `version` answers. Rates are nano-USD a token, in USD per million / 1000."""

    name: str
    version: str
    family: Family
    kind: Kind = "chat"
    input_nanousd: int = 0
    output_nanousd: int = 0
    cache_read_nanousd: int | None = None
    cache_write_nanousd: int | None = None
    cache_write_1h_nanousd: int | None = None
    rates: dict[str, int] = {}  # nano-USD per unit of the buckets in RATED

    def amount_nanousd(self, tokens: Tokens) -> int:
        """What these tokens cost. Reasoning is billed as output; a bucket without a rate must be empty."""
        return (
            tokens.input * self.input_nanousd
            + tokens.cache_read * (self.cache_read_nanousd or 0)
            + tokens.cache_write * (self.cache_write_nanousd or 0)
            + tokens.cache_write_1h * (self.cache_write_1h_nanousd or 0)
            + (tokens.output + tokens.reasoning) * self.output_nanousd
            + sum(getattr(tokens, bucket) * rate for bucket, rate in self.rates.items())
        )

    def unbillable(self, tokens: Tokens) -> str:
        """The first bucket that holds tokens this model has no rate for, or empty."""
        for bucket in ("cache_read", "cache_write", "cache_write_1h"):
            if getattr(tokens, bucket) and getattr(self, f"{bucket}_nanousd") is None:
                return bucket
        return next((bucket for bucket in RATED if getattr(tokens, bucket) and bucket not in self.rates), "")


_REALTIME = {
    "input_audio": 32000, "output_audio": 64000, "cache_read_audio": 400, "input_image": 5000, "cache_read_image": 500,
}  # fmt: skip
_REALTIME_MINI = {
    "input_audio": 10000, "output_audio": 20000, "cache_read_audio": 300, "input_image": 800, "cache_read_image": 80,
}  # fmt: skip
_IMAGE_15 = {"input_image": 8000, "cache_read_image": 2000, "output_image": 32000}
_IMAGE_2 = {"input_image": 8000, "cache_read_image": 2000, "output_image": 30000}

# Public list prices of 2026-11, from the providers' pricing pages.
_ROWS = (
    Model("gpt-4o", "gpt-4o-2024-08-06", "openai", "chat", 2500, 10000, 1250),
    Model("gpt-4o-mini", "gpt-4o-mini-2024-07-18", "openai", "chat", 150, 600, 75, rates={"training": 3000}),
    Model("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", "openai", "chat", 400, 1600, 100, rates={"training": 5000}),
    Model("gpt-5-mini", "gpt-5-mini-2025-08-07", "openai", "chat", 250, 2000, 25),
    Model("gpt-5.6-sol", "gpt-5.6-sol", "openai", "chat", 4000, 20000, 400, 5000),
    Model("gpt-3.5-turbo-instruct", "gpt-3.5-turbo-instruct", "openai", "completions", 1500, 2000),
    Model("text-embedding-3-small", "text-embedding-3-small", "openai", "embeddings", 20),
    Model("text-embedding-3-large", "text-embedding-3-large", "openai", "embeddings", 130),
    Model("omni-moderation-latest", "omni-moderation-2024-09-26", "openai", "moderations"),
    Model("gpt-image-1.5", "gpt-image-1.5", "openai", "images", 5000, 10000, 1250, rates=_IMAGE_15),
    Model("gpt-image-2", "gpt-image-2", "openai", "images", 5000, 30000, 1250, rates=_IMAGE_2),
    Model("dall-e-3", "dall-e-3", "openai", "images"),
    Model("dall-e-2", "dall-e-2", "openai", "images"),
    Model("gpt-4o-mini-tts", "gpt-4o-mini-tts", "openai", "speech", 600, 12000),
    Model("tts-1", "tts-1", "openai", "speech", rates={"input_characters": 15000}),
    Model("tts-1-hd", "tts-1-hd", "openai", "speech", rates={"input_characters": 30000}),
    Model(
        "gpt-4o-transcribe", "gpt-4o-transcribe", "openai", "transcriptions", 2500, 10000, rates={"input_audio": 6000}
    ),
    Model(
        "gpt-4o-mini-transcribe",
        "gpt-4o-mini-transcribe",
        "openai",
        "transcriptions",
        1250,
        5000,
        rates={"input_audio": 3000},
    ),
    Model("whisper-1", "whisper-1", "openai", "transcriptions", rates={"input_audio_ms": 100}),
    Model("gpt-realtime", "gpt-realtime", "openai", "realtime", 4000, 16000, 400, rates=_REALTIME),
    Model("gpt-realtime-mini", "gpt-realtime-mini", "openai", "realtime", 600, 2400, 60, rates=_REALTIME_MINI),
    Model("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "anthropic", "chat", 3000, 15000, 300, 3750, 6000),
    Model("claude-haiku-4-5", "claude-haiku-4-5-20251001", "anthropic", "chat", 1000, 5000, 100, 1250, 2000),
    Model("claude-opus-4-8", "claude-opus-4-8", "anthropic", "chat", 5000, 25000, 500, 6250, 10000),
    Model("gemini-2.5-flash", "gemini-2.5-flash", "gemini", "chat", 300, 2500, 30),
    Model("gemini-3.6-flash", "gemini-3.6-flash", "gemini", "chat", 750, 3750, 75),
    Model("gemini-embedding-001", "gemini-embedding-001", "gemini", "embeddings", 150),
    Model("gemini-embedding-2", "gemini-embedding-2", "gemini", "embeddings", 200),
)
MODELS = {name: row for row in _ROWS for name in (row.name, row.version)}

# Azure deployments that are not named after their model; every model's own name is one too.
DEPLOYMENTS = {"sandbox-deployment": "gpt-4o-mini", "sandbox-embeddings": "text-embedding-3-small"}


def find_model(name: str, family: Family, kind: Kind) -> Model | None:
    """The model by its name or dated version, if it is that family's and does that."""
    model = MODELS.get(name)
    return model if model and model.family == family and model.kind == kind else None


def list_models(family: Family) -> list[Model]:
    return [row for row in _ROWS if row.family == family]


class Entry(msgspec.Struct):
    """One billed call. `id` is what the provider's own request-id header said."""

    id: str
    mark: str
    dialect: str
    endpoint: str
    model: str
    stream: bool
    tokens: Tokens
    state: State = "open"
    wire_bytes: int = 0  # of the answer, head and framing included
    percent: int = 100  # of the list price: a batch costs half
    image_nanousd: int = 0  # list price of one of `tokens.images`

    def count(self, output: int, reasoning: int) -> None:
        self.tokens.output += output
        self.tokens.reasoning += reasoning

    def add(self, tokens: Tokens) -> None:
        _add_tokens(self.tokens, tokens)


class Totals(msgspec.Struct):
    calls: int
    amount_nanousd: int
    tokens: Tokens
    states: dict[State, int]


class Bill:
    """Every call from its dispatch on. Amounts are of now: an open entry grows as its stream is written."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self._left = Totals(0, 0, Tokens(), {})

    def open(self, entry: Entry) -> None:
        self.entries.append(entry)
        if len(self.entries) > ENTRIES_MAX:
            _add(self._left, self.entries.popleft())

    def lines(self) -> list[dict[str, object]]:
        """Each entry's fields and its `amount_nanousd`, oldest first."""
        return [{**msgspec.structs.asdict(entry), "amount_nanousd": _amount_nanousd(entry)} for entry in self.entries]

    def totals(self) -> Totals:
        """Over all calls since the last reset, those that left the list included."""
        totals = Totals(self._left.calls, self._left.amount_nanousd, Tokens(), dict(self._left.states))
        _add_tokens(totals.tokens, self._left.tokens)
        for entry in self.entries:
            _add(totals, entry)
        return totals

    def reset(self) -> None:
        self.entries.clear()
        self._left = Totals(0, 0, Tokens(), {})


def _amount_nanousd(entry: Entry) -> int:
    """Rounded half to even, where half a price leaves a fraction."""
    listed = MODELS[entry.model].amount_nanousd(entry.tokens) + entry.tokens.images * entry.image_nanousd
    return round(Fraction(listed * entry.percent, 100))


def _add_tokens(total: Tokens, more: Tokens) -> None:
    for bucket in Tokens.__struct_fields__:
        setattr(total, bucket, getattr(total, bucket) + getattr(more, bucket))


def _add(totals: Totals, entry: Entry) -> None:
    totals.calls += 1
    totals.amount_nanousd += _amount_nanousd(entry)
    totals.states[entry.state] = totals.states.get(entry.state, 0) + 1
    _add_tokens(totals.tokens, entry.tokens)
