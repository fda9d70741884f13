"""Owns the reading of Bedrock's InvokeModel: a model's own answer, and Bedrock's count beside it.

Bedrock counts in headers, or in the last chunk of a stream (`amazon-bedrock-invocationMetrics`), and bills that
count (provider_facts section 1). The model's own usage can say more (times to live, thinking), so it is kept where
it agrees. The model is the path's, as in Converse: answers name it in their maker's words, not in Bedrock's.
"""

import re
from collections.abc import Callable
from math import ceil

import msgspec

from gateway.metering import anthropic, bedrock_converse, openai_chat
from gateway.metering.counts import (
    COUNT_MAX,
    INCONSISTENT,
    PROVIDER_ERROR,
    Count,
    WholeNumber,
    is_stated,
)
from gateway.metering.fold import UNREADABLE, LastWins
from gateway.metering.reading import About, Line, Reading
from gateway.wire import jsontext
from gateway.wire.headers import BEDROCK_LATENCY, BEDROCK_TIER
from pricing.usage import Usage

GUARDRAIL_INTERVENED = "guardrail_intervened"

_HEADER = b"x-amzn-bedrock-%b-token-count"
_INTERVENED = "INTERVENED"
# A chunk without any of these has no number of ours: only its text was decoded.
_WORTH_READING = re.compile(rb'"usage|oken_?[cC]ount|"amazon-bedrock-|"error"')
_ANTHROPIC_EVENTS = ("message", "message_start", "message_delta", "error")
# aws.amazon.com/bedrock/pricing: a query ranks up to 100 documents; more are more queries.
_DOCUMENTS_PER_SEARCH = 100


class _Metrics(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Bedrock's count of a call. Input excludes both caches."""

    input_token_count: Count | None = None
    output_token_count: Count | None = None
    cache_read_input_token_count: Count | None = None
    cache_write_input_token_count: Count | None = None


class _Chunk(msgspec.Struct, frozen=True, gc=False):
    payload: bytes = msgspec.field(default=b"", name="bytes")  # base64


class _Wrapped(msgspec.Struct, frozen=True, gc=False):
    usage: msgspec.Raw = msgspec.Raw()


class _Result(msgspec.Struct, frozen=True, gc=False):
    """One of Titan's results, or one of a reranker's."""

    token_count: WholeNumber | None = msgspec.field(default=None, name="tokenCount")
    relevance_score: float | None = None


class _Native(msgspec.Struct, frozen=True, gc=False):
    """What models of any maker say of themselves."""

    type: object = None
    message: object = None
    usage: msgspec.Raw = msgspec.Raw()
    metadata: msgspec.Raw = msgspec.Raw()  # Nova's, in a stream
    results: msgspec.Raw = msgspec.Raw()
    # Llama.
    prompt_token_count: Count | None = None
    generation_token_count: Count | None = None
    # Titan.
    input_text_tokens: WholeNumber | None = msgspec.field(default=None, name="inputTextTokenCount")
    output_text_tokens: WholeNumber | None = msgspec.field(default=None, name="totalOutputTextTokenCount")
    # Bedrock's own, whatever the model.
    guardrail: object = msgspec.field(default=None, name="amazon-bedrock-guardrailAction")
    metrics: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="amazon-bedrock-invocationMetrics")


class _Rerank(msgspec.Struct, frozen=True, gc=False):
    documents: list[msgspec.Raw]


_natives = msgspec.json.Decoder(_Native)
_chunks = msgspec.json.Decoder(_Chunk)
_metrics = msgspec.json.Decoder(_Metrics)
_wrapped = msgspec.json.Decoder(_Wrapped)
_results = msgspec.json.Decoder(list[_Result])
_reranks = msgspec.json.Decoder(_Rerank)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])

# Whose words a `usage` is in, by a member that only theirs has.
_DIALECTS: tuple[tuple[str, Callable[[bytes, str], Reading]], ...] = (
    ("input_tokens", anthropic.read),
    ("inputTokens", bedrock_converse.read),
    ("prompt_tokens", openai_chat.read),
)


