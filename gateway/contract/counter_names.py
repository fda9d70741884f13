"""Owns how the values of a scope stand in a counter's name, and how they are read back out of it.

A name is `<quota>@<period>`, then `|<dimension>=<value>` for each dimension that is counted apart. Callers choose some
of the values: what parts a name is escaped in them, so that no two scopes have one name.
"""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from gateway.contract.policy import Dimension

# What parts a name and what escapes it; and no name is of two lines.
_ESCAPED = re.compile(r"[%|=\x00-\x1f\x7f]")


def counter_name(stem: str, scope: Iterable[tuple[Dimension, str]]) -> str:
    """`stem` is the quota's id and the period: `users@2027-01`."""
    return stem + "".join(f"|{dimension}={escaped(value)}" for dimension, value in scope)


def escaped(value: str) -> str:
    """A value as it stands in a name: as URLs do it, but for few characters."""
    return _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", value)


def values_in(counter: str, dimensions: Sequence[Dimension]) -> dict[str, str]:
    """The values in a counter's name, of those dimensions in their order; of the ones it has."""
    rest, values = counter[len(counter.partition("|")[0]) :], dict[str, str]()
    for dimension in reversed(dimensions):
        rest, found, value = rest.rpartition(f"|{dimension}=")
        if found:
            values[dimension] = unquote(value)
    return values


def shown(counter: str) -> str:
    """A name for people, who see values as they are."""
    return unquote(counter)
