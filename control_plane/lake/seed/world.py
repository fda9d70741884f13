"""Owns the made-up company: projects, teams, keys, people and the models they call. Values; no time and no ids."""

from collections.abc import Mapping
from typing import NamedTuple


class Offer(NamedTuple):
    """A model as one upstream serves it. `provider` is of gateway/providers.py, `catalog` its id in the price list."""

    upstream: str
    provider: str
    catalog: str
    endpoint: str
    requested: str
    answered: str
    ttft_ms: float  # median
    tokens_per_s: float  # median
    fallback: str = ""  # the offer that callers turn to while the provider is down
    reasoning: float = 0.0  # tokens of reasoning for one of text
    writes_cache: bool = False  # cache writes are asked for, and billed
    writes: bool = True  # embeddings put nothing out
    error_share: float = 0.003


class Source(NamedTuple):
    """One stream of calls: an application of a team, with its habits. Medians and spreads are of log-normals."""

    project: str
    team: str
    share: float  # of all calls, roughly
    zone: str
    curve: str
    weekend: float  # of a working day
    growth: float  # a week
    users: int
    crowd: str  # "people", "customers" or "agents"
    mix: Mapping[str, tuple[float, float]]  # offer -> weight at the first day and at the last
    routes: tuple[str, ...]  # the first ones more often
    tokens_in: tuple[float, float]
    tokens_out: tuple[float, float]
    streams: float  # share
    cached: float  # share of calls that find their prefix in a cache
    prefix: float = 0.6  # share of the prompt that is the same each time
    limited: float = 0.0  # share that a rate limit of ours refuses
    metadata: str = ""  # the name of the field in x-lensai-metadata


class Key(NamedTuple):
    """A caller's key. `cancels`: a stream whose client left is cut."""

    source: str
    name: str
    tags: tuple[str, ...]
    cancels: bool = False


PROJECTS: Mapping[str, str] = {
    "support": "Customer support",
    "shop": "Shop search",
    "coding": "Coding assistant",
    "documents": "Document intelligence",
    "copilot": "Analytics copilot",
    "marketing": "Marketing studio",
    "research": "Research agents",
}

