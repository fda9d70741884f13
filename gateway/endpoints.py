"""Owns the tables of operations: API × path -> what is metered, how, and in whose words it is refused.

What is in no table is refused and never forwarded as free. Nothing here does anything. Paths are those
of the official SDKs (provider_facts §3); {name} is one segment, {model} and {arn} name the model.
"""

from typing import Literal, NamedTuple

import msgspec

# Whose error shape an answer of ours takes, and whose manners its streams have.
Dialect = Literal["openai", "azure", "anthropic", "gemini", "bedrock", "cohere", "voyage", "ollama"]
# How a request's body is read: JSON that names `model` and `stream`; Gemini's and Bedrock's, whose paths do; a
# multipart form; or not at all.
Body = Literal["json", "gemini", "bedrock", "form", "unread"]

# The method, in the tables, of a GET that asks to become a WebSocket.
WEBSOCKET = "WEBSOCKET"


class Endpoint(msgspec.Struct, frozen=True):
    """One operation. `reader` names the meter in gateway/metering; empty: the operation costs nothing."""

    name: str
    reader: str = ""
    splice: bool = False  # its stream takes stream_options.include_usage
    body: Body = "json"
    streams: bool | None = None  # True: always; None: the body's `stream` says
    streams_unasked: bool = False  # a body without `stream` asks for one
    retrieves: bool = False  # tells of work that an earlier call began; charged once for each id of such work
    work_in_path: bool = False  # whose id is the last but one segment of the path, and in no answer
    begins: str = ""  # why what it begins, for models that are not read, has no bound; empty: it begins nothing
    lists: bool = False  # tells of everything that was made with the same credential
    shape: Dialect | None = None  # its errors, where they are not the provider's usual ones
    flag: str = ""  # on the record of what costs something that no answer states


class Row(NamedTuple):
    method: str
    path: str
    endpoint: Endpoint


def _free(name: str, *requests: str, begins: str = "", lists: bool = False, flag: str = "") -> tuple[Row, ...]:
    """Rows of operations that cost nothing: "GET /v1/models", named after what is common to them."""
    endpoint = Endpoint(name, body="unread", begins=begins, lists=lists, flag=flag)
    return tuple(Row(method, path, endpoint) for method, path in (request.split(" ") for request in requests))


def _under(prefix: str, rows: tuple[Row, ...], replacing: str = "") -> tuple[Row, ...]:
    return tuple(row._replace(path=prefix + row.path.removeprefix(replacing)) for row in rows)


_CHAT = Endpoint("chat.completions", "openai.chat", splice=True)
_COMPLETIONS = Endpoint("completions", "openai.completions", splice=True)
_RESPONSES = Endpoint("responses", "openai.responses")
_RESPONSES_SOCKET = Endpoint("responses.socket", "openai.responses_socket", streams=True)
_EMBEDDINGS = Endpoint("embeddings", "openai.embeddings")
_IMAGES = Endpoint("images", "openai.images")
_IMAGES_FORM = Endpoint("images", "openai.images", body="form")
_SPEECH = Endpoint("audio.speech", "openai.speech")
_TRANSCRIPTIONS = Endpoint("audio.transcriptions", "openai.transcription", body="form")
_TRANSLATIONS = Endpoint("audio.translations", "openai.transcription", body="form")
_RERANK = Endpoint("rerank", "rerank")
_REALTIME = Endpoint("realtime", "openai.realtime", streams=True)
_RETRIEVE = Endpoint("responses.retrieve", "openai.responses", body="unread", retrieves=True)
_BATCH = Endpoint("batches.retrieve", "openai.batch", body="unread", retrieves=True)
_TUNING = Endpoint("fine_tuning.retrieve", "openai.fine_tuning", body="unread", retrieves=True)
_BATCHED = "a batch is billed after its call has ended: send its requests one by one"
_TRAINED = "training is billed after its call has ended, and has no bound"
# Billed by the gigabyte and day, which no answer tells.
_STORAGE = "storage_billed_apart"

