"""Owns the sandbox's bill: its models, its own price list and one entry for each billed call.

It is the oracle of the gateway's metering tests, so it shares no code with what it judges: plain
multiplication of integers, nano-USD per token. Prices are flat; long contexts cost no more here, and a
batch costs half, but for its searches.
"""

from collections import deque
from fractions import Fraction
from typing import Literal

import msgspec

# One crash or load run; older entries leave, their amounts stay in the totals.
ENTRIES_MAX = 200_000

_MS_PER_HOUR = 3_600_000

# Whose model it is; for those that keep to one dialect, also the dialect's name.
Family = Literal[
    "openai", "anthropic", "gemini", "bedrock", "mistral", "groq", "cohere", "together", "ollama", "deepseek", "xai",
    "openrouter", "perplexity", "cerebras", "moonshot", "zai", "voyage", "vllm", "llama.cpp",
]  # fmt: skip
Kind = Literal[
    "chat", "completions", "embeddings", "moderations", "rerank", "images", "ocr", "transcription", "multimodal",
    "speech", "realtime", "live",
]  # fmt: skip
Tier = Literal["standard", "batch"]
# What a tier makes of prices; searches are no cheaper in a batch.
DIVISORS: dict[Tier, int] = {"standard": 1, "batch": 2}
State = Literal["open", "completed", "cut", "client_left"]