OFFERS: Mapping[str, Offer] = {
    "gpt-4o-mini": Offer(
        "openai", "openai", "openai", "chat.completions", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", 380, 95
    ),
    "gpt-5-mini": Offer(
        "openai", "openai", "openai", "chat.completions", "gpt-5-mini", "gpt-5-mini", 620, 120, reasoning=0.6
    ),
    "gpt-5.1": Offer("openai", "openai", "openai", "responses", "gpt-5.1", "gpt-5.1", 900, 85, reasoning=1.1),
    "gpt-5.5": Offer("openai", "openai", "openai", "responses", "gpt-5.5", "gpt-5.5", 1100, 75, reasoning=1.4),
    "o4-mini": Offer("openai", "openai", "openai", "responses", "o4-mini", "o4-mini", 1500, 110, reasoning=2.2),
    "embedding-small": Offer(
        "openai", "openai", "openai", "embeddings", "text-embedding-3-small", "text-embedding-3-small", 90, 1,
        writes=False, error_share=0.001,
    ),
    "azure-gpt-4.1": Offer(
        "azure-eu", "azure", "azure", "chat.completions", "gpt-4.1", "gpt-4.1-2025-04-14", 520, 80, error_share=0.006
    ),
    "azure-gpt-4.1-mini": Offer(
        "azure-eu", "azure", "azure", "chat.completions", "gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", 410, 105,
        error_share=0.006,
    ),
    "claude-haiku": Offer(
        "anthropic", "anthropic", "anthropic", "messages", "claude-haiku-4-5", "claude-haiku-4-5-20251001", 480, 140,
        fallback="gpt-5-mini", writes_cache=True, error_share=0.005,
    ),
    "claude-sonnet": Offer(
        "anthropic", "anthropic", "anthropic", "messages", "claude-sonnet-4-6", "claude-sonnet-4-6", 950, 68,
        fallback="bedrock-sonnet", writes_cache=True, error_share=0.005,
    ),
    "claude-opus": Offer(
        "anthropic", "anthropic", "anthropic", "messages", "claude-opus-4-6", "claude-opus-4-6", 1400, 48,
        fallback="gpt-5.5", writes_cache=True, error_share=0.005,
    ),
    "bedrock-sonnet": Offer(
        "bedrock-us", "bedrock", "aws", "converse", "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0", 1050, 62, writes_cache=True,
    ),
    "bedrock-nova": Offer(
        "bedrock-us", "bedrock", "aws", "converse", "us.amazon.nova-pro-v1:0", "us.amazon.nova-pro-v1:0", 560, 90
    ),
    "gemini-pro": Offer(
        "gemini", "gemini", "google", "generate_content", "gemini-2.5-pro", "gemini-2.5-pro", 1300, 95, reasoning=1.3
    ),
    "gemini-flash": Offer(
        "gemini", "gemini", "google", "generate_content", "gemini-2.5-flash", "gemini-2.5-flash", 430, 190
    ),
    "gemini-flash-lite": Offer(
        "gemini", "gemini", "google", "generate_content", "gemini-2.5-flash-lite", "gemini-2.5-flash-lite", 290, 260
    ),
    "groq-llama": Offer(
        "groq", "groq", "groq", "chat.completions", "llama-3.3-70b-versatile", "llama-3.3-70b-versatile", 160, 270,
        error_share=0.009,
    ),
    "mistral-small": Offer(
        "mistral", "mistral", "mistral", "chat.completions", "mistral-small-latest", "mistral-small-latest", 310, 130
    ),
    "deepseek-chat": Offer(
        "deepseek", "deepseek", "deepseek", "chat.completions", "deepseek-chat", "deepseek-chat", 1250, 42,
        error_share=0.012,
    ),
    "qwen-own": Offer(
        "vllm-lab", "vllm", "", "chat.completions", "qwen3-coder-30b", "qwen3-coder-30b", 220, 75, error_share=0.002
    ),
}  # fmt: skip

