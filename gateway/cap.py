"""Owns the output cap of a request: where each API's body has it, and lowering it to what a budget affords.

The mode `guaranteed` does this, and no other touches it. A cap that is there is lowered and never raised; one that is
missing is added in the newest spelling.
"""

from collections.abc import Iterator
from typing import cast

import msgspec

from gateway.wire.splice import set_number

_Path = tuple[str, ...]

# By the endpoint's reader: every spelling of the cap, the one that is added first.
_CAPS: dict[str, tuple[_Path, ...]] = {
    "openai.chat": (("max_completion_tokens",), ("max_tokens",)),
    "openai.completions": (("max_tokens",),),
    "openai.responses": (("max_output_tokens",),),
    "anthropic.messages": (("max_tokens",),),
    "gemini.generate": (("generationConfig", "maxOutputTokens"), ("generation_config", "max_output_tokens")),
    "bedrock.converse": (("inferenceConfig", "maxTokens"),),
    "cohere.chat": (("max_tokens",),),
    "ollama.chat": (("options", "num_predict"),),
}
# Only OpenAI itself and Azure know the newer name.
_OLDER_ALONE = (("max_tokens",),)
_NEWER = frozenset(("openai", "azure"))
# How many answers the cap is of each of.
_ANSWERS: dict[str, tuple[_Path, ...]] = {
    "openai.chat": (("n",),),
    "openai.completions": (("n",), ("best_of",)),
    "gemini.generate": (("generationConfig", "candidateCount"), ("generation_config", "candidate_count")),
}

_body = msgspec.json.Decoder(dict[str, object])


def lower_cap(reader: str, provider: str, body: bytes, tokens: int) -> bytes | None:
    """The body with a cap that lets at most `tokens` be written in all; None where its API has no cap, or none fits."""
    spellings = _CAPS.get(reader)
    if spellings is None:
        return None
    members = _body.decode(body)
    answers = max((number for path in _ANSWERS.get(reader, ()) for number in _numbers(members, path)), default=1)
    each = tokens // max(answers, 1)
    if each < 1:
        return None
    present = [path for path in spellings if next(_numbers(members, path), None) is not None]
    newer = reader != "openai.chat" or provider in _NEWER
    for path in present or (spellings[:1] if newer else _OLDER_ALONE):
        if each < next(_numbers(members, path), each + 1):
            body = set_number(body, path, each)
    return body


def _numbers(members: dict[str, object], path: _Path) -> Iterator[int]:
    """The number at a path, if one is there."""
    *above, last = path
    for name in above:
        inner = members.get(name)
        if not isinstance(inner, dict):
            return
        members = cast("dict[str, object]", inner)
    value = members.get(last)
    if isinstance(value, int) and not isinstance(value, bool):
        yield value
