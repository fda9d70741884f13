"""Owns the table of providers and endpoints: dialect × path -> what is metered, how, and what is refused.

One place to look up what the gateway knows of a provider; nothing here does anything. The
documentation's provider pages are generated from these tables.
"""

import re
from typing import Literal

import msgspec

Dialect = Literal["openai", "azure", "anthropic", "gemini"]


class Provider(msgspec.Struct, frozen=True):
    """A provider's defaults. `splice` says that its streams carry usage only when asked for it.

    `bare_asks`: and that `stream_options` without `include_usage` asks for it already.
    """

    name: str
    dialect: Dialect
    origin: str
    base_path: str  # stands in front of the path that follows the upstream's name
    credential_env: str  # the environment variable its own SDK reads
    catalog: str  # its id in genai-prices; empty: self-hosted, no list price
    splice: bool = False
    bare_asks: bool = False


_ROWS = (
    # Whether `stream_options.include_usage` must be asked for: provider_facts §2, "Provider behaviour seen".
    Provider("openai", "openai", "https://api.openai.com", "", "OPENAI_API_KEY", "openai", splice=True),
    Provider("azure", "azure", "https://{resource}.openai.azure.com", "", "AZURE_OPENAI_API_KEY", "azure", splice=True),
    Provider("anthropic", "anthropic", "https://api.anthropic.com", "", "ANTHROPIC_API_KEY", "anthropic"),
    Provider("gemini", "gemini", "https://generativelanguage.googleapis.com", "", "GEMINI_API_KEY", "google"),
    Provider("groq", "openai", "https://api.groq.com", "/openai", "GROQ_API_KEY", "groq"),
    Provider("mistral", "openai", "https://api.mistral.ai", "", "MISTRAL_API_KEY", "mistral"),
    Provider("deepseek", "openai", "https://api.deepseek.com", "", "DEEPSEEK_API_KEY", "deepseek"),
    Provider("xai", "openai", "https://api.x.ai", "", "XAI_API_KEY", "x-ai", splice=True),
    Provider("openrouter", "openai", "https://openrouter.ai", "/api", "OPENROUTER_API_KEY", "openrouter"),
    Provider("ollama", "openai", "http://127.0.0.1:11434", "", "OLLAMA_API_KEY", "", splice=True),
    Provider("vllm", "openai", "http://127.0.0.1:8000", "", "VLLM_API_KEY", "", splice=True, bare_asks=True),
    # Any other OpenAI-compatible origin the policy names.
    Provider("openai-compatible", "openai", "", "", "", "", splice=True),
)
PROVIDERS = {row.name: row for row in _ROWS}


class Endpoint(msgspec.Struct, frozen=True):
    """One operation. `reader` names the meter in gateway/metering; empty: the operation costs nothing."""

    name: str
    reader: str = ""
    splice: bool = False  # its stream takes stream_options.include_usage


_CHAT = Endpoint("chat.completions", "openai.chat", splice=True)
_COMPLETIONS = Endpoint("completions", "openai.completions", splice=True)
_RESPONSES = Endpoint("responses", "openai.responses")
_EMBEDDINGS = Endpoint("embeddings", "openai.embeddings")

# Path templates: {name} is one segment. Azure's and the `/v1` ones share the operations.
_OPENAI_PATHS: tuple[tuple[str, str, Endpoint], ...] = (
    ("POST", "/v1/chat/completions", _CHAT),
    ("POST", "/v1/completions", _COMPLETIONS),
    ("POST", "/v1/responses", _RESPONSES),
    ("GET", "/v1/responses/{id}", Endpoint("responses.retrieve")),
    ("DELETE", "/v1/responses/{id}", Endpoint("responses.delete")),
    ("GET", "/v1/responses/{id}/input_items", Endpoint("responses.input_items")),
    ("POST", "/v1/responses/input_tokens", Endpoint("responses.input_tokens")),
    ("POST", "/v1/embeddings", _EMBEDDINGS),
    ("POST", "/v1/moderations", Endpoint("moderations")),
    ("GET", "/v1/models", Endpoint("models.list")),
    ("GET", "/v1/models/{id}", Endpoint("models.retrieve")),
)
_AZURE_PATHS: tuple[tuple[str, str, Endpoint], ...] = (
    ("POST", "/openai/deployments/{model}/chat/completions", _CHAT),
    ("POST", "/openai/deployments/{model}/completions", _COMPLETIONS),
    ("POST", "/openai/deployments/{model}/embeddings", _EMBEDDINGS),
    ("POST", "/openai/responses", _RESPONSES),
    ("GET", "/openai/models", Endpoint("models.list")),
    *((method, "/openai" + path, endpoint) for method, path, endpoint in _OPENAI_PATHS),
)
_ANTHROPIC_PATHS: tuple[tuple[str, str, Endpoint], ...] = (
    ("POST", "/v1/messages", Endpoint("messages", "anthropic.messages")),
    ("POST", "/v1/messages/count_tokens", Endpoint("messages.count_tokens")),
    ("GET", "/v1/models", Endpoint("models.list")),
    ("GET", "/v1/models/{id}", Endpoint("models.retrieve")),
)
_GENERATE = Endpoint("generate_content", "gemini.generate")
_GEMINI_PATHS: tuple[tuple[str, str, Endpoint], ...] = (
    *(
        ("POST", f"/{version}/models/{{model}}:{verb}", endpoint)
        for version in ("v1beta", "v1")
        for verb, endpoint in (
            ("generateContent", _GENERATE),
            ("streamGenerateContent", _GENERATE),
            ("countTokens", Endpoint("count_tokens")),
            ("embedContent", Endpoint("embed_content", "gemini.embeddings")),
            ("batchEmbedContents", Endpoint("embed_content", "gemini.embeddings")),
        )
    ),
    *(("GET", f"/{version}/models", Endpoint("models.list")) for version in ("v1beta", "v1")),
    *(("GET", f"/{version}/models/{{id}}", Endpoint("models.retrieve")) for version in ("v1beta", "v1")),
)

PATHS: dict[Dialect, tuple[tuple[str, str, Endpoint], ...]] = {
    "openai": _OPENAI_PATHS,
    "azure": _AZURE_PATHS,
    "anthropic": _ANTHROPIC_PATHS,
    "gemini": _GEMINI_PATHS,
}


def _pattern(template: str) -> re.Pattern[str]:
    # An encoded ":", "?" or "#" could end the model for a provider that decodes before it routes.
    template = re.escape(template).replace(r"\{model\}", r"(?P<model>(?:[^/:%]|%(?!3[aAfF]|23))+)")
    return re.compile(template.replace(r"\{id\}", r"[^/]+"))


_EXACT = {
    dialect: {(method, path): endpoint for method, path, endpoint in rows if "{" not in path}
    for dialect, rows in PATHS.items()
}
_TEMPLATED = {
    dialect: tuple((method, _pattern(path), endpoint) for method, path, endpoint in rows if "{" in path)
    for dialect, rows in PATHS.items()
}


def find_endpoint(dialect: Dialect, method: str, path: str) -> tuple[Endpoint, str] | None:
    """The endpoint at a path of the provider's own, and the model the path names ("" if none); None: not known."""
    exact = _EXACT[dialect].get((method, path))
    if exact is not None:
        return exact, ""
    for row_method, pattern, endpoint in _TEMPLATED[dialect]:
        found = pattern.fullmatch(path) if row_method == method else None
        if found:
            return endpoint, found.groupdict().get("model", "")
    return None
