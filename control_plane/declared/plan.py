"""Owns the plan: what has to be made, changed or removed so that what is there is what is declared. Pure.

A field that the document does not name is left as it is; so is everything that it does not name, unless it prunes.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import chain
from typing import Any, Literal, cast

import msgspec

from control_plane.declared.document import Thing

# What the API never shows again; whether it changed cannot be seen, so it is sent only when asked.
WRITE_ONLY = frozenset({"target", "secret"})
# What only a request to make a thing may hold.
FIXED: Mapping[str, frozenset[str]] = {"quotas": frozenset({"unit"}), "alert-rules": frozenset({"trigger"})}
# What the API completes: what the document leaves out of them is not compared.
COMPLETED = frozenset({"anomaly"})


class Found(msgspec.Struct, frozen=True):
    """Something that is there, as the API told it."""

    collection: str
    project: str
    name: str
    id: str
    fields: dict[str, Any]


class Step(msgspec.Struct, frozen=True):
    """One change. `fields` is what is sent; `differences` is what people are shown: field -> (old, new)."""

    verb: Literal["create", "update", "delete"]
    label: str
    collection: str
    project: str
    name: str
    id: str = ""
    fields: dict[str, Any] = {}
    differences: dict[str, tuple[Any, Any]] = {}


class Impossible(ValueError):
    """A change that the API does not have; the message says what to do."""


def plan(declared: Sequence[Thing], found: Iterable[Found], *, prune: bool, secrets: bool) -> list[Step]:
    """The steps in an order that works. `secrets` sends write-only fields again. Raises Impossible."""
    there: dict[tuple[str, str, str], list[Found]] = {}
    for one in found:
        there.setdefault((one.collection, one.project, one.name), []).append(one)
    steps: list[Step] = []
    for thing in declared:
        namesakes = there.pop((thing.collection, thing.project, thing.name), [])
        if len(namesakes) > 1:
            raise Impossible(f"{thing.label}: {len(namesakes)} are called so; rename or delete all but one")
        step = _updated(thing, namesakes[0], secrets=secrets) if namesakes else _created(thing)
        if step is not None:
            steps.append(step)
    if prune:
        # What is of a project goes before the project.
        left = sorted(chain.from_iterable(there.values()), key=lambda one: one.collection == "projects")
        steps.extend(_deleted(one) for one in left)
    return steps


def _created(thing: Thing) -> Step:
    return Step("create", thing.label, thing.collection, thing.project, thing.name, fields=thing.fields)


def _updated(thing: Thing, one: Found, *, secrets: bool) -> Step | None:
    differences = {
        field: (one.fields.get(field), value)
        for field, value in thing.fields.items()
        if field not in WRITE_ONLY and not _same(_compared(field, one.fields.get(field), value), value)
    }
    if fixed := differences.keys() & FIXED.get(thing.collection, frozenset()):
        raise Impossible(f"{thing.label}: {', '.join(sorted(fixed))} cannot be changed; give it another name")
    again = {field: value for field, value in thing.fields.items() if secrets and field in WRITE_ONLY}
    if not differences and not again:
        return None
    fields = {**{field: new for field, (_, new) in differences.items()}, **again}
    shown = {**differences, **dict.fromkeys(again, ("…", "…"))}
    return Step("update", thing.label, thing.collection, thing.project, thing.name, one.id, fields, shown)


def _deleted(one: Found) -> Step:
    label = Thing(one.collection, one.project, one.name, {}).label
    return Step("delete", label, one.collection, one.project, one.name, one.id)


def _compared(field: str, old: Any, new: Any) -> Any:
    """Of the API's word for a field, what the document speaks of."""
    if field not in COMPLETED or not (isinstance(old, dict) and isinstance(new, dict)):
        return cast(Any, old)
    return {name: value for name, value in cast(dict[str, Any], old).items() if name in new}


def _same(old: Any, new: Any) -> bool:
    """Whether the API's word for a value is what the document says: "100.00" is 100, and lists have no order."""
    if old == new:
        return isinstance(old, bool) == isinstance(new, bool)
    if isinstance(old, dict) and isinstance(new, dict):
        named, wanted = cast(dict[str, Any], old), cast(dict[str, Any], new)
        return named.keys() == wanted.keys() and all(_same(named[name], wanted[name]) for name in named)
    if isinstance(old, str) and isinstance(new, int | float | str) and not isinstance(new, bool):
        try:
            return Decimal(old) == Decimal(str(new))
        except InvalidOperation:
            return False
    if isinstance(old, list) and isinstance(new, list):
        return sorted(map(repr, cast(list[Any], old))) == sorted(map(repr, cast(list[Any], new)))
    return False
