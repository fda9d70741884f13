"""Owns redaction: what an organization's rules make of its events before anything of them is written.

First fields are dropped, then values hashed, then patterns replaced. The organization's own patterns run in RE2, which
takes time in proportion to the text whatever the pattern says; Arrow brings it, and gets all texts of a batch at once.
"""
# pyarrow ships no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta
from msgspec.structs import replace

from control_plane.ingest.detect import KINDS, Kind, redacted
from control_plane.ingest.event import Event

# A few for each thing that an organization calls by names of its own; each is a pass over all texts.
PATTERNS_MAX = 20
PATTERN_CHARS_MAX = 256
FIELDS_MAX = 50
# A hashed value: 96 bits, so that a billion of them are all different.
_HASH_CHARS = 24
# Shorter numbers identify nobody.
_NUMBER_MIN = 10**6

_METADATA = "metadata"
# Texts and lists of texts of an event that patterns look at, beside its metadata.
TEXTS = ("user_id", "team", "route", "tags", "upstream_request_id")

Field = Annotated[
    str,
    Meta(
        pattern=rf"^({'|'.join(TEXTS)}|{_METADATA}|{_METADATA}\..{{1,128}})$(?!\n)",
        description=f"One of {', '.join(TEXTS)}, {_METADATA}, or {_METADATA}.<key> for one member",
        examples=["user_id"],
    ),
]


class Pattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A regular expression in RE2's syntax, and the text that stands where it matched."""

    pattern: Annotated[str, Meta(min_length=1, max_length=PATTERN_CHARS_MAX, examples=["CUST-[0-9]{6}"])]
    replacement: Annotated[str, Meta(max_length=64)] = "[redacted]"


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is dropped, hashed and replaced. `detect` are built-in patterns; they and `patterns` look at all texts."""

    drop: Annotated[list[Field], Meta(max_length=FIELDS_MAX)] = []
    hash: Annotated[list[Field], Meta(max_length=FIELDS_MAX)] = []
    detect: Annotated[list[Kind], Meta(max_length=len(KINDS))] = []
    patterns: Annotated[list[Pattern], Meta(max_length=PATTERNS_MAX)] = []


def fault_of(pattern: str) -> str:
    """What is wrong with a pattern; empty if nothing is."""
    try:
        matches_nothing = pc.match_substring_regex(pa.array([""]), pattern=pattern)[0].as_py()
    except pa.ArrowInvalid as error:
        return f"is no regular expression of RE2: {str(error).partition(': ')[2]}"
    return "matches the empty text, which is everywhere" if matches_nothing else ""


class Redactor:
    """The rules of one organization, made ready. Equal values have equal hashes, within one organization alone."""

    def __init__(self, rules: Rules, hash_key: bytes) -> None:
        self._rules = rules
        self._hash_key = hash_key
        self._kinds = frozenset(rules.detect)

    def __call__(self, events: Sequence[Event]) -> list[Event]:
        """The events as they may be stored."""
        kept = [self._marked(event) for event in events]
        if not self._kinds and not self._rules.patterns:
            return kept
        texts = [text for event in kept for text in _texts(event)]
        clean = iter(self._replaced(texts))
        return [_with_texts(event, clean) for event in kept]

    def _marked(self, event: Event) -> Event:
        for field in self._rules.drop:
            event = _edited(event, field, lambda _: None)
        for field in self._rules.hash:
            event = _edited(event, field, self._hashed)
        return event

    def _hashed(self, value: object) -> str | None:
        if value is None or value == "":
            return None
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        return "h_" + hmac.new(self._hash_key, text.encode(), hashlib.sha256).hexdigest()[:_HASH_CHARS]

    def _replaced(self, texts: list[str]) -> list[str]:
        if self._kinds:
            texts = [redacted(text, self._kinds) for text in texts]
        if self._rules.patterns and texts:
            column = pa.array(texts, pa.string())
            for rule in self._rules.patterns:
                # Taken literally: a backslash would name a group.
                literal = rule.replacement.replace("\\", r"\\")
                column = pc.replace_substring_regex(column, pattern=rule.pattern, replacement=literal)
            texts = column.to_pylist()
        return texts


def _edited(event: Event, field: str, edit: Callable[[object], str | None]) -> Event:
    """The event with another value in a field; None takes it away."""
    name, _, key = field.partition(".")
    if name == _METADATA:
        return replace(event, metadata=_edited_metadata(event.metadata, key, edit))
    if name == "tags":
        return replace(event, tags=tuple(tag for old in event.tags if (tag := edit(old)) is not None))
    return replace(event, **{name: edit(getattr(event, name)) or ""})


def _edited_metadata(
    metadata: dict[str, Any] | None, key: str, edit: Callable[[object], str | None]
) -> dict[str, Any] | None:
    if metadata is None or (key and key not in metadata):
        return metadata
    edited = {name: edit(value) if not key or name == key else value for name, value in metadata.items()}
    kept = {name: value for name, value in edited.items() if value is not None or metadata[name] is None}
    return kept or None


def _texts(event: Event) -> Iterator[str]:
    """Every text that patterns look at, always in one order."""
    for name in TEXTS:
        value = getattr(event, name)
        if isinstance(value, tuple):
            yield from cast("tuple[str, ...]", value)
        else:
            yield value
    yield from _texts_in(event.metadata)


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in cast(dict[str, Any], value).values():
            yield from _texts_in(inner)
    elif isinstance(value, list):
        for inner in cast(list[Any], value):
            yield from _texts_in(inner)
    elif _is_long_number(value):
        yield str(value)


def _with_texts(event: Event, clean: Iterator[str]) -> Event:
    """The event with its texts replaced, in the order of `_texts`."""
    changed: dict[str, Any] = {}
    for name in TEXTS:
        value = getattr(event, name)
        changed[name] = tuple(next(clean) for _ in value) if isinstance(value, tuple) else next(clean)
    changed[_METADATA] = _with_texts_in(event.metadata, clean)
    return replace(event, **changed)


def _with_texts_in(value: Any, clean: Iterator[str]) -> Any:
    if isinstance(value, str):
        return next(clean)
    if isinstance(value, dict):
        return {name: _with_texts_in(inner, clean) for name, inner in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [_with_texts_in(inner, clean) for inner in cast(list[Any], value)]
    if _is_long_number(value):
        text = next(clean)
        return value if text == str(value) else text
    return value


def _is_long_number(value: object) -> bool:
    """A card's number is one in JSON, too."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _NUMBER_MIN
