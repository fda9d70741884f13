"""Owns the table of providers: where each is, how it refuses, which APIs it serves, and how they are looked up.

One place to look up what the gateway knows of a provider; nothing here does anything. The operations of
each API stand in gateway/endpoints.py; the documentation's page of both is generated from these tables.
"""

import re

import msgspec

from gateway.endpoints import APIS, Dialect, Endpoint, Row

__all__ = ["PROVIDERS", "Provider", "find_endpoint", "rows_of"]


class Provider(msgspec.Struct, frozen=True):
    """A provider's defaults. `splice` says that its streams carry usage only when asked for it.

    `bare_asks`: and that `stream_options` without `include_usage` asks for it already. `signs`: requests are
    signed with the credential (AWS Signature Version 4) instead of carrying it.
    """

    name: str
    dialect: Dialect
    apis: tuple[str, ...]  # of gateway/endpoints.py; where two have a path, the first counts
    origin: str  # may hold {resource} (Azure) or {region} (AWS)
    base_path: str  # stands in front of the path that follows the upstream's name
    credential_env: str  # the environment variable its own SDK reads
    catalog: str  # its id in genai-prices; empty: self-hosted, no list price
    splice: bool = False
    bare_asks: bool = False
    signs: bool = False


_ROWS = (
    # Whether `stream_options.include_usage` must be asked for: provider_facts §2, "Provider behaviour seen".
    Provider("openai", "openai", ("openai",), "https://api.openai.com", "", "OPENAI_API_KEY", "openai", splice=True),
    Provider(
        "azure", "azure", ("azure", "azure.v1"), "https://{resource}.openai.azure.com", "", "AZURE_OPENAI_API_KEY",
        "azure", splice=True,
    ),
    Provider(
        "anthropic", "anthropic", ("anthropic",), "https://api.anthropic.com",
        "", "ANTHROPIC_API_KEY", "anthropic",
    ),
    Provider(
        "gemini", "gemini", ("gemini", "gemini.openai"), "https://generativelanguage.googleapis.com", "",
        "GEMINI_API_KEY", "google", splice=True,
    ),
    Provider(
        "vertex", "gemini", ("vertex",), "https://aiplatform.googleapis.com",
        "", "VERTEX_ACCESS_TOKEN", "google",
    ),
    Provider(
        "bedrock", "bedrock", ("bedrock",), "https://bedrock-runtime.{region}.amazonaws.com", "",
        "AWS_BEARER_TOKEN_BEDROCK", "aws", signs=True,
    ),
    Provider(
        "bedrock-mantle", "openai", ("compatible", "anthropic.below"), "https://bedrock-mantle.{region}.api.aws", "",
        "AWS_BEARER_TOKEN_BEDROCK", "aws", splice=True,
    ),
    Provider(
        "groq", "openai", ("compatible", "audio", "stored"), "https://api.groq.com", "/openai", "GROQ_API_KEY", "groq",
    ),
    Provider(
        "mistral", "openai", ("mistral", "compatible"), "https://api.mistral.ai",
        "", "MISTRAL_API_KEY", "mistral",
    ),
    Provider(
        "deepseek", "openai", ("compatible", "bare", "anthropic.below"), "https://api.deepseek.com", "",
        "DEEPSEEK_API_KEY", "deepseek",
    ),
    Provider(
        "xai", "openai", ("compatible", "anthropic", "images", "realtime"), "https://api.x.ai", "", "XAI_API_KEY",
        "x-ai", splice=True,
    ),
    Provider(
        "openrouter", "openai", ("openrouter", "compatible", "anthropic"), "https://openrouter.ai", "/api",
        "OPENROUTER_API_KEY", "openrouter",
    ),
    Provider(
        "together", "openai", ("compatible", "rerank", "images", "audio"), "https://api.together.xyz", "",
        "TOGETHER_API_KEY", "together",
    ),
    Provider("cohere", "cohere", ("cohere",), "https://api.cohere.com", "", "CO_API_KEY", "cohere", splice=True),
    Provider(
        "perplexity", "openai", ("bare", "compatible"), "https://api.perplexity.ai",
        "", "PERPLEXITY_API_KEY", "perplexity",
    ),
    Provider("cerebras", "openai", ("compatible",), "https://api.cerebras.ai", "", "CEREBRAS_API_KEY", "cerebras"),
    Provider(
        "moonshot", "openai", ("compatible", "anthropic.below"), "https://api.moonshot.ai",
        "", "MOONSHOT_API_KEY", "moonshotai",
    ),
    Provider("zai", "openai", ("bare",), "https://api.z.ai", "/api/paas/v4", "ZAI_API_KEY", "zai"),
    Provider("voyage", "voyage", ("voyage",), "https://api.voyageai.com", "", "VOYAGE_API_KEY", "voyageai"),
    Provider(
        "ollama", "openai", ("ollama", "compatible"), "http://127.0.0.1:11434",
        "", "OLLAMA_API_KEY", "", splice=True,
    ),
    Provider(
        "vllm", "openai", ("compatible", "audio", "rerank", "anthropic"), "http://127.0.0.1:8000", "", "VLLM_API_KEY",
        "", splice=True, bare_asks=True,
    ),
    Provider(
        "llamacpp", "openai", ("compatible", "rerank", "anthropic"), "http://127.0.0.1:8080", "", "LLAMACPP_API_KEY",
        "", splice=True,
    ),
    # Any other OpenAI-compatible origin the policy names.
    Provider("openai-compatible", "openai", ("compatible", "rerank", "audio", "images"), "", "", "", "", splice=True),
)  # fmt: skip
PROVIDERS = {row.name: row for row in _ROWS}


def rows_of(provider: Provider) -> tuple[Row, ...]:
    """Every operation of a provider, once."""
    rows = {(row.method, row.path): row for api in reversed(provider.apis) for row in reversed(APIS[api])}
    return tuple(reversed(rows.values()))


def _pattern(template: str) -> re.Pattern[str]:
    # An encoded ":", "?" or "#" could end the model for a provider that decodes before it routes.
    template = re.escape(template).replace(r"\{model\}", r"(?P<model>(?:[^/:%]|%(?!3[aAfF]|23))+)")
    # Bedrock's models are identifiers or ARNs, and its SDKs encode their colons and slashes.
    template = template.replace(r"\{arn\}", r"(?P<model>(?:[^/%]|%(?:3A|2F))+)")
    return re.compile(re.sub(r"\\{[a-z_]+\\}", "[^/]+", template))


class _Operations:
    """A provider's operations, made ready for looking up."""

    def __init__(self, provider: Provider) -> None:
        rows = rows_of(provider)
        self._exact = {(row.method, row.path): row.endpoint for row in rows if "{" not in row.path}
        self._templated = tuple((row.method, _pattern(row.path), row.endpoint) for row in rows if "{" in row.path)

    def find(self, method: str, path: str) -> tuple[Endpoint, str] | None:
        exact = self._exact.get((method, path))
        if exact is not None:
            return exact, ""
        for row_method, pattern, endpoint in self._templated:
            found = pattern.fullmatch(path) if row_method == method else None
            if found:
                return endpoint, found.groupdict().get("model") or ""
        return None


_OPERATIONS = {row.name: _Operations(row) for row in _ROWS}


def find_endpoint(provider: Provider, method: str, path: str) -> tuple[Endpoint, str] | None:
    """The endpoint at a path of the provider's own, and the model the path names ("" if none); None: not known.

    `method` is that of HTTP, or `WEBSOCKET` for a GET that asks to become one.
    """
    return _OPERATIONS[provider.name].find(method, path)
