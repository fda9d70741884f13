"""Stage 3 for WebSockets: what is asked, by the handshake and by each message. -> Call | Refusal.

Owns which members of a client's messages name a model. A key's list of models holds for all of them, so such a message
is judged before it is passed on, whatever its type says it is.
"""

from typing import NamedTuple
from urllib.parse import parse_qsl

import msgspec

from gateway.contract.record import NAME_CHARS_MAX
from gateway.examine import Call
from gateway.faults import Refusal
from gateway.identify import Caller
from gateway.route import Route
from gateway.wire import jsontext

# Where a realtime session's model stands in the query: OpenAI's and xAI's, and Azure's name for it.
_QUERY_NAMES = frozenset(("model", "deployment"))
_NAMED_IN_QUERY = frozenset(("openai.realtime",))

_Path = tuple[str, ...]


class _Naming(NamedTuple):
    """Where messages of one kind name the model of what follows, and those of side work that is billed beside it."""

    model: tuple[_Path, ...]
    beside: tuple[_Path, ...] = ()


# Event types of openai-python (types/realtime, types/responses) and google-genai (live.py).
_NAMINGS = {
    "openai.realtime": _Naming(
        (("session", "model"), ("response", "model")),
        (("session", "input_audio_transcription", "model"), ("session", "audio", "input", "transcription", "model")),
    ),
    "openai.responses_socket": _Naming(
        (("model",), ("response", "model")), (("tools", "model"), ("response", "tools", "model"))
    ),
    "gemini.live": _Naming((("setup", "model"),)),
}
# Messages that must name a model where a key may only use some: elsewhere the provider would take its own default.
_MUST_NAME = {"openai.responses_socket": "response.create"}
# Without one of these no member of a message is called "model": it may be spelt in escapes. Audio has neither.
_SIGNS = (b"model", b"\\u")
_any_json = msgspec.json.Decoder(msgspec.Raw)
_any_list = msgspec.json.Decoder(list[msgspec.Raw])
_any_text = msgspec.json.Decoder(str)


class Named(NamedTuple):
    """The models a message names: `model` for what follows, "" if none; `every` one of them, side work's too."""

    model: str = ""
    every: tuple[str, ...] = ()


def examine_handshake(caller: Caller, route: Route) -> Call | Refusal:
    """The call that a handshake begins; its model is "" where only a message will name it."""
    model = ""
    if route.endpoint.reader in _NAMED_IN_QUERY:
        query = parse_qsl(caller.query.decode("latin-1"), keep_blank_values=True)
        named = [value for name, value in query if name in _QUERY_NAMES]
        if len(named) > 1:
            return Refusal("malformed_request", "Name the model once in the query")
        model = named[0][:NAME_CHARS_MAX] if named else ""
        if caller.key.models is not None and model not in caller.key.models:
            return Refusal("key_scope", f"This key may not use the model {model!r}")
    return Call(model, True, caller.user_id, b"", False, b"")


def named_models(reader: str, message: bytes) -> Named:
    """The models a client's message names. Raises jsontext.NotJson where it might name one and is no JSON object."""
    naming = _NAMINGS.get(reader)
    if naming is None or not any(sign in message for sign in _SIGNS):
        return Named()
    jsontext.decode(_any_json, message)
    main = [name for path in naming.model for name in _values(message, 0, path)]
    beside = [name for path in naming.beside for name in _values(message, 0, path)]
    every = tuple(_bare(name) for name in (*main, *beside))
    return Named(_bare(main[-1]) if main else "", every)


def judge_message(reader: str, models: tuple[str, ...], message: bytes) -> Refusal | None:
    """Why a client whose key is limited to `models` may not send this message, or None."""
    try:
        named = named_models(reader, message)
        silent = not named.model and _MUST_NAME.get(reader, "") in _types(reader, message)
    except jsontext.NotJson as fault:
        return Refusal("malformed_body", f"The message is not valid JSON: {fault}")
    if silent:
        return Refusal("key_scope", "This key is limited to some models: name one in every response.create")
    wrong = next((name for name in named.every if name not in models), None)
    return None if wrong is None else Refusal("key_scope", f"This key may not use the model {wrong!r}")


def _types(reader: str, message: bytes) -> list[str]:
    if reader not in _MUST_NAME:
        return []
    jsontext.decode(_any_json, message)
    return _values(message, 0, ("type",))


def _values(text: bytes, at: int, path: _Path) -> list[str]:
    """Every string at a path of members, also of those in lists.

    Of members with one name each is followed: parsers differ in which counts.
    """
    found: list[str] = []
    key, *rest = path
    for member in jsontext.members(text, at):
        if member.key != key:
            continue
        if rest and text.startswith(b"{", member.value):
            found += _values(text, member.value, tuple(rest))
        elif rest and text.startswith(b"[", member.value):
            items = map(bytes, jsontext.decode(_any_list, text[member.value : member.end]))
            found += (name for item in items if item.startswith(b"{") for name in _values(item, 0, tuple(rest)))
        elif not rest and text.startswith(b'"', member.value):
            found.append(jsontext.decode(_any_text, text[member.value : member.end]))
    return found


def _bare(model: str) -> str:
    """A model's name as the paths of the same API have it: Gemini's messages say `models/` and more before it."""
    return model.rpartition("models/")[2][:NAME_CHARS_MAX]