_MODELS = (*_free("models.list", "GET /v1/models"), *_free("models.retrieve", "GET /v1/models/{id}"))
_IMAGES_ROWS = (
    Row("POST", "/v1/images/generations", _IMAGES),
    Row("POST", "/v1/images/edits", _IMAGES_FORM),
    Row("POST", "/v1/images/variations", _IMAGES_FORM),
)
_AUDIO_ROWS = (
    Row("POST", "/v1/audio/speech", _SPEECH),
    Row("POST", "/v1/audio/transcriptions", _TRANSCRIPTIONS),
    Row("POST", "/v1/audio/translations", _TRANSLATIONS),
)
_FILES = (
    *_free("files.list", "GET /v1/files", lists=True),
    *_free("files", "POST /v1/files", "GET /v1/files/{id}", "DELETE /v1/files/{id}", "GET /v1/files/{id}/content"),
)
_UPLOADS = _free(
    "uploads", "POST /v1/uploads", "POST /v1/uploads/{id}/parts", "POST /v1/uploads/{id}/complete",
    "POST /v1/uploads/{id}/cancel",
)  # fmt: skip
_BATCHES = (
    *_free("batches.list", "GET /v1/batches", lists=True),
    # What a batch costs is told by its retrieval, once it has ended.
    *_free("batches", "POST /v1/batches", begins=_BATCHED),
    *_free("batches", "POST /v1/batches/{id}/cancel"),
    Row("GET", "/v1/batches/{id}", _BATCH),
)
_VECTOR_STORES = (
    *_free("vector_stores.list", "GET /v1/vector_stores", lists=True),
    *_free(
        "vector_stores", "POST /v1/vector_stores", "GET /v1/vector_stores/{id}", "POST /v1/vector_stores/{id}",
        "DELETE /v1/vector_stores/{id}", "POST /v1/vector_stores/{id}/search", "GET /v1/vector_stores/{id}/files",
        "POST /v1/vector_stores/{id}/files", "GET /v1/vector_stores/{id}/files/{file}",
        "POST /v1/vector_stores/{id}/files/{file}", "DELETE /v1/vector_stores/{id}/files/{file}",
        "GET /v1/vector_stores/{id}/files/{file}/content", "POST /v1/vector_stores/{id}/file_batches",
        "GET /v1/vector_stores/{id}/file_batches/{batch}", "POST /v1/vector_stores/{id}/file_batches/{batch}/cancel",
        "GET /v1/vector_stores/{id}/file_batches/{batch}/files", flag=_STORAGE,
    ),
)  # fmt: skip
_FINE_TUNING = (
    *_free("fine_tuning.list", "GET /v1/fine_tuning/jobs", lists=True),
    *_free("fine_tuning", "POST /v1/fine_tuning/jobs", begins=_TRAINED),
    *_free(
        "fine_tuning", "POST /v1/fine_tuning/jobs/{id}/cancel",
        "POST /v1/fine_tuning/jobs/{id}/pause", "POST /v1/fine_tuning/jobs/{id}/resume",
        "GET /v1/fine_tuning/jobs/{id}/events", "GET /v1/fine_tuning/jobs/{id}/checkpoints",
    ),
    Row("GET", "/v1/fine_tuning/jobs/{id}", _TUNING),
)  # fmt: skip
_CONVERSATIONS = _free(
    "conversations", "POST /v1/conversations", "GET /v1/conversations/{id}", "POST /v1/conversations/{id}",
    "DELETE /v1/conversations/{id}", "GET /v1/conversations/{id}/items", "POST /v1/conversations/{id}/items",
    "GET /v1/conversations/{id}/items/{item}", "DELETE /v1/conversations/{id}/items/{item}",
)  # fmt: skip
_RESPONSES_ROWS = (
    Row("POST", "/v1/responses", _RESPONSES),
    *_free("responses.input_tokens", "POST /v1/responses/input_tokens"),
    Row("POST", "/v1/responses/compact", Endpoint("responses.compact", "openai.responses")),
    Row("GET", "/v1/responses/{id}", _RETRIEVE),
    Row("POST", "/v1/responses/{id}/cancel", _RETRIEVE),
    *_free("responses.delete", "DELETE /v1/responses/{id}"),
    *_free("responses.input_items", "GET /v1/responses/{id}/input_items"),
)
_STORED_CHATS = (
    *_free("chat.completions.list", "GET /v1/chat/completions", lists=True),
    *_free(
        "chat.completions.stored", "GET /v1/chat/completions/{id}", "POST /v1/chat/completions/{id}",
        "DELETE /v1/chat/completions/{id}", "GET /v1/chat/completions/{id}/messages",
    ),
)  # fmt: skip
_COMPATIBLE = (
    Row("POST", "/v1/chat/completions", _CHAT),
    Row("POST", "/v1/completions", _COMPLETIONS),
    Row("POST", "/v1/embeddings", _EMBEDDINGS),
    *_RESPONSES_ROWS,
    *_free("moderations", "POST /v1/moderations"),
    *_MODELS,
)
_OPENAI = (
    *_COMPATIBLE,
    Row(WEBSOCKET, "/v1/responses", _RESPONSES_SOCKET),
    Row(WEBSOCKET, "/v1/realtime", _REALTIME),
    *_free("models.delete", "DELETE /v1/models/{id}"),
    *_IMAGES_ROWS, *_AUDIO_ROWS, *_FILES, *_UPLOADS, *_BATCHES, *_VECTOR_STORES, *_FINE_TUNING, *_CONVERSATIONS,
    *_STORED_CHATS,
)  # fmt: skip

