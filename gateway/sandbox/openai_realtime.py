"""Owns the Realtime API, OpenAI's and Azure's: sessions, items, spoken and written responses, transcripts.

It never detects speech: a turn ends when it is committed.
"""

import base64
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import cast

import msgspec

from gateway.sandbox.bill import Model, Tokens
from gateway.sandbox.call import Answer, Call, Charge, Said, output_budget, prompt_tokens
from gateway.sandbox.media import sound
from gateway.sandbox.openai import Json, refuse_control, resolve
from gateway.sandbox.openai_realtime_turns import (
    AUDIO_TOKENS_PER_WORD,
    BYTES_PER_MS,
    Turn,
    count_items,
    error_object,
    member,
    merge,
    new_session,
    object_of,
    part_of,
    shown,
    spoken_item,
    transcriber,
    transcript_tokens,
)
from gateway.sandbox.openai_sockets import read_event, upgrade
from gateway.sandbox.text import seed_of, write_chunks

# A session of the real one ends by its clock, long before it holds so many.
ITEMS_MAX = 1_000
# What it takes to be a turn.
COMMIT_MS_MIN = 100

_SESSION_FIELD_LIST = """
type model output_modalities instructions tools tool_choice max_output_tokens tracing truncation prompt audio include
parallel_tool_calls reasoning
"""
SESSION_FIELDS = frozenset(_SESSION_FIELD_LIST.split())
_RESPONSE_FIELD_LIST = """
audio conversation input instructions max_output_tokens metadata output_modalities parallel_tool_calls prompt reasoning
tool_choice tools
"""
RESPONSE_FIELDS = frozenset(_RESPONSE_FIELD_LIST.split())
# The members each event may have besides `type` and `event_id`; those before the bar it must have.
EVENTS = {
    "session.update": ("session", ""),
    "conversation.item.create": ("item", "previous_item_id"),
    "conversation.item.retrieve": ("item_id", ""),
    "conversation.item.delete": ("item_id", ""),
    "conversation.item.truncate": ("item_id content_index audio_end_ms", ""),
    "input_audio_buffer.append": ("audio", ""),
    "input_audio_buffer.commit": ("", ""),
    "input_audio_buffer.clear": ("", ""),
    "response.create": ("", "response"),
    "response.cancel": ("", "response_id"),
}


def connect(call: Call) -> Answer:
    query = call.request.query
    model = resolve(call, query.get("model") or query.get("deployment", ""), "realtime")
    if isinstance(model, Answer):
        return model
    bucket = model.unbillable(prompt_tokens(call.controls, 0))
    if bucket:
        return refuse_control(call, f"{model.name} has no price for {bucket}")
    return upgrade(call, RealtimeTalk(call, model))


