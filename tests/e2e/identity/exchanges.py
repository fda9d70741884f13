"""Owns one exchange of every kind as bytes: what a client sends, and what a provider answers.

Bodies are written out, with the oddities that a careless proxy would mend: spaces, escapes, names repeated
in answers, members in unusual places, texts that look like usage.
"""

import re
from typing import NamedTuple

EVENTS = b"text/event-stream; charset=utf-8"
JSON = b"application/json"


class Exchange(NamedTuple):
    """`asked` answers a request for `stream_options.include_usage`; None where the gateway asks for nothing."""

    name: str
    upstream: str
    target: bytes
    request: bytes
    body: bytes
    asked: bytes | None = None
    content_type: bytes = JSON
    status: int = 200


CHAT, COMPLETIONS, RESPONSES = b"/v1/chat/completions", b"/v1/completions", b"/v1/responses"
AZURE = b"/openai/deployments/prod%2Dchat/chat/completions?api-version=2025-04-01-preview&x=%7E"
GEMINI = b"/v1beta/models/gemini-2.5-flash"

_USAGE = b'{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}'
_HEAD = b'"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini-2024-07-18",'

_CHAT_REQUEST = (
    b'{ "model" : "gpt-4o-mini","stream":\ttrue , "messages":[{"role":"user","content":"caf\\u00e9 \xe2\x82\xac"}],'
    b'"seed":12345678901234567890,"temperature":1.0e0,"logit_bias":{},"n":1}\n'
)
_EVENTS = (
    b'{%b"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]%b}',
    b'{%b"choices":[{"index":0,"delta":{"content":"\\"usage\\":null, \\u00e9 \xf0\x9f\x8c\x99"}}]%b,"padding":"aB"}',
    b'{%b"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]%b}',
)


def _chat_stream(*, asked: bool, end: bytes = b"\n\n") -> bytes:
    events = [event % (_HEAD, b',"usage":null' if asked else b"") for event in _EVENTS]
    if asked:
        events.append(b'{%b"choices":[],"usage":%b}' % (_HEAD, _USAGE))
    return b"".join(b"data: " + event + end for event in (*events, b"[DONE]"))


_LOOSE = (
    b": a comment\n\nevent: chunk\nid: 7\n"
    b'data: {"choices": [ {"index": 0, "delta": {"content": "a"}} ],  "x": {"usage": null}}\n\n'
    b"retry: 10\n\ndata:[DONE]\n\n"
)
_LOOSE_ASKED = (
    b": a comment\n\nevent: chunk\nid: 7\n"
    b'data: {"choices": [ {"index": 0, "delta": {"content": "a"}} ],  "x": {"usage": null}, "usage": null}\n\n'
    b'data: {"choices": [ ], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}\n\n'
    b"retry: 10\n\ndata:[DONE]\n\n"
)

_ANTHROPIC_STREAM = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","model":"claude-haiku-4-5",'
    b'"content":[],"usage":{"input_tokens":9,"output_tokens":1}}   }\n\n'
    b'event: ping\ndata: {"type": "ping"}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"text":"a\\n\\nb"}}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    b'"usage":{"output_tokens":2}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
_GEMINI_CHUNK = (
    b'{"candidates": [{"content": {"parts": [{"text": "a"}],"role": "model"}}],"usageMetadata": '
    b'{"promptTokenCount": 5,"candidatesTokenCount": 1,"totalTokenCount": 6},"modelVersion": "gemini-2.5-flash"}'
)
_RESPONSE = (
    b'{"id":"resp_1","object":"response","status":"completed","model":"gpt-5-mini","output":[],"usage":'
    b'{"input_tokens":9,"output_tokens":2,"total_tokens":11}}'
)

