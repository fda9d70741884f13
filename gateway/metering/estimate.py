"""Owns what is billed when an answer names no usage: an estimate from the texts, leaning upward.

The formulas and ratios are measured, provider_facts section 7. What they leave out, they say: the
reading carries a flag where hidden reasoning or attachments of unknown size make it a guess.
"""

import binascii
import re
from typing import NamedTuple, cast

import msgspec

from gateway.metering import spoken, tokens
from gateway.metering.attachments import Attachment, cost, leaves
from gateway.metering.counts import INPUT_NOT_COUNTED, OUTPUT_ESTIMATED
from gateway.metering.meter import Seen
from gateway.metering.reading import Line, Reading
from gateway.wire.jsontext import POSSESSIVE
from pricing.usage import Usage

REASONING_NOT_SEEN = "reasoning_not_seen"
ATTACHMENT_ASSUMED = "attachment_size_assumed"


class Tokenizer(NamedTuple):
    """What a family of models makes of a text: `percent` of the tokens that OpenAI's vocabulary makes of it.

    `template_tokens` stand in front of every prompt, `definitions_tokens` before definitions of tools and
    schemas, beyond what their API takes. `reasons`: the models think in tokens that the answer does not show.
    """

    names: re.Pattern[str]
    encoding: str = "o200k_base"
    percent: int = 100
    template_tokens: int = 0
    definitions_tokens: int = 0
    reasons: bool = False


# The first that matches. Percentages are the upper ends of what was recorded on English output; templates and
# definitions, the most that recorded prompts had beyond their texts.
TOKENIZERS = (
    Tokenizer(re.compile(r"gpt-(4o|4\.1|4\.5)|chatgpt-4o")),
    Tokenizer(re.compile(r"gpt-[5-9]|o[1-9]\b"), definitions_tokens=80, reasons=True),
    Tokenizer(re.compile(r"gpt-[34]|gpt-35|text-embedding-(3|ada)|(babbage|davinci)-002"), "cl100k_base"),
    Tokenizer(re.compile(r"gpt-oss"), template_tokens=65, reasons=True),
    Tokenizer(re.compile(r"claude-([123]|haiku-4|(opus|sonnet)-4(?!-[789]\b))"), percent=127),
    Tokenizer(re.compile(r"claude"), percent=144),
    Tokenizer(re.compile(r"gemini-[12]"), percent=112, reasons=True),
    Tokenizer(re.compile(r"gemini"), percent=105, reasons=True),
    # Hardly anything was measured for the others: the largest ratio known, and Llama 3.3's template.
    Tokenizer(re.compile(r""), percent=144, template_tokens=25),
)


class _Api(NamedTuple):
    """`prompt`: members of a request that the model reads; `definitions`: those that it reads as their JSON, and how
    many tokens come with them.

    `written`: keys that hold what the model wrote, those of a stream first; `call`: what every call of a
    tool shows at least once, and what it costs beyond its text.
    """

    prompt: tuple[str, ...]
    definitions: dict[str, int] = {}  # noqa: RUF012 - never changed
    written: tuple[re.Pattern[bytes], ...] = ()
    call: bytes = b""
    call_tokens: int = 0


def _keys(*names: str) -> re.Pattern[bytes]:
    return re.compile(rb'(?s)"(?:%b)"\s*:\s*("(?:[^"\\]++|\\.)*%b")' % ("|".join(names).encode(), POSSESSIVE))


_BEDROCK_MESSAGES = ("system", "messages")