class RealtimeTalk:
    """One session. What it says is in the order it was asked for; what it is told counts at once."""

    def __init__(self, call: Call, model: Model) -> None:
        self._call, self._model = call, model
        self._seed = seed_of(model.name, "realtime")
        self._events = 0
        self._names = 0
        self._items: dict[str, Json] = {}
        self._audio_bytes = 0
        self._active: Turn | None = None
        self._session = new_session(self._named("sess_"), model, call.created_s)
        self._conversation = self._named("conv_")
        self._act: dict[str, Callable[[Json], Iterable[Said]]] = {
            "session.update": self._update,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._retrieve_item,
            "conversation.item.delete": self._delete_item,
            "conversation.item.truncate": self._truncate_item,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "response.create": self._respond,
            "response.cancel": self._cancel,
        }

    def opening(self) -> Iterator[Said]:
        yield self._say("session.created", session=self._session)

    def failure(self) -> bytes:
        message = "The server had an error while processing your request"
        return self._say("error", error=error_object("server_error", None, message, None, None)).text

    def hear(self, text: str) -> Iterable[Said]:
        event = read_event(text)
        if isinstance(event, str):
            return [self._refuse({}, "invalid_json", event, None)]
        kind = event.get("type")
        if kind not in EVENTS:
            supported = ", ".join(f"'{name}'" for name in EVENTS)
            message = f"Invalid value: '{kind}'. Supported values are: {supported}."
            return [self._refuse(event, "invalid_value", message, "type")]
        demanded, allowed = (set(names.split()) for names in EVENTS[str(kind)])
        return self._check(event, demanded, allowed) or self._act[str(kind)](event)

    def _check(self, event: Json, demanded: set[str], allowed: set[str]) -> list[Said]:
        """Why this event has the wrong members; nothing if it has the right ones."""
        missing = next((name for name in sorted(demanded) if name not in event), None)
        if missing:
            message = f"Missing required parameter: '{missing}'."
            return [self._refuse(event, "missing_required_parameter", message, missing)]
        known = demanded | allowed | {"type", "event_id"}
        unknown = next((name for name in event if name not in known), None)
        if unknown:
            return [self._refuse(event, "unknown_parameter", f"Unknown parameter: '{unknown}'.", unknown)]
        return []

    # What is said.

    def _named(self, prefix: str) -> str:
        self._names += 1
        return prefix + self._call.id_hex(seed_of(self._seed.hex(), self._names))

    def _say(self, kind: str, **members: object) -> Said:
        self._events += 1
        name = "event_" + self._call.id_hex(seed_of(self._seed.hex(), "event", self._events))
        return Said(msgspec.json.encode({"type": kind, "event_id": name, **members}))

    def _refuse(self, event: Json, code: str, message: str, param: str | None) -> Said:
        error = error_object("invalid_request_error", code, message, param, event.get("event_id"))
        return self._say("error", error=error)

    # What is heard.

    def _update(self, event: Json) -> Iterable[Said]:
        given = object_of(event["session"])
        if given.get("type") != "realtime":
            message = "Missing required parameter: 'session.type'."
            return [self._refuse(event, "missing_required_parameter", message, "session.type")]
        unknown = next((name for name in given if name not in SESSION_FIELDS), None)
        if unknown:
            message = f"Unknown parameter: 'session.{unknown}'."
            return [self._refuse(event, "unknown_parameter", message, f"session.{unknown}")]
        merged = merge(self._session, given)
        if transcriber(merged) is None and member(merged, "audio", "input", "transcription"):
            message = "Invalid value for 'session.audio.input.transcription.model'."
            return [self._refuse(event, "invalid_value", message, "session.audio.input.transcription.model")]
        self._session = merged
        return [self._say("session.updated", session=merged)]

    def _create_item(self, event: Json) -> Iterable[Said]:
        item = object_of(event["item"])
        if item.get("type") not in ("message", "function_call", "function_call_output"):
            return [self._refuse(event, "invalid_value", "Invalid value for 'item.type'.", "item.type")]
        return self._add_item(item)

    def _add_item(self, given: Json) -> Iterable[Said]:
        """The events of a new item; it counts from now on. The oldest make room."""
        previous = next(reversed(self._items), None)
        item = {"id": self._named("item_"), **given, "status": "completed"}
        self._items[str(item["id"])] = item
        if len(self._items) > ITEMS_MAX:
            del self._items[next(iter(self._items))]
        kinds = ("conversation.item.added", "conversation.item.done")
        return [self._say(kind, previous_item_id=previous, item=shown(item)) for kind in kinds]

    def _refuse_item(self, event: Json) -> Iterable[Said]:
        message = f"Error: the item with id '{event['item_id']}' does not exist."
        return [self._refuse(event, "item_not_found", message, "item_id")]

    def _retrieve_item(self, event: Json) -> Iterable[Said]:
        item = self._items.get(str(event["item_id"]))
        return [self._say("conversation.item.retrieved", item=shown(item))] if item else self._refuse_item(event)

    def _delete_item(self, event: Json) -> Iterable[Said]:
        if self._items.pop(str(event["item_id"]), None) is None:
            return self._refuse_item(event)
        return [self._say("conversation.item.deleted", item_id=event["item_id"])]

    def _truncate_item(self, event: Json) -> Iterable[Said]:
        if str(event["item_id"]) not in self._items:
            return self._refuse_item(event)
        named = {name: event[name] for name in ("item_id", "content_index", "audio_end_ms")}
        return [self._say("conversation.item.truncated", **named)]

    def _append(self, event: Json) -> Iterable[Said]:
        try:
            self._audio_bytes += len(base64.b64decode(str(event["audio"]), validate=True))
        except ValueError:
            message = "Invalid 'audio'. Expected base64-encoded audio bytes."
            return [self._refuse(event, "invalid_value", message, "audio")]
        return []

    def _clear(self, event: Json) -> Iterable[Said]:
        self._audio_bytes = 0
        return [self._say("input_audio_buffer.cleared")]

    def _commit(self, event: Json) -> Iterable[Said]:
        audio_format = str(member(self._session, "audio", "input", "format", "type"))
        audio_ms = self._audio_bytes // BYTES_PER_MS.get(audio_format, BYTES_PER_MS["audio/pcm"])
        if audio_ms < COMMIT_MS_MIN:
            message = (
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{COMMIT_MS_MIN}ms of audio, but buffer only has {audio_ms:.2f}ms of audio."
            )
            return [self._refuse(event, "input_audio_buffer_commit_empty", message, None)]
        self._audio_bytes = 0
        previous = next(reversed(self._items), None)
        name = self._named("item_")
        committed = self._say("input_audio_buffer.committed", previous_item_id=previous, item_id=name)
        part = {"type": "input_audio", "transcript": None, "audio_ms": audio_ms}
        added = self._add_item({"id": name, "type": "message", "role": "user", "content": [part]})
        return [committed, *added, *self._transcribe(name, audio_ms)]

    def _transcribe(self, item_id: str, audio_ms: int) -> Iterable[Said]:
        """The transcript of what was committed, if the session wants one; it is billed by itself."""
        model = transcriber(self._session)
        if model is None:
            return []
        kind = "conversation.item.input_audio_transcription"
        written = self._call.controls.tokens if "input_audio" in model.rates else 0
        tokens, usage = transcript_tokens(model, audio_ms, written)
        text = "".join(text for text, _ in write_chunks(seed_of(item_id), self._call.controls.tokens, 1))
        where = {"item_id": item_id, "content_index": 0}
        delta = self._say(f"{kind}.delta", **where, delta=text)
        completed = self._say(f"{kind}.completed", **where, transcript=text, usage=usage)
        charge = Charge(model, tokens, "realtime.transcription", item_id)
        return [delta._replace(charge=charge), completed._replace(tokens=Tokens(output=written), done=True)]

    # Responses.

    def _cancel(self, event: Json) -> Iterable[Said]:
        active = self._active
        if active is None or event.get("response_id") not in (None, active.id):
            message = "Cancellation failed: no active response found"
            return [self._refuse(event, "response_cancel_not_active", message, None)]
        active.cancelled = True
        return []

    def _respond(self, event: Json) -> Iterable[Said]:
        if self._active:
            message = f"Conversation already has an active response in progress: {self._active.id}. Wait until the "
            message += "response is finished before creating a new one."
            return [self._refuse(event, "conversation_already_has_active_response", message, None)]
        asked = object_of(event.get("response"))
        unknown = next((name for name in asked if name not in RESPONSE_FIELDS), None)
        if unknown:
            message = f"Unknown parameter: 'response.{unknown}'."
            return [self._refuse(event, "unknown_parameter", message, f"response.{unknown}")]
        self._active = self._accept(asked)
        return self._speak(self._active)

    def _accept(self, asked: Json) -> Turn:
        settings = {**self._session, **asked}
        items = cast(list[Json], asked.get("input", list(self._items.values())))
        wanted = settings["max_output_tokens"]
        limit = wanted if isinstance(wanted, int) else None
        modality = "text" if settings["output_modalities"] == ["text"] else "audio"
        # A spoken word is tokens of text and of audio, and the limit is for both.
        words = limit // (1 + AUDIO_TOKENS_PER_WORD) if limit is not None and modality == "audio" else limit
        return Turn(
            id=self._named("resp_"),
            item_id=self._named("item_"),
            seed=seed_of(self._seed.hex(), [shown(item) for item in items], settings["instructions"]),
            prompt=count_items(self._call.controls, items, settings["instructions"]),
            budget=output_budget(self._call.controls, words, reasoning=0),
            modality=modality,
            kept=asked.get("conversation") != "none",
            metadata=asked.get("metadata"),
            limit=limit,
        )

    def _speak(self, response: Turn) -> Iterator[Said]:
        """The turn as it is written. A cancellation shows before the next word."""
        charge = Charge(self._model, response.prompt, self._call.endpoint, response.id)
        created = self._say("response.created", response=self._document(response, "in_progress", []))
        yield created._replace(charge=charge)
        where = {"response_id": response.id, "output_index": 0}
        previous = next(reversed(self._items), None)
        item = spoken_item(response, "in_progress", None)
        yield self._say("response.output_item.added", **where, item=item)
        if response.kept:
            yield self._say("conversation.item.added", previous_item_id=previous, item=item)
        text = yield from self._write(response, {**where, "item_id": response.item_id, "content_index": 0})
        status = "completed" if response.status == "completed" else "incomplete"
        item = spoken_item(response, status, text)
        if response.kept:
            self._items[response.item_id] = item
            yield self._say("conversation.item.done", previous_item_id=previous, item=item)
        yield self._say("response.output_item.done", **where, item=item)
        self._active = None
        done = self._say("response.done", response=self._document(response, response.status, [item]))
        yield done._replace(done=True)

    def _write(self, response: Turn, where: Json) -> Generator[Said, None, str]:
        """The deltas; gives the text as far as it came."""
        kind = "response.output_audio_transcript" if response.spoken else "response.output_text"
        part = "transcript" if response.spoken else "text"
        yield self._say("response.content_part.added", **where, part=part_of(response, ""))
        text = ""
        for word, count in write_chunks(response.seed, response.budget.visible, self._call.controls.chunk_tokens):
            if response.cancelled:
                break
            text += word
            response.words += count
            yield self._say(f"{kind}.delta", **where, delta=word)._replace(tokens=Tokens(output=count))
            if response.spoken:
                heard = count * AUDIO_TOKENS_PER_WORD
                delta = base64.b64encode(sound(response.seed, "pcm", heard)).decode()
                audio = self._say("response.output_audio.delta", **where, delta=delta)
                yield audio._replace(tokens=Tokens(output_audio=heard))
        if response.spoken:
            yield self._say("response.output_audio.done", **where)
        yield self._say(f"{kind}.done", **where, **{part: text})
        yield self._say("response.content_part.done", **where, part=part_of(response, text))
        return text

    def _document(self, response: Turn, status: str, output: list[Json]) -> Json:
        ended = status != "in_progress"
        return {
            "object": "realtime.response",
            "id": response.id,
            "status": status,
            "status_details": response.details() if ended else None,
            "output": output,
            "conversation_id": self._conversation if response.kept else None,
            "output_modalities": [response.modality],
            "max_output_tokens": response.limit or "inf",
            "audio": {"output": member(self._session, "audio", "output")},
            "usage": response.usage() if ended else None,
            "metadata": response.metadata,
        }