EXCHANGES = (
    Exchange(
        "chat",
        "openai",
        CHAT,
        b'{"messages":[],"model":"gpt-4o-mini"}',
        b'{\n  "choices": [],\r\n "usage": %b, "usage": %b}\n\n' % (_USAGE, _USAGE),
    ),
    Exchange("chat stream", "openai", CHAT, _CHAT_REQUEST, _chat_stream(asked=False), _chat_stream(asked=True), EVENTS),
    Exchange(
        "chat stream with CRLF",
        "vllm",
        CHAT,
        _CHAT_REQUEST,
        _chat_stream(asked=False, end=b"\r\n\r\n"),
        _chat_stream(asked=True, end=b"\r\n\r\n"),
        EVENTS,
    ),
    Exchange(
        "chat stream that declines usage",
        "openai",
        CHAT,
        b'{"stream":true,"stream_options":{ "include_obfuscation":false,"include_usage" :false },"model":"gpt-4o"}',
        _chat_stream(asked=False),
        _chat_stream(asked=True),
        EVENTS,
    ),
    Exchange(
        "chat stream that asks for usage",
        "openai",
        CHAT,
        b'{"stream":true,"stream_options":{"include_usage":true},"model":"gpt-4o"}',
        _chat_stream(asked=True),
        _chat_stream(asked=True),
        EVENTS,
    ),
    Exchange("loose stream", "generic", CHAT, _CHAT_REQUEST, _LOOSE, _LOOSE_ASKED, EVENTS),
    Exchange(
        "groq stream",
        "groq",
        CHAT,
        _CHAT_REQUEST,
        b'data: {"choices":[{"delta":{}}],"x_groq":{"id":"r","usage":%b},"usage":%b}\n\ndata: [DONE]\n\n'
        % (_USAGE, _USAGE),
        content_type=b"text/event-stream",
    ),
    Exchange(
        "azure stream",
        "azure",
        AZURE,
        _CHAT_REQUEST,
        b'data: {"choices":[],"prompt_filter_results":[{"prompt_index":0}]}\n\n' + _chat_stream(asked=False),
        b'data: {"choices":[],"prompt_filter_results":[{"prompt_index":0}],"usage":null}\n\n'
        + _chat_stream(asked=True),
        EVENTS,
    ),
    Exchange(
        "completions stream",
        "openai",
        COMPLETIONS,
        b'{"model":"gpt-3.5-turbo-instruct","prompt":"a","stream":true}',
        b'data: {"choices":[{"text":"b","index":0}],"model":"m"}\n\ndata: [DONE]\n\n',
        b'data: {"choices":[{"text":"b","index":0}],"model":"m","usage":null}\n\n'
        b'data: {"choices":[],"model":"m","usage":%b}\n\ndata: [DONE]\n\n' % _USAGE,
        EVENTS,
    ),
    Exchange("responses", "openai", RESPONSES, b'{"model":"gpt-5-mini","input":"a"}', _RESPONSE),
    Exchange(
        "responses stream",
        "openai",
        RESPONSES,
        b'{"model":"gpt-5-mini","input":"a","stream":true}',
        b'event: response.created\ndata: {"type":"response.created","usage":null}\n\n'
        b'event: response.completed\ndata: {"type":"response.completed","response":%b}\n\n' % _RESPONSE,
        content_type=EVENTS,
    ),
    Exchange(
        "embeddings",
        "openai",
        b"/v1/embeddings",
        b'{"model":"text-embedding-3-small","input":["a"]}',
        b'{"data":[{"embedding":[-0.0,1e-7]}],"usage":{"prompt_tokens":1,"total_tokens":1}}',
    ),
    Exchange("moderations", "openai", b"/v1/moderations", b'{"input":"a"}', b'{"results":[]}'),
    Exchange("models", "openai", b"/v1/models?after=a%20b&limit=2&after=c", b"", b'{"data":[]}'),
    Exchange(
        "refusal",
        "openai",
        CHAT,
        _CHAT_REQUEST,
        b'{"error":{"message":"Rate limit","usage":null}}',
        b'{"error":{"message":"Rate limit","usage":null}}',
        status=429,
    ),
    Exchange(
        "messages",
        "anthropic",
        b"/v1/messages?beta=true",
        b'{"model":"claude-haiku-4-5","max_tokens":5,"messages":[]}',
        b'{"model":"claude-haiku-4-5","content":[],"usage":{"input_tokens":9,"output_tokens":2}}',
    ),
    Exchange(
        "messages stream",
        "anthropic",
        b"/v1/messages",
        b'{"model":"claude-haiku-4-5","max_tokens":5,"messages":[],"stream":true}',
        _ANTHROPIC_STREAM,
        content_type=EVENTS,
    ),
    Exchange("generate", "gemini", GEMINI + b":generateContent", b'{"contents":[]}', _GEMINI_CHUNK + b"\n"),
    Exchange(
        "generate stream",
        "gemini",
        GEMINI + b":streamGenerateContent?alt=sse",
        b'{"contents":[]}',
        b"data: %b\r\n\r\ndata: %b\r\n\r\n" % (_GEMINI_CHUNK, _GEMINI_CHUNK),
        content_type=b"text/event-stream",
    ),
    Exchange(
        "generate array",
        "gemini",
        GEMINI + b":streamGenerateContent",
        b'{"contents":[]}',
        b"[%b\n,\r\n%b\n]\n" % (_GEMINI_CHUNK, _GEMINI_CHUNK),
        content_type=b"application/json; charset=UTF-8",
    ),
    Exchange("nothing", "openai", b"/v1/responses/resp_1", b"", b""),
)

_EVENT_END = re.compile(rb"\}(?=(?:\r?\n)+(?:data|event|id|:|$|\r?\n))")
_DONE = re.compile(rb"data: ?\[DONE\]")


def as_if_asked(stream: bytes) -> bytes:
    """A chat stream without any usage, as OpenAI sends it when asked: null on every chunk, and one more chunk."""
    events = _EVENT_END.sub(b',"usage":null}', stream)
    last = b'data: {"id":"c1","choices":[],"usage":%b}\n\n' % _USAGE
    done = _DONE.search(events)
    at = done.start() if done else len(events)
    return events[:at] + last + events[at:]