def read(payload: bytes, about: About) -> Reading:
    """One whole answer. Raises NotJson or msgspec.ValidationError for what is none."""
    answer = jsontext.decode(_natives, payload)
    native = _native(answer, payload, about.provider)
    counted, is_sane = _counted(about)
    flags = () if is_sane else (INCONSISTENT,)
    if counted is None and answer.guardrail == _INTERVENED:
        native = _blocked(native)
    elif counted is None and not native.lines:
        native = _searched(native, answer, about)
    return _told(_settled(native, counted), about, flags)


class InvokeFold:
    """One stream of chunks."""

    def __init__(self, about: About) -> None:
        self._about = about
        self._message = anthropic.fold(about.provider)
        self._other = LastWins(lambda text: _native(jsontext.decode(_natives, text), text, about.provider))
        self._counted: _Metrics | None = None
        self._intervened = False
        self._flags: tuple[str, ...] = ()

    def take(self, payload: bytes) -> None:
        try:
            text = _chunks.decode(payload).payload
            if _WORTH_READING.search(text):
                self._take(text)
        except (ValueError, RecursionError):  # msgspec's errors and NotJson are values' errors
            self._flag(UNREADABLE)

    @property
    def is_named(self) -> bool:
        return False

    def reading(self, complete: bool) -> Reading:
        native = self._message.reading(complete)
        if not native.lines:
            # Never a running total as a final one: that is for Bedrock's count to say.
            native = _with_flags(self._other.reading(complete=False), native.flags)
        if complete and self._counted is None and self._intervened:
            native = _blocked(native)
        return _told(_settled(native, self._counted), self._about, self._flags)

    def _take(self, text: bytes) -> None:
        answer = jsontext.decode(_natives, text)
        self._intervened |= answer.guardrail == _INTERVENED
        if is_stated(answer.metrics):
            self._count(answer.metrics)
        if answer.type in _ANTHROPIC_EVENTS:
            self._message.take(text)
        else:
            self._other.take(text)

    def _count(self, stated: msgspec.Raw) -> None:
        try:
            self._counted = _metrics.decode(stated)
        except msgspec.ValidationError:
            self._flag(INCONSISTENT)

    def _flag(self, flag: str) -> None:
        if flag not in self._flags:
            self._flags += (flag,)


def _native(answer: _Native, payload: bytes, provider: str) -> Reading:
    """What the model says of itself, in whosever words."""
    flags = (PROVIDER_ERROR,) if isinstance(answer.message, str) else ()
    usage = _stated(answer)
    named = jsontext.decode(_members, bytes(usage)) if _is_object(usage) else {}
    for member, reader in _DIALECTS:
        if member in named:
            return reader(payload if is_stated(answer.usage) else bytes(answer.metadata), provider)
    tokens_in, tokens_out, final = _own_words(answer)
    if tokens_in is None:
        return Reading(flags=flags)
    line = Line(Usage(input_text=int(tokens_in), output_text=int(tokens_out or 0)))
    return Reading(lines=(line,), provenance="reported" if final else "partial", flags=flags)


def _stated(answer: _Native) -> msgspec.Raw:
    if is_stated(answer.usage) or not _is_object(answer.metadata):
        return answer.usage
    return jsontext.decode_member(_wrapped, answer.metadata).usage


def _is_object(member: msgspec.Raw) -> bool:
    return bytes(member).startswith(b"{")


def _own_words(answer: _Native) -> tuple[float | None, float | None, bool]:
    """Input and output of Titan and Llama, and whether both are final; an embedding has no output."""
    if answer.prompt_token_count is not None:
        return answer.prompt_token_count, answer.generation_token_count, answer.generation_token_count is not None
    output = answer.output_text_tokens
    results = _ranked(answer)
    if output is None and results:
        output = sum(result.token_count or 0 for result in results)
    return answer.input_text_tokens, output, output is not None