SOURCES: Mapping[str, Source] = {
    "support-chat": Source(
        "support", "support", 23, "Europe/Berlin", "consumer", 0.75, 1.035, 900, "customers",
        {"gpt-4o-mini": (70, 15), "gpt-5-mini": (10, 60), "claude-haiku": (20, 25)},
        ("chat", "suggest-reply"), (1500, 0.7), (190, 0.7), 0.85, 0.55, 0.7, metadata="ticket",
    ),
    "support-triage": Source(
        "support", "support", 11, "Europe/Berlin", "consumer", 0.75, 1.03, 1, "agents",
        {"mistral-small": (55, 30), "azure-gpt-4.1-mini": (45, 70)},
        ("classify", "summarize"), (820, 0.5), (45, 0.4), 0.0, 0.0,
    ),
    "shop-search": Source(
        "shop", "search", 25, "America/New_York", "consumer", 1.2, 1.02, 1000, "customers",
        {"embedding-small": (68, 62), "gemini-flash-lite": (26, 32), "groq-llama": (6, 6)},
        ("embed", "rewrite-query", "rank"), (260, 0.8), (60, 0.5), 0.05, 0.1, limited=0.002,
    ),
    "shop-content": Source(
        "shop", "search", 4, "America/New_York", "nightly", 0.6, 1.02, 1, "agents",
        {"gemini-flash": (60, 60), "bedrock-nova": (40, 40)},
        ("describe-product",), (950, 0.4), (380, 0.4), 0.0, 0.2, metadata="sku",
    ),
    "coding-berlin": Source(
        "coding", "platform", 8, "Europe/Berlin", "office", 0.12, 1.05, 120, "people",
        {"claude-sonnet": (60, 55), "claude-opus": (8, 16), "gpt-5.5": (20, 26), "qwen-own": (0, 3)},
        ("agent", "complete", "review"), (14000, 0.9), (520, 0.9), 0.95, 0.85, 0.88, metadata="repository",
    ),
    "coding-new-york": Source(
        "coding", "mobile", 6, "America/New_York", "office", 0.1, 1.06, 90, "people",
        {"claude-sonnet": (70, 55), "gpt-5.1": (20, 20), "gpt-5.5": (10, 25), "qwen-own": (0, 4)},
        ("agent", "complete", "review"), (12000, 0.9), (480, 0.9), 0.95, 0.85, 0.88, metadata="repository",
    ),
    "documents": Source(
        "documents", "data", 9, "Europe/Berlin", "nightly", 0.5, 1.01, 1, "agents",
        {"gemini-pro": (25, 20), "gpt-5-mini": (45, 55), "azure-gpt-4.1": (30, 25)},
        ("extract", "check"), (5200, 0.8), (420, 0.6), 0.0, 0.35, 0.4, metadata="batch",
    ),
    "copilot": Source(
        "copilot", "data", 4, "Europe/London", "office", 0.08, 1.04, 210, "people",
        {"gpt-5.1": (45, 50), "o4-mini": (35, 15), "gemini-pro": (20, 35)},
        ("ask", "sql"), (4200, 0.7), (310, 0.7), 0.7, 0.6, 0.75,
    ),
    "marketing": Source(
        "marketing", "marketing", 6, "America/Los_Angeles", "office", 0.2, 1.04, 60, "people",
        {"gpt-5.1": (40, 45), "claude-sonnet": (45, 40), "gpt-4o-mini": (15, 15)},
        ("draft", "translate", "headline"), (1900, 0.6), (900, 0.6), 0.8, 0.2, 0.4, metadata="campaign",
    ),
    "research": Source(
        "research", "research", 4, "UTC", "always", 0.8, 1.02, 40, "people",
        {"deepseek-chat": (45, 35), "bedrock-sonnet": (30, 30), "groq-llama": (25, 20), "qwen-own": (0, 15)},
        ("agent", "evaluate"), (6500, 0.9), (520, 0.8), 0.4, 0.5, 0.6,
    ),
    # A night of its own (story.py): an agent that asks itself.
    "runaway": Source(
        "research", "research", 0.22, "UTC", "always", 1.0, 1.0, 1, "agents",
        {"claude-opus": (1, 1)}, ("agent",), (38000, 0.35), (1800, 0.4), 1.0, 0.3, 0.5,
    ),
}  # fmt: skip

_PROD, _STAGING = ("env:prod",), ("env:staging",)

KEYS: tuple[Key, ...] = (
    Key("support-chat", "Web widget", (*_PROD, "channel:web")),
    Key("support-chat", "Mobile app", (*_PROD, "channel:app")),
    Key("support-chat", "WhatsApp", (*_PROD, "channel:whatsapp")),
    Key("support-chat", "E-mail assistant", (*_PROD, "channel:email")),
    Key("support-chat", "Support staging", _STAGING),
    Key("support-triage", "Triage", _PROD),
    Key("support-triage", "Call summaries", _PROD),
    Key("support-triage", "Triage staging", _STAGING),
    Key("shop-search", "Storefront US", (*_PROD, "region:us")),
    Key("shop-search", "Storefront EU", (*_PROD, "region:eu")),
    Key("shop-search", "Storefront UK", (*_PROD, "region:uk")),
    Key("shop-search", "Partner API", (*_PROD, "region:us", "partner")),
    Key("shop-search", "Search staging", _STAGING),
    Key("shop-content", "Catalog enrichment", _PROD),
    Key("shop-content", "Alt texts", _PROD),
    Key("coding-berlin", "IDE Berlin", _PROD, cancels=True),
    Key("coding-berlin", "Review bot", _PROD),
    Key("coding-berlin", "CI fixes", (*_PROD, "ci")),
    Key("coding-berlin", "Terminal Berlin", _PROD, cancels=True),
    Key("coding-new-york", "IDE New York", _PROD, cancels=True),
    Key("coding-new-york", "Release notes", (*_PROD, "ci")),
    Key("coding-new-york", "Terminal New York", _PROD, cancels=True),
    Key("documents", "Invoices", (*_PROD, "kind:invoice")),
    Key("documents", "Contracts", (*_PROD, "kind:contract")),
    Key("documents", "Claims", (*_PROD, "kind:claim")),
    Key("documents", "Backfill", (*_PROD, "kind:backfill")),
    Key("copilot", "Dashboards", _PROD),
    Key("copilot", "Slack bot", (*_PROD, "channel:slack")),
    Key("copilot", "Notebook", _PROD, cancels=True),
    Key("copilot", "Copilot staging", _STAGING),
    Key("marketing", "Studio", _PROD, cancels=True),
    Key("marketing", "Newsletter", (*_PROD, "channel:email")),
    Key("marketing", "Social posts", (*_PROD, "channel:social")),
    Key("marketing", "Translations", _PROD),
    Key("research", "Evaluation", _PROD),
    Key("research", "Literature", _PROD),
    Key("research", "Simulations", _PROD),
    Key("research", "Interns", (*_PROD, "sandbox"), cancels=True),
    Key("runaway", "Nightly agent", (*_PROD, "agent:self-review")),
)

