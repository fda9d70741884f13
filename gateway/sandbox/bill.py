"""Owns the sandbox's bill: its models, its own price list and one entry for each billed call.

It is the oracle of the gateway's metering tests, so it shares no code with what it judges: plain
multiplication of integers, nano-USD per token. Prices are flat; long contexts cost no more here, and a
batch costs half.
"""

from collections import deque
from typing import Literal

import msgspec

# One crash or load run; older entries leave, their amounts stay in the totals.
ENTRIES_MAX = 200_000

Family = Literal["openai", "anthropic", "gemini", "bedrock"]
Kind = Literal["chat", "completions", "embeddings", "moderations", "live"]
Tier = Literal["standard", "batch"]
State = Literal["open", "completed", "cut", "client_left"]


class Tokens(msgspec.Struct):
    """Disjoint buckets, as the bill counts them."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    input_audio: int = 0
    output_audio: int = 0
    web_searches: int = 0  # counted, not tokens

    @property
    def prompt(self) -> int:
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h + self.input_audio


# Buckets that not every model has a rate for.
_RATED_SOMETIMES = ("cache_read", "cache_write", "cache_write_1h", "input_audio", "output_audio", "web_searches")


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
    input_audio_nanousd: int | None = None
    output_audio_nanousd: int | None = None
    web_searches_nanousd: int | None = None  # each

    def amount_nanousd(self, tokens: Tokens, tier: Tier = "standard") -> int:
        """What these tokens cost. Reasoning is billed as output; a bucket without a rate must be empty."""
        # Half of each rate is whole; searches are no cheaper in a batch.
        whole = self._tokens_nanousd(tokens) // (2 if tier == "batch" else 1)
        return whole + tokens.web_searches * (self.web_searches_nanousd or 0)

    def _tokens_nanousd(self, tokens: Tokens) -> int:
        return (
            tokens.input * self.input_nanousd
            + tokens.cache_read * (self.cache_read_nanousd or 0)
            + tokens.cache_write * (self.cache_write_nanousd or 0)
            + tokens.cache_write_1h * (self.cache_write_1h_nanousd or 0)
            + (tokens.output + tokens.reasoning) * self.output_nanousd
            + tokens.input_audio * (self.input_audio_nanousd or 0)
            + tokens.output_audio * (self.output_audio_nanousd or 0)
        )

    def unbillable(self, tokens: Tokens) -> str:
        """The first bucket that holds tokens this model has no rate for, or empty."""
        for bucket in _RATED_SOMETIMES:
            if getattr(tokens, bucket) and getattr(self, f"{bucket}_nanousd") is None:
                return bucket
        return ""


# Anthropic's web search: 10 USD for a thousand.
_SEARCH = 10_000_000


def _claude(name: str, version: str, *rates: int) -> Model:
    return Model(name, version, "anthropic", "chat", *rates, web_searches_nanousd=_SEARCH)


# Public list prices of 2026-11, from the providers' pricing pages.
_ROWS = (
    Model("gpt-4o", "gpt-4o-2024-08-06", "openai", "chat", 2500, 10000, 1250),
    Model("gpt-4o-mini", "gpt-4o-mini-2024-07-18", "openai", "chat", 150, 600, 75),
    Model("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", "openai", "chat", 400, 1600, 100),
    Model("gpt-5-mini", "gpt-5-mini-2025-08-07", "openai", "chat", 250, 2000, 25),
    Model("gpt-5.6-sol", "gpt-5.6-sol", "openai", "chat", 4000, 20000, 400, 5000),
    Model("gpt-3.5-turbo-instruct", "gpt-3.5-turbo-instruct", "openai", "completions", 1500, 2000),
    Model("text-embedding-3-small", "text-embedding-3-small", "openai", "embeddings", 20),
    Model("text-embedding-3-large", "text-embedding-3-large", "openai", "embeddings", 130),
    Model("omni-moderation-latest", "omni-moderation-2024-09-26", "openai", "moderations"),
    _claude("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", 3000, 15000, 300, 3750, 6000),
    _claude("claude-haiku-4-5", "claude-haiku-4-5-20251001", 1000, 5000, 100, 1250, 2000),
    _claude("claude-opus-4-8", "claude-opus-4-8", 5000, 25000, 500, 6250, 10000),
    Model("gemini-2.5-flash", "gemini-2.5-flash", "gemini", "chat", 300, 2500, 30),
    Model("gemini-3.6-flash", "gemini-3.6-flash", "gemini", "chat", 750, 3750, 75),
    Model("gemini-embedding-001", "gemini-embedding-001", "gemini", "embeddings", 150),
    Model("gemini-embedding-2", "gemini-embedding-2", "gemini", "embeddings", 200),
    Model(
        "gemini-live-2.5-flash",
        "gemini-live-2.5-flash",
        "gemini",
        "live",
        500,
        2000,
        input_audio_nanousd=3000,
        output_audio_nanousd=12000,
    ),
    # Bedrock names no other version of a model than the one asked for. A geography's profile costs a tenth more.
    *(
        Model(f"{area}.anthropic.{name}", f"{area}.anthropic.{name}", "bedrock", "chat", *rates)
        for areas, name, rates in (
            (("us", "eu"), "claude-haiku-4-5-20251001-v1:0", (1100, 5500, 110, 1375, 2200)),
            (("global",), "claude-haiku-4-5-20251001-v1:0", (1000, 5000, 100, 1250, 2000)),
            (("us", "eu"), "claude-opus-4-8", (5500, 27500, 550, 6875, 11000)),
            (("global",), "claude-opus-4-8", (5000, 25000, 500, 6250, 10000)),
        )
        for area in areas
    ),
    Model("amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", "bedrock", "chat", 60, 240, 15),
    Model("us.amazon.nova-lite-v1:0", "us.amazon.nova-lite-v1:0", "bedrock", "chat", 60, 240, 15),
    Model("meta.llama3-1-8b-instruct-v1:0", "meta.llama3-1-8b-instruct-v1:0", "bedrock", "chat", 220, 220),
    Model("openai.gpt-oss-120b-1:0", "openai.gpt-oss-120b-1:0", "bedrock", "chat", 150, 600),
    Model("amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v2:0", "bedrock", "embeddings", 20),
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


class Share(msgspec.Struct):
    """What another model, or the same one before it, did for a call."""

    model: str
    tokens: Tokens


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
    tier: Tier = "standard"
    others: tuple[Share, ...] = ()  # beside `tokens`, not part of them

    def count(self, output: int, reasoning: int) -> None:
        self.tokens.output += output
        self.tokens.reasoning += reasoning


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
    shares = (Share(entry.model, entry.tokens), *entry.others)
    return sum(MODELS[share.model].amount_nanousd(share.tokens, entry.tier) for share in shares)


def _add_tokens(total: Tokens, more: Tokens) -> None:
    for bucket in Tokens.__struct_fields__:
        setattr(total, bucket, getattr(total, bucket) + getattr(more, bucket))


def _add(totals: Totals, entry: Entry) -> None:
    totals.calls += 1
    totals.amount_nanousd += _amount_nanousd(entry)
    totals.states[entry.state] = totals.states.get(entry.state, 0) + 1
    for tokens in (entry.tokens, *(share.tokens for share in entry.others)):
        _add_tokens(totals.tokens, tokens)