class Tokens(msgspec.Struct):
    """Disjoint buckets, as the bill counts them."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    # Of other kinds, and what is not counted in tokens.
    citation: int = 0
    web_searches: int = 0
    search_units: int = 0
    input_audio_ms: int = 0
    input_pages: int = 0
    input_annotated_pages: int = 0
    output_images: int = 0  # some are priced by size and quality: `Entry.image_nanousd`
    # Other modalities, and what else has its rate in `Model.rates`.
    input_audio: int = 0
    input_image: int = 0
    cache_read_audio: int = 0
    cache_read_image: int = 0
    output_audio: int = 0
    output_image: int = 0
    input_characters: int = 0
    training: int = 0

    @property
    def prompt(self) -> int:
        text = self.input + self.cache_read + self.cache_write + self.cache_write_1h
        return text + self.input_audio + self.input_image + self.cache_read_audio + self.cache_read_image


# The buckets whose rates are in `Model.rates`.
RATED = (
    "citation", "web_searches", "input_pages", "input_annotated_pages",
    "input_audio", "input_image", "cache_read_audio", "cache_read_image", "output_audio", "output_image",
    "input_characters", "training",
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
    reasoning_nanousd: int | None = None  # None: as output
    rates: dict[str, int] = {}  # nano-USD a unit of the buckets in RATED
    call_nanousd: int = 0
    audio_hour_nanousd: int = 0  # what `input_audio_ms` costs
    input_audio_ms_min: int = 0  # what a shorter recording is billed as

    def amount_nanousd(self, tokens: Tokens, tier: Tier = "standard") -> int:
        """What a call of these tokens costs, rounded half to even. A bucket without a rate must be empty."""
        tokens_nanousd = Fraction(self._tokens_nanousd(tokens), DIVISORS[tier])
        audio_ms = max(tokens.input_audio_ms, self.input_audio_ms_min)
        audio_nanousd = Fraction(audio_ms * self.audio_hour_nanousd, _MS_PER_HOUR)
        searches_nanousd = tokens.web_searches * self.rates.get("web_searches", 0)
        return round(tokens_nanousd + audio_nanousd + searches_nanousd + self.call_nanousd)

    def _tokens_nanousd(self, tokens: Tokens) -> int:
        reasoning_nanousd = self.output_nanousd if self.reasoning_nanousd is None else self.reasoning_nanousd
        return (
            tokens.input * self.input_nanousd
            + tokens.cache_read * (self.cache_read_nanousd or 0)
            + tokens.cache_write * (self.cache_write_nanousd or 0)
            + tokens.cache_write_1h * (self.cache_write_1h_nanousd or 0)
            + tokens.output * self.output_nanousd
            + tokens.reasoning * reasoning_nanousd
            + sum(getattr(tokens, bucket) * self.rates.get(bucket, 0) for bucket in RATED if bucket != "web_searches")
        )

    def unbillable(self, tokens: Tokens) -> str:
        """The first bucket that holds tokens this model has no rate for, or empty."""
        for bucket in ("cache_read", "cache_write", "cache_write_1h"):
            if getattr(tokens, bucket) and getattr(self, f"{bucket}_nanousd") is None:
                return bucket
        return next((bucket for bucket in RATED if getattr(tokens, bucket) and bucket not in self.rates), "")


# Anthropic's web search: 10 USD for a thousand.
_SEARCH = 10_000_000


def _claude(name: str, version: str, *rates: int) -> Model:
    return Model(name, version, "anthropic", "chat", *rates, rates={"web_searches": _SEARCH})


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
        "gpt-4o-transcribe", "gpt-4o-transcribe", "openai", "transcription", 2500, 10000, rates={"input_audio": 6000}
    ),
    Model(
        "gpt-4o-mini-transcribe", "gpt-4o-mini-transcribe", "openai", "transcription", 1250, 5000,
        rates={"input_audio": 3000},
    ),
    Model("whisper-1", "whisper-1", "openai", "transcription", audio_hour_nanousd=360_000_000),
    Model("gpt-realtime", "gpt-realtime", "openai", "realtime", 4000, 16000, 400, rates=_REALTIME),
    Model("gpt-realtime-mini", "gpt-realtime-mini", "openai", "realtime", 600, 2400, 60, rates=_REALTIME_MINI),
    _claude("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", 3000, 15000, 300, 3750, 6000),
    _claude("claude-haiku-4-5", "claude-haiku-4-5-20251001", 1000, 5000, 100, 1250, 2000),
    _claude("claude-opus-4-8", "claude-opus-4-8", 5000, 25000, 500, 6250, 10000),
    Model("gemini-2.5-flash", "gemini-2.5-flash", "gemini", "chat", 300, 2500, 30),
    Model("gemini-3.6-flash", "gemini-3.6-flash", "gemini", "chat", 750, 3750, 75),
    Model("gemini-embedding-001", "gemini-embedding-001", "gemini", "embeddings", 150),
    Model("gemini-embedding-2", "gemini-embedding-2", "gemini", "embeddings", 200),
    Model(
        "gemini-live-2.5-flash", "gemini-live-2.5-flash", "gemini", "live", 500, 2000,
        rates={"input_audio": 3000, "output_audio": 12000},
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
)  # fmt: skip
# The other providers', each with rates that are whole nano-USD. DeepSeek's current models cost more by day than by
# night, and xAI's from 200,000 tokens on: here are ones that do not.
_OTHER_ROWS = (
    Model("mistral-small-latest", "mistral-small-latest", "mistral", "chat", 150, 600, 15),
    Model("mistral-large-2512", "mistral-large-2512", "mistral", "chat", 500, 1500, 50),
    Model("codestral-2508", "codestral-2508", "mistral", "completions", 300, 900, 30),
    Model("mistral-embed", "mistral-embed", "mistral", "embeddings", 100, 100),
    Model("mistral-moderation-latest", "mistral-moderation-latest", "mistral", "moderations"),
    Model(
        "mistral-ocr-4-0", "mistral-ocr-4-0", "mistral", "ocr",
        rates={"input_pages": 4_000_000, "input_annotated_pages": 5_000_000},
    ),
    Model("voxtral-mini-2602", "voxtral-mini-2602", "mistral", "transcription", audio_hour_nanousd=180_000_000),
    Model("llama-3.3-70b-versatile", "llama-3.3-70b-versatile", "groq", "chat", 590, 790),
    Model("moonshotai/kimi-k2-instruct", "moonshotai/kimi-k2-instruct", "groq", "chat", 1000, 3000, 500),
    Model(
        "whisper-large-v3", "whisper-large-v3", "groq", "transcription",
        audio_hour_nanousd=111_000_000, input_audio_ms_min=10_000,
    ),
    Model(
        "whisper-large-v3-turbo", "whisper-large-v3-turbo", "groq", "transcription",
        audio_hour_nanousd=40_000_000, input_audio_ms_min=10_000,
    ),
    Model("command-a-03-2025", "command-a-03-2025", "cohere", "chat", 2500, 10000),
    Model("command-r-08-2024", "command-r-08-2024", "cohere", "chat", 150, 600),
    Model("embed-v4.0", "embed-v4.0", "cohere", "embeddings", 120),
    Model("rerank-v3.5", "rerank-v3.5", "cohere", "rerank"),
    Model(
        "meta-llama/Llama-3.3-70B-Instruct-Turbo", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "together", "chat",
        880, 880,
    ),
    Model("moonshotai/Kimi-K3", "moonshotai/Kimi-K3", "together", "chat", 3000, 15000, 300),
    Model(
        "mistralai/Mixtral-8x7B-v0.1", "mistralai/Mixtral-8x7B-v0.1", "together", "completions", 900, 900
    ),
    Model("BAAI/bge-base-en-v1.5", "BAAI/bge-base-en-v1.5", "together", "embeddings"),
    Model("Salesforce/Llama-Rank-V1", "Salesforce/Llama-Rank-V1", "together", "rerank"),
    Model("black-forest-labs/FLUX.1-schnell", "black-forest-labs/FLUX.1-schnell", "together", "images"),
    Model("deepseek-v3.1-terminus", "deepseek-v3.1-terminus", "deepseek", "chat", 270, 950, 130),
    Model("grok-3-mini", "grok-3-mini", "xai", "chat", 300, 500, 75),
    Model("grok-4-fast-reasoning", "grok-4-fast-reasoning", "xai", "chat", 200, 500, 50),
    Model("openai/gpt-4o-mini", "openai/gpt-4o-mini", "openrouter", "chat", 150, 600, 75),
    Model("anthropic/claude-haiku-4.5", "anthropic/claude-haiku-4.5", "openrouter", "chat", 1000, 5000, 100, 1250),
    Model("sonar", "sonar", "perplexity", "chat", 1000, 1000, call_nanousd=12_000_000),
    Model("sonar-pro", "sonar-pro", "perplexity", "chat", 3000, 15000, call_nanousd=14_000_000),
    Model(
        "sonar-deep-research", "sonar-deep-research", "perplexity", "chat", 2000, 8000,
        reasoning_nanousd=3000, rates={"citation": 2000, "web_searches": 5_000_000},
    ),
    Model("gpt-oss-120b", "gpt-oss-120b", "cerebras", "chat", 350, 750),
    Model("llama3.1-8b", "llama3.1-8b", "cerebras", "chat", 100, 100),
    Model("kimi-k2.6", "kimi-k2.6", "moonshot", "chat", 950, 4000, 160),
    Model("moonshot-v1-8k", "moonshot-v1-8k", "moonshot", "chat", 200, 2000),
    Model("glm-4.6", "glm-4.6", "zai", "chat", 600, 2200, 110),
    Model("glm-4.5-air", "glm-4.5-air", "zai", "chat", 200, 1100, 30),
    Model("voyage-3.5", "voyage-3.5", "voyage", "embeddings", 60),
    Model("voyage-3-large", "voyage-3-large", "voyage", "embeddings", 180),
    Model("voyage-context-3", "voyage-context-3", "voyage", "embeddings", 180),
    Model("voyage-multimodal-3", "voyage-multimodal-3", "voyage", "multimodal"),
    Model("rerank-2.5", "rerank-2.5", "voyage", "rerank"),
    # Self-hosted: what they cost is their owner's affair.
    Model("llama3.2", "llama3.2", "ollama"),
    Model("qwen3:8b", "qwen3:8b", "ollama"),
    Model("nomic-embed-text", "nomic-embed-text", "ollama", "embeddings"),
    Model("Qwen/Qwen3-8B", "Qwen/Qwen3-8B", "vllm", cache_read_nanousd=0),
    Model("Qwen/Qwen3-8B-Base", "Qwen/Qwen3-8B-Base", "vllm", "completions", cache_read_nanousd=0),
    Model("Qwen/Qwen3-Embedding-8B", "Qwen/Qwen3-Embedding-8B", "vllm", "embeddings"),
    Model("gemma-3-4b-it-Q4_K_M.gguf", "gemma-3-4b-it-Q4_K_M.gguf", "llama.cpp", cache_read_nanousd=0),
)  # fmt: skip
MODELS = {name: row for row in (*_ROWS, *_OTHER_ROWS) for name in (row.name, row.version)}

# Azure deployments that are not named after their model; every model's own name is one too.
DEPLOYMENTS = {"sandbox-deployment": "gpt-4o-mini", "sandbox-embeddings": "text-embedding-3-small"}


def find_model(name: str, family: Family, kind: Kind) -> Model | None:
    """The model by its name or dated version, if it is that family's and does that."""
    model = MODELS.get(name)
    return model if model and model.family == family and model.kind == kind else None


def list_models(family: Family) -> list[Model]:
    return [row for row in (*_ROWS, *_OTHER_ROWS) if row.family == family]


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
    image_nanousd: int = 0  # list price of one of `tokens.output_images`

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
    shares = (Share(entry.model, entry.tokens), *entry.others)
    images_nanousd = entry.tokens.output_images * entry.image_nanousd // DIVISORS[entry.tier]
    return images_nanousd + sum(MODELS[share.model].amount_nanousd(share.tokens, entry.tier) for share in shares)


def _add_tokens(total: Tokens, more: Tokens) -> None:
    for bucket in Tokens.__struct_fields__:
        setattr(total, bucket, getattr(total, bucket) + getattr(more, bucket))


def _add(totals: Totals, entry: Entry) -> None:
    totals.calls += 1
    totals.amount_nanousd += _amount_nanousd(entry)
    totals.states[entry.state] = totals.states.get(entry.state, 0) + 1
    for tokens in (entry.tokens, *(share.tokens for share in entry.others)):
        _add_tokens(totals.tokens, tokens)