# A reader without a row has nothing to estimate from: pages and searches do not show in the text.
# OpenAI's calls cost about 7 tokens beyond their text (17 of 28 exactly), parallel ones up to 16; Anthropic's 55.
APIS = {
    "openai.chat": _Api(
        ("messages",),
        {"tools": 9, "functions": 9, "response_format": 9},
        (_keys("content", "reasoning_content", "reasoning", "refusal", "arguments", "name"),),
        b'"name":',
        call_tokens=16,
    ),
    "openai.completions": _Api(("prompt", "suffix"), {}, (_keys("text"),)),
    "openai.responses": _Api(
        ("instructions", "input"),
        {"tools": 9, "text": 9},
        (_keys("delta"), _keys("text", "arguments")),
        b'"function_call"',
        call_tokens=16,
    ),
    "openai.embeddings": _Api(("input", "inputs")),
    "anthropic.messages": _Api(
        ("system", "messages"),
        {"tools": 500, "thinking": 30},
        (_keys("text", "thinking", "partial_json"),),
        b'"tool_use"',
        call_tokens=55,
    ),
    "gemini.generate": _Api(
        ("contents", "systemInstruction", "system_instruction"),
        {"tools": 9},
        (_keys("text"),),
        b'"functionCall"',
        call_tokens=16,
    ),
    "gemini.embeddings": _Api(("content", "requests")),
    # Most tools on Bedrock are Claude's, and cost what they cost at Anthropic.
    "bedrock.converse": _Api(
        _BEDROCK_MESSAGES, {"toolConfig": 500}, (_keys("text", "input"),), b'"toolUseId"', call_tokens=55
    ),
    "bedrock.invoke": _Api(
        (*_BEDROCK_MESSAGES, "prompt", "inputText", "texts"),
        {"tools": 500, "toolConfig": 500, "thinking": 30},
        (
            _keys("text", "thinking", "partial_json", "outputText", "completion", "generation"),
            _keys("content", "reasoning_content", "arguments"),
        ),
        b'"tool_use"',
        call_tokens=55,
    ),
    "cohere.chat": _Api(
        ("messages", "documents", "preamble", "chat_history", "message", "prompt"),
        {"tools": 9, "response_format": 9},
        (_keys("text", "thinking", "tool_plan", "arguments", "name"),),
        b'"name":',
        call_tokens=16,
    ),
    "cohere.embed": _Api(("texts", "inputs", "images")),
    "ollama.chat": _Api(
        ("messages", "system", "prompt", "suffix", "images", "context"),
        {"tools": 9, "format": 9},
        (_keys("content", "response", "thinking"),),
        b'"tool_calls"',
        call_tokens=16,
    ),
    "ollama.embed": _Api(("input", "prompt")),
    "vertex.predict": _Api(("instances",)),
    "gemini.interactions": _Api(("input", "system_instruction"), {"tools": 9}, (_keys("text"),)),
}
# And of those whose tokens, or seconds, are not those of a text.
_SPOKEN = {"openai.speech": spoken.speech, "openai.transcription": spoken.transcription}

# `3 + the sum of (3 + tokens of each message)`: exact for 310 of 318 recorded prompts of GPT-3.5 to GPT-4.1, and
# one too many on GPT-5.
REPLY_TOKENS = 3
MESSAGE_TOKENS = 3
# Attachments whose size, or whose model, tells nothing (URLs, ids of files, PDF, MP3): what the largest image costs on
# Claude before 4.7 and on GPT's smaller patch models.
ATTACHMENT_TOKENS = 1600

# In front of a model's name, its maker and where it runs: eu.anthropic.claude-…
_BEDROCK_PREFIX = re.compile(r"^(?:[a-z-]+\.)+")
# The events of a model in a stream of Bedrock's InvokeModel, in base64.
_BLOBS = re.compile(rb'"bytes":"((?:[\w+/]{4})*(?:[\w+/]{2}==|[\w+/]{3}=)?)"')

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_strings = msgspec.json.Decoder(str)


def estimate(reader: str, model: str, request: bytes, seen: Seen, reading: Reading) -> Reading:
    """The reading with an estimated usage; unchanged if the request cannot be read, or shows nothing that is billed.

    `model` is the requested one, used where the answer names none; `request` is the decoded body. What
    the provider did report, such as the input of a stream that was cut, is kept, and what it will report later is
    left to it. Takes milliseconds to a second: call it off the event loop.
    """
    if reading.provenance == "deferred":
        return reading
    if reader in _SPOKEN:
        found = None if reading.lines else _SPOKEN[reader](reading.model or model, request, seen)
        return _estimated(reading, *found) if found else reading
    api = APIS.get(reader)
    if api is None:
        return reading
    name = _name(reading.model or model)
    tokenizer = _tokenizer(name)
    output = _output_tokens(api, tokenizer, seen)
    if reading.lines and INPUT_NOT_COUNTED not in reading.flags:
        return _completed(reading, output)
    try:
        prompt, flags = _prompt(api, name, tokenizer, _members.decode(request))
    except (ValueError, RecursionError):
        return reading
    if reading.lines:
        return _with_input(reading, prompt, flags)
    if tokenizer.reasons and output:
        flags += (REASONING_NOT_SEEN,)
    return _estimated(reading, msgspec.structs.replace(prompt, output_text=output), flags)


