"""Owns settings declared as a struct whose fields say their sentence: checked, converted, told of in a table.

Knows no setting, and not where values come from.
"""

import difflib
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

KIB, MIB = 1 << 10, 1 << 20


def says(sentence: str) -> Meta:
    """What a field is for, and why its default is what it is."""
    return Meta(description=sentence)


class Declared:
    """The fields of a struct, each `Annotated[str | int | Literal, …, says(…)]` with a default."""

    def __init__(self, structure: type[msgspec.Struct], secret: frozenset[str] = frozenset()) -> None:
        """Values of `secret` fields stand in no message."""
        self._secret = secret
        self._hints: dict[str, Any] = get_type_hints(structure, include_extras=True)
        self._defaults = structure()

    def problem(self, name: str, value: object, *, prefix: str = "") -> str:
        """What is wrong with a name or its value, or nothing. `prefix` is that of variables, whose values are text."""
        if name not in self._hints:
            nearest = difflib.get_close_matches(name, self._hints, n=1, cutoff=0)[0]
            return f"no setting is called that; the nearest is {prefix + nearest.upper() if prefix else nearest}"
        try:
            msgspec.convert(value, self._hints[name], strict=not prefix)
        except msgspec.ValidationError:
            accepts, default = _accepts(self._hints[name]), getattr(self._defaults, name)
            if name in self._secret:
                return f"is not {accepts}; set one, or remove it"
            return f"{value!r} is not {accepts}; set one, or remove it for the default {default!r}"
        return ""

    def convert(self, name: str, value: object) -> Any:
        """The value of a field that has no problem."""
        return msgspec.convert(value, self._hints[name], strict=False)

    def rows(self) -> str:
        """A Markdown table's rows: name, default, what it accepts, what it is."""
        return "".join(
            f"| `{name}` | {self._default(name)} | {_accepts(hint)} | {_sentence(hint)} |\n"
            for name, hint in self._hints.items()
        )

    def _default(self, name: str) -> str:
        value = getattr(self._defaults, name)
        if name.endswith("_bytes_max"):
            return f"`{value}` ({value // MIB} MiB)" if value >= MIB else f"`{value}` ({value // KIB} KiB)"
        return f"`{value}`" if value != "" else "empty"


def _accepts(hint: Any) -> str:
    kind = hint.__origin__
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    bounds = {
        name: bound for meta in hint.__metadata__ for name in ("ge", "le") if (bound := getattr(meta, name)) is not None
    }
    if kind is int:
        return f"a whole number from {bounds['ge']} to {bounds['le']}"
    return "text of at least one character" if any(meta.min_length for meta in hint.__metadata__) else "text"


def _sentence(hint: Any) -> str:
    return next(meta.description for meta in hint.__metadata__ if meta.description)