# Operations with the deployment in the path, and the others below /openai: learn.microsoft.com/azure/ai-foundry/openai.
_AZURE = (
    Row("POST", "/openai/deployments/{model}/chat/completions", _CHAT),
    Row("POST", "/openai/deployments/{model}/completions", _COMPLETIONS),
    Row("POST", "/openai/deployments/{model}/embeddings", _EMBEDDINGS),
    Row("POST", "/openai/deployments/{model}/images/generations", _IMAGES),
    Row("POST", "/openai/deployments/{model}/images/edits", _IMAGES_FORM),
    Row("POST", "/openai/deployments/{model}/audio/speech", _SPEECH),
    Row("POST", "/openai/deployments/{model}/audio/transcriptions", _TRANSCRIPTIONS),
    Row("POST", "/openai/deployments/{model}/audio/translations", _TRANSLATIONS),
    Row(WEBSOCKET, "/openai/realtime", _REALTIME),
    *_under(
        "/openai",
        (*_RESPONSES_ROWS, *_FILES, *_UPLOADS, *_BATCHES, *_VECTOR_STORES, *_FINE_TUNING, *_CONVERSATIONS, *_MODELS),
        replacing="/v1",
    ),
)

_MESSAGES = Endpoint("messages", "anthropic.messages", shape="anthropic")
_MESSAGES_BATCH = Endpoint(
    "messages.batches.results", "anthropic.batch", body="unread", retrieves=True, work_in_path=True
)
_ANTHROPIC = (
    Row("POST", "/v1/messages", _MESSAGES),
    *_free("messages.count_tokens", "POST /v1/messages/count_tokens"),
    *_free("messages.batches.list", "GET /v1/messages/batches", lists=True),
    # What a batch costs is told by its results.
    *_free("messages.batches", "POST /v1/messages/batches", begins=_BATCHED),
    *_free(
        "messages.batches", "GET /v1/messages/batches/{id}",
        "POST /v1/messages/batches/{id}/cancel", "DELETE /v1/messages/batches/{id}",
    ),
    Row("GET", "/v1/messages/batches/{id}/results", _MESSAGES_BATCH),
    *_FILES,
    *_MODELS,
)  # fmt: skip

_GENERATE = Endpoint("generate_content", "gemini.generate", body="gemini", streams=False)
_STREAM_GENERATE = Endpoint("generate_content", "gemini.generate", body="gemini", streams=True)
_EMBED = Endpoint("embed_content", "gemini.embeddings", body="gemini", streams=False)
_INTERACTION = Endpoint("interactions.retrieve", "gemini.interactions", body="unread", retrieves=True)
_LIVE = Endpoint("live", "gemini.live", streams=True)