def _estimated(reading: Reading, usage: Usage, flags: tuple[str, ...]) -> Reading:
    return msgspec.structs.replace(reading, lines=(Line(usage),), provenance="estimated", flags=reading.flags + flags)


def _completed(reading: Reading, output: int) -> Reading:
    """A cut stream's own numbers, with as much output as its text shows if that is more than they say."""
    first = reading.lines[0]
    missing = output - first.usage.tokens_out
    if missing <= 0 or reading.provenance != "partial":
        return reading
    usage = msgspec.structs.replace(first.usage, output_text=first.usage.output_text + missing)
    lines = (msgspec.structs.replace(first, usage=usage), *reading.lines[1:])
    return msgspec.structs.replace(reading, lines=lines, flags=(*reading.flags, OUTPUT_ESTIMATED))


def _with_input(reading: Reading, prompt: Usage, flags: tuple[str, ...]) -> Reading:
    """A reading whose provider counted the output alone, with an estimated input."""
    usage = msgspec.structs.replace(
        reading.lines[0].usage, input_text=prompt.input_text, input_audio=prompt.input_audio
    )
    lines = (msgspec.structs.replace(reading.lines[0], usage=usage),)
    return msgspec.structs.replace(reading, lines=lines, flags=reading.flags + flags)


def _name(model: str) -> str:
    """Without the maker and the place in front of it."""
    return _BEDROCK_PREFIX.sub("", model.rpartition("/")[2].lower())


def _tokenizer(name: str) -> Tokenizer:
    return next(row for row in TOKENIZERS if row.names.match(name))


def _prompt(
    api: _Api, model: str, tokenizer: Tokenizer, members: dict[str, msgspec.Raw]
) -> tuple[Usage, tuple[str, ...]]:
    counted = attached = heard = assumed = 0
    overhead = REPLY_TOKENS + tokenizer.template_tokens if api.written else 0
    for name in set(api.prompt).intersection(members):
        value = msgspec.json.decode(members[name], type=object)
        overhead += MESSAGE_TOKENS * _messages(value)
        for leaf in leaves(value):
            if isinstance(leaf, int):
                counted += 1  # a token the client made itself
            elif not isinstance(leaf, Attachment):
                counted += tokens.count(leaf, tokenizer.encoding)
            elif found := cost(leaf, model):
                attached, heard = attached + found.text, heard + found.audio
            else:
                assumed += 1
    for name in set(api.definitions).intersection(members):
        overhead += api.definitions[name] + tokenizer.definitions_tokens
        counted += tokens.count(bytes(members[name]).decode("utf-8", "replace"), tokenizer.encoding)
    text = tokens.scale(counted, tokenizer.percent, 100) + overhead + attached + assumed * ATTACHMENT_TOKENS
    return Usage(input_text=text, input_audio=heard), (ATTACHMENT_ASSUMED,) if assumed else ()


def _messages(value: object) -> int:
    items = cast("list[object]", value) if isinstance(value, list) else []
    return sum(isinstance(item, dict) for item in items)


def _output_tokens(api: _Api, tokenizer: Tokenizer, seen: Seen) -> int:
    """Tokens of the text the model wrote, scaled up if only the beginning of the answer was kept."""
    raw = _unwrapped(seen.raw)
    literals = _literals(api, raw)
    if not literals:
        return 0
    pieces = [text for text in map(_text, literals) if text]
    counted = tokens.scale(tokens.count("".join(pieces), tokenizer.encoding), tokenizer.percent, 100)
    calls = raw.count(api.call) if api.call else 0
    # An event rarely holds less than a token.
    total = max(counted, len(pieces)) + calls * api.call_tokens
    return tokens.scale(total, max(seen.bytes_total, len(seen.raw)), len(seen.raw))


def _literals(api: _Api, raw: bytes) -> list[bytes]:
    for keys in api.written:
        if found := keys.findall(raw):
            return found
    return []


def _unwrapped(raw: bytes) -> bytes:
    """The answer; of a binary stream, the events that it wraps in base64. A blob cut in its midst is left out."""
    blobs = _BLOBS.findall(raw) if raw.startswith(b"\0") else []
    return b"".join(map(binascii.a2b_base64, blobs)) if blobs else raw


def _text(literal: bytes) -> str:
    try:
        return _strings.decode(literal)
    except ValueError:
        return literal.decode("utf-8", "replace")
