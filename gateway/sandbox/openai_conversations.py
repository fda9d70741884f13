"""Owns conversations and items, OpenAI's and Azure's: messages as the API keeps them. Nothing here is billed."""

from typing import Annotated, cast

import msgspec
from msgspec import Meta

from gateway.sandbox.call import Answer, Call, Fault, read_body
from gateway.sandbox.openai import Json, refuse, refuse_fault
from gateway.sandbox.openai_forms import deleted, page, show
from gateway.sandbox.store import Shelf
from gateway.sandbox.text import seed_of

# https://platform.openai.com/docs/api-reference/conversations
FIELDS = frozenset(("items", "metadata"))
# What one request may add, as the real one, and what one conversation holds.
ADDED_MAX = 20
ITEMS_MAX = 2_000

_ID_PREFIXES = {"message": "msg_", "function_call": "fc_", "function_call_output": "fco_", "reasoning": "rs_"}


class ConversationRequest(msgspec.Struct, frozen=True):
    items: Annotated[list[Json], Meta(max_length=ADDED_MAX)] | None = None
    metadata: dict[str, str] | None = None


class ItemsRequest(msgspec.Struct, frozen=True):
    items: Annotated[list[Json], Meta(min_length=1, max_length=ADDED_MAX)]


class Conversation(msgspec.Struct):
    id: str
    created_s: int
    metadata: dict[str, str]
    items: dict[str, Json]

    def document(self) -> Json:
        return {
            "id": self.id,
            "object": "conversation",
            "created_at": self.created_s,
            "metadata": self.metadata,
        }

    def texts(self) -> list[str]:
        """What its messages say."""
        contents = [item["content"] for item in self.items.values() if isinstance(item.get("content"), list)]
        parts = [part for content in contents for part in cast(list[Json], content)]
        return [str(part["text"]) for part in parts if "text" in part]

    def add(self, items: list[Json]) -> None:
        """The oldest make room."""
        self.items.update((str(item["id"]), item) for item in items)
        while len(self.items) > ITEMS_MAX:
            del self.items[next(iter(self.items))]


def kept_items(given: str | list[Json], name: str) -> list[Json]:
    """Input as it is kept: each item with its type and an id that ends in `name`; texts as parts of messages."""
    items: list[Json] = [{"role": "user", "content": given}] if isinstance(given, str) else given
    return [_kept_item(item, f"{name}{number:02x}") for number, item in enumerate(items)]


def _kept_item(item: Json, name: str) -> Json:
    kind = str(item.get("type", "message"))
    named = {"id": _ID_PREFIXES.get(kind, "item_") + name, **item, "type": kind}
    if kind != "message":
        return named
    content = item.get("content", "")
    return {"status": "completed", **named, "content": _parts(content, item) if isinstance(content, str) else content}


def _parts(text: str, item: Json) -> list[Json]:
    if item.get("role") == "assistant":
        return [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    return [{"type": "input_text", "text": text}]


def conversations_of(call: Call) -> Shelf[Conversation]:
    return call.store.shelf(call.dialect, Conversation)


def conversations_create(call: Call) -> Answer:
    request = read_body(ConversationRequest, call.request.body or b"{}", FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    name = call.id_hex(seed_of(request))
    conversation = Conversation("conv_" + name, call.created_s, request.metadata or {}, {})
    conversation.add(kept_items(request.items or [], name))
    conversations_of(call).put(conversation.id, conversation)
    return show(conversation.document())


def find_conversation(call: Call, name: str) -> Conversation | Answer:
    return conversations_of(call).get(name) or refuse(404, f"Conversation with id '{name}' not found.")


def conversations_retrieve(call: Call) -> Answer:
    found = find_conversation(call, call.path_id)
    return found if isinstance(found, Answer) else show(found.document())


def conversations_update(call: Call) -> Answer:
    found = find_conversation(call, call.path_id)
    if isinstance(found, Answer):
        return found
    request = read_body(ConversationRequest, call.request.body, frozenset(("metadata",)))
    if isinstance(request, Fault):
        return refuse_fault(request)
    found.metadata = request.metadata or {}
    return show(found.document())


def conversations_delete(call: Call) -> Answer:
    found = find_conversation(call, call.path_id)
    if isinstance(found, Answer):
        return found
    conversations_of(call).take(found.id)
    return deleted(found.id, "conversation.deleted")


def items_create(call: Call) -> Answer:
    found = find_conversation(call, call.path_id)
    if isinstance(found, Answer):
        return found
    request = read_body(ItemsRequest, call.request.body, frozenset(("items",)))
    if isinstance(request, Fault):
        return refuse_fault(request)
    added = kept_items(request.items, call.id_hex(seed_of(found.id, len(found.items))))
    found.add(added)
    shown = {"object": "list", "data": added, "first_id": added[0]["id"], "last_id": added[-1]["id"]}
    return show({**shown, "has_more": False})


def items_list(call: Call) -> Answer:
    found = find_conversation(call, call.path_id)
    return found if isinstance(found, Answer) else page(call, list(found.items.values()))


def items_retrieve(call: Call) -> Answer:
    found = find_conversation(call, call.path_id)
    if isinstance(found, Answer):
        return found
    item = found.items.get(call.path_part)
    return show(item) if item else _refuse_item(call)


def items_delete(call: Call) -> Answer:
    found = find_conversation(call, call.path_id)
    if isinstance(found, Answer):
        return found
    return show(found.document()) if found.items.pop(call.path_part, None) else _refuse_item(call)


def _refuse_item(call: Call) -> Answer:
    return refuse(404, f"Item with id '{call.path_part}' not found in conversation '{call.path_id}'.")