def _gemini(version: str) -> tuple[Row, ...]:
    model = f"/{version}/models/{{model}}"
    return (
        Row("POST", f"{model}:generateContent", _GENERATE),
        Row("POST", f"{model}:streamGenerateContent", _STREAM_GENERATE),
        Row("POST", f"{model}:embedContent", _EMBED),
        Row("POST", f"{model}:batchEmbedContents", _EMBED),
        *_free("count_tokens", f"POST {model}:countTokens"),
        *_free("models.list", f"GET /{version}/models"),
        *_free("models.retrieve", f"GET /{version}/models/{{id}}"),
        *_free("files.list", f"GET /{version}/files", lists=True),
        *_free(
            "files", f"POST /upload/{version}/files", f"GET /{version}/files/{{id}}", f"DELETE /{version}/files/{{id}}"
        ),
        Row("POST", f"/{version}/interactions", Endpoint("interactions", "gemini.interactions")),
        Row("GET", f"/{version}/interactions/{{id}}", _INTERACTION),
        Row("POST", f"/{version}/interactions/{{id}}/cancel", _INTERACTION),
        *_free("interactions.delete", f"DELETE /{version}/interactions/{{id}}"),
        Row(
            WEBSOCKET,
            f"/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent",
            _LIVE,
        ),
    )


_VERTEX_MODEL = "/projects/{project}/locations/{location}/publishers/{publisher}/models/{model}"
# docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude: Anthropic's bodies without a model.
_RAW = Endpoint("messages", "anthropic.messages", shape="anthropic", streams=False)
_RAW_STREAM = Endpoint("messages", "anthropic.messages", shape="anthropic", streams=True)


def _vertex(version: str) -> tuple[Row, ...]:
    model = f"/{version}{_VERTEX_MODEL}"
    claude = model.replace("{publisher}", "anthropic")
    return (
        # Named like a model, and the first that fits counts.
        *_free("messages.count_tokens", f"POST {claude.replace('{model}', 'count-tokens')}:rawPredict"),
        Row("POST", f"{claude}:rawPredict", _RAW),
        Row("POST", f"{claude}:streamRawPredict", _RAW_STREAM),
        Row("POST", f"{model}:generateContent", _GENERATE),
        Row("POST", f"{model}:streamGenerateContent", _STREAM_GENERATE),
        Row("POST", f"{model}:embedContent", _EMBED),
        Row("POST", f"{model}:batchEmbedContents", _EMBED),
        Row("POST", f"{model}:predict", Endpoint("predict", "vertex.predict", body="gemini", streams=False)),
        *_free("count_tokens", f"POST {model}:countTokens", f"POST {model}:computeTokens"),
        *_free("models.list", f"GET /{version}/publishers/{{publisher}}/models"),
        *_free("models.retrieve", f"GET {model}"),
        Row(
            "POST", f"/{version}/projects/{{project}}/locations/{{location}}/endpoints/openapi/chat/completions", _CHAT
        ),
        Row(WEBSOCKET, f"/ws/google.cloud.aiplatform.{version}.LlmBidiService/BidiGenerateContent", _LIVE),
    )


_BEDROCK = (
    Row("POST", "/model/{arn}/converse", Endpoint("converse", "bedrock.converse", body="bedrock", streams=False)),
    Row("POST", "/model/{arn}/converse-stream", Endpoint("converse", "bedrock.converse", body="bedrock", streams=True)),
    Row("POST", "/model/{arn}/invoke", Endpoint("invoke", "bedrock.invoke", body="bedrock", streams=False)),
    Row(
        "POST",
        "/model/{arn}/invoke-with-response-stream",
        Endpoint("invoke", "bedrock.invoke", body="bedrock", streams=True),
    ),
    *_free("count_tokens", "POST /model/{arn}/count-tokens"),
)