# Of calls in each hour of the local day, relative to the busiest.
CURVES: Mapping[str, tuple[float, ...]] = {
    "office": (
        0.03, 0.02, 0.02, 0.02, 0.03, 0.05, 0.12, 0.32, 0.68, 0.92, 1.0, 0.97,
        0.72, 0.78, 0.95, 0.98, 0.9, 0.72, 0.42, 0.24, 0.18, 0.14, 0.09, 0.05,
    ),
    "consumer": (
        0.22, 0.14, 0.1, 0.08, 0.08, 0.12, 0.22, 0.38, 0.55, 0.68, 0.74, 0.78,
        0.82, 0.78, 0.74, 0.74, 0.78, 0.86, 0.95, 1.0, 0.98, 0.86, 0.62, 0.38,
    ),
    "nightly": (
        0.35, 0.8, 1.0, 1.0, 0.85, 0.5, 0.2, 0.08, 0.05, 0.05, 0.06, 0.06,
        0.05, 0.06, 0.06, 0.05, 0.05, 0.05, 0.05, 0.05, 0.06, 0.08, 0.12, 0.2,
    ),
    "always": (
        0.7, 0.68, 0.66, 0.65, 0.65, 0.66, 0.7, 0.76, 0.84, 0.9, 0.94, 0.96,
        0.94, 0.95, 1.0, 0.98, 0.95, 0.92, 0.88, 0.85, 0.82, 0.8, 0.76, 0.72,
    ),
}  # fmt: skip

DOMAIN = "northwind.example"
FIRST_NAMES = (
    "ada", "ben", "carla", "dev", "elif", "farah", "goran", "hana", "ines", "jonas", "kavya", "leon", "maya", "nils",
    "olga", "pedro", "quynh", "rosa", "sven", "tara", "umar", "vera", "wei", "ximena", "yusuf", "zoe",
)  # fmt: skip
LAST_NAMES = (
    "abe", "becker", "costa", "diaz", "eriksen", "fischer", "gupta", "horvat", "ito", "jensen", "kim", "lopez",
    "moreau", "nowak", "okafor", "patel", "rossi", "sato", "tran", "weber", "yilmaz", "zhang",
)  # fmt: skip


def users_of(source: str) -> tuple[str, ...]:
    """The users of a source, the busiest first. Two sources may share people."""
    found, begin = SOURCES[source], sum(map(ord, source))
    if found.crowd == "agents":
        return (f"{source}-agent",)
    if found.crowd == "customers":
        return tuple(f"cust_{(begin * 1000 + number) * 2_654_435_761 % 2**32:08x}" for number in range(found.users))
    # Steps without a common divisor with the number of names: nobody comes twice.
    names = [f"{first}.{last}@{DOMAIN}" for first in FIRST_NAMES for last in LAST_NAMES]
    return tuple(names[(begin + number * 89) % len(names)] for number in range(found.users))