def _ranked(answer: _Native) -> list[_Result]:
    """The results, where they are Titan's or a reranker's."""
    try:
        return _results.decode(answer.results) if is_stated(answer.results) else []
    except msgspec.ValidationError:
        return []


def _searched(native: Reading, answer: _Native, about: About) -> Reading:
    """A reranker's answer states nothing: its queries follow from the documents of the request."""
    results = _ranked(answer)
    if not results or results[0].relevance_score is None:
        return native
    try:
        documents = len(_reranks.decode(about.request).documents)
    except (ValueError, RecursionError):
        return native
    searches = max(1, ceil(documents / _DOCUMENTS_PER_SEARCH))
    line = Line(Usage(rerank_searches=searches))
    return msgspec.structs.replace(native, lines=(line,), provenance="estimated")


def _blocked(native: Reading) -> Reading:
    """A guardrail refused the prompt: the model never ran, Bedrock counted nothing, and only the guardrail is billed
    (docs.aws.amazon.com/bedrock/latest/userguide/guardrails-how.html)."""
    return _with_flags(
        msgspec.structs.replace(native, lines=(Line(Usage()),), provenance="reported"), (GUARDRAIL_INTERVENED,)
    )


def _counted(about: About) -> tuple[_Metrics | None, bool]:
    """Bedrock's count in the headers, if it is there, and whether what is there makes sense."""
    names = (b"input", b"output", b"cache-read-input", b"cache-write-input")
    stated = [about.headers.get(_HEADER % name) for name in names]
    if not any(stated):
        return None, True
    if not all(value is None or (value.isdigit() and len(value) < len(str(COUNT_MAX))) for value in stated):
        return None, False
    return _Metrics(*(None if value is None else int(value) for value in stated)), True


def _settled(native: Reading, counted: _Metrics | None) -> Reading:
    """The model's own reading where Bedrock's count agrees with it or there is none; otherwise that count."""
    if counted is None or (counted.input_token_count is None and counted.output_token_count is None):
        return native
    if native.provenance == "reported" and _agrees(native.lines, counted):
        return native
    usage = Usage(
        input_text=counted.input_token_count or 0,
        cache_read_text=counted.cache_read_input_token_count or 0,
        cache_write=counted.cache_write_input_token_count or 0,
        output_text=counted.output_token_count or 0,
    )
    flags = (INCONSISTENT,) if native.provenance == "reported" else ()  # partial numbers contradict nothing
    return _with_flags(msgspec.structs.replace(native, lines=(Line(usage),), provenance="reported"), flags)


def _agrees(lines: tuple[Line, ...], counted: _Metrics) -> bool:
    if len(lines) != 1:
        return True  # Anthropic's iterations hold more than Bedrock's four numbers do
    usage = lines[0].usage
    read = usage.cache_read_text
    written = usage.cache_write + usage.cache_write_5m + usage.cache_write_1h
    pairs = (
        (counted.input_token_count, usage.tokens_in - read - written),
        (counted.output_token_count, usage.tokens_out),
        (counted.cache_read_input_token_count, read),
        (counted.cache_write_input_token_count, written),
    )
    return all(stated is None or stated == own for stated, own in pairs)


def _told(reading: Reading, about: About, flags: tuple[str, ...]) -> Reading:
    """The reading with what the head of the answer says, and without the model's name of itself."""
    tier = _said(about, BEDROCK_TIER) or reading.service_tier
    latency = _said(about, BEDROCK_LATENCY)
    context = (*reading.context, ("latency", latency)) if latency else reading.context
    return _with_flags(msgspec.structs.replace(reading, model=None, service_tier=tier, context=context), flags)


def _said(about: About, header: bytes) -> str:
    return about.headers.get(header, b"").decode("latin-1")


def _with_flags(reading: Reading, flags: tuple[str, ...]) -> Reading:
    more = tuple(flag for flag in flags if flag not in reading.flags)
    return msgspec.structs.replace(reading, flags=reading.flags + more) if more else reading