_COHERE_CHAT = Endpoint("chat", "cohere.chat")
_COHERE_EMBED = Endpoint("embed", "cohere.embed")
_COHERE_RERANK = Endpoint("rerank", "cohere.rerank")
_COHERE = (
    *(Row("POST", f"/{version}/chat", _COHERE_CHAT) for version in ("v2", "v1")),
    *(Row("POST", f"/{version}/embed", _COHERE_EMBED) for version in ("v2", "v1")),
    *(Row("POST", f"/{version}/rerank", _COHERE_RERANK) for version in ("v2", "v1")),
    Row("POST", "/v1/generate", Endpoint("generate", "cohere.chat")),
    *_free("tokenize", "POST /v1/tokenize", "POST /v1/detokenize"),
    *_MODELS,
    Row("POST", "/compatibility/v1/chat/completions", msgspec.structs.replace(_CHAT, shape="openai")),
    Row("POST", "/compatibility/v1/embeddings", msgspec.structs.replace(_EMBEDDINGS, shape="openai")),
)

_OLLAMA = (
    *(
        Row("POST", path, Endpoint(name, reader, streams_unasked=reader == "ollama.chat", shape="ollama"))
        for path, name, reader in (
            ("/api/chat", "chat", "ollama.chat"),
            ("/api/generate", "generate", "ollama.chat"),
            ("/api/embed", "embed", "ollama.embed"),
            ("/api/embeddings", "embed", "ollama.embed"),
        )
    ),
    *_free("models.list", "GET /api/tags", "GET /api/ps", "GET /api/version"),
    *_free("models.retrieve", "POST /api/show"),
)

_VOYAGE = (
    Row("POST", "/v1/embeddings", _EMBEDDINGS),
    Row("POST", "/v1/multimodalembeddings", _EMBEDDINGS),
    Row("POST", "/v1/contextualizedembeddings", _EMBEDDINGS),
    Row("POST", "/v1/rerank", _RERANK),
)

_MISTRAL = (
    Row("POST", "/v1/fim/completions", Endpoint("fim", "openai.chat")),
    Row("POST", "/v1/agents/completions", Endpoint("agents", "openai.chat")),
    Row("POST", "/v1/ocr", Endpoint("ocr", "mistral.ocr")),
    Row("POST", "/v1/audio/transcriptions", _TRANSCRIPTIONS),
    *_free("moderations", "POST /v1/chat/moderations"),
    *_FILES,
    *_free("files.url", "GET /v1/files/{id}/url"),
)

APIS: dict[str, tuple[Row, ...]] = {
    "openai": _OPENAI,
    "azure": _AZURE,
    "azure.v1": _under("/openai", _OPENAI),
    "anthropic": _ANTHROPIC,
    # Where other providers keep Anthropic's API.
    "anthropic.below": _under("/anthropic", _ANTHROPIC[:2]),
    "gemini": (*_gemini("v1beta"), *_gemini("v1"), *_gemini("v1alpha")),
    "gemini.openai": _under("/v1beta/openai", (_COMPATIBLE[0], _COMPATIBLE[2], *_MODELS), replacing="/v1"),
    "vertex": (*_vertex("v1"), *_vertex("v1beta1")),
    "bedrock": _BEDROCK,
    "compatible": _COMPATIBLE,
    # The same without a version in front.
    "bare": _under("", (*_COMPATIBLE[:3], *_MODELS), replacing="/v1"),
    "images": _IMAGES_ROWS[:1],
    "audio": _AUDIO_ROWS,
    "rerank": (Row("POST", "/v1/rerank", _RERANK),),
    "realtime": (Row(WEBSOCKET, "/v1/realtime", _REALTIME),),
    "stored": (*_FILES, *_BATCHES),
    "openrouter": _free("account", "GET /v1/generation", "GET /v1/credits", "GET /v1/key"),
    "cohere": _COHERE,
    "voyage": _VOYAGE,
    "mistral": _MISTRAL,
    "ollama": _OLLAMA,
}
ENDPOINT_NAMES = frozenset(row.endpoint.name for rows in APIS.values() for row in rows)
METHODS = tuple(sorted({row.method for rows in APIS.values() for row in rows} - {WEBSOCKET}))
