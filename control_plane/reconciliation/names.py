"""Owns which of the gateway's models a provider's bill means. Pure; never guesses between two.

A bill names models in its own way: dated snapshots, "Claude4.6Sonnet", "gpt 4o 0806". A name is found if the catalog
knows it (as calls are priced), or if exactly one model that calls went to is spelled with the same words.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from pricing.catalog import Catalog, Price
from pricing.names import stems

# How a bill's name was found. `none`: it stands for itself.
Found = Literal["mapped", "catalog", "spelling", "none"]

# A provider of the gateway -> whose prices it has; the table of gateway/providers.py, for those with exports.
CATALOGS: Mapping[str, str] = {"openai": "openai", "azure": "azure", "anthropic": "anthropic", "bedrock": "aws"}
# Bedrock's prices are of a geography, its bill's names are not.
_BY_STEM = frozenset({"bedrock"})

_JOINED = re.compile(r"(?<=[a-z])(?=[A-Z])")  # NovaPro
_PIECES = re.compile(r"[a-z]+|\d+")
_DATED = re.compile(r"(?<!\d)20\d\d-?(\d\d)-?(\d\d)(?!\d)")
# What is no part of a model's name: vendors, revisions.
_VENDORS = frozenset({"anthropic", "amazon", "meta", "openai", "mistral", "cohere", "ai", "azure"})
_REVISION = re.compile(r"-v\d+(?::\d+)?$|:\d+$")
_POINT_ZERO = re.compile(r"(?<=\d)\.0(?!\d)")


class Named(msgspec.Struct, frozen=True):
    model: str
    found: Found


class Names:
    """The names of one provider: those that the gateway's calls bear, and those of its bill."""

    def __init__(
        self, provider: str, ours: Iterable[str], catalog: Catalog, at_s: int, mapped: Mapping[str, str] | None = None
    ) -> None:
        """`mapped`: names of the bill -> models, as somebody who knows both wrote them down."""
        self._provider, self._catalog, self._at_s = provider, catalog, at_s
        self._mapped = {name.lower(): model for name, model in (mapped or {}).items()}
        self._spelled: dict[tuple[str, ...], set[str]] = defaultdict(set)
        self._known: set[str] = set()
        for name in ours:
            model = self.canonical(name)
            self._known.add(model)
            for words in (spelled(name, dated=True), spelled(name, dated=False), spelled(model, dated=False)):
                self._spelled[words].add(model)

    def canonical(self, name: str) -> str:
        """One name for all that are the same model to who pays for it."""
        if self._provider in _BY_STEM:
            return list(stems(CATALOGS[self._provider], name.lower()))[-1]
        return self._listed(name) or name.lower()

    def _listed(self, name: str) -> str | None:
        """The catalog's model of a name that it knows."""
        price = self._catalog.find(CATALOGS.get(self._provider, ""), name, self._at_s)
        return price.model if isinstance(price, Price) else None

    def find(self, billed: str) -> Named:
        """The gateway's model that a bill's name means, or the name itself."""
        if not billed:
            return Named("", "none")
        if (mapped := self._mapped.get(billed.lower())) is not None:
            return Named(self.canonical(mapped), "mapped")
        model = self.canonical(billed)
        if model in self._known or (self._provider not in _BY_STEM and self._listed(billed) is not None):
            return Named(model, "catalog")
        for words in (spelled(billed, dated=True), spelled(billed, dated=False)):
            if len(meant := self._spelled.get(words, ())) == 1:
                return Named(next(iter(meant)), "spelling")
        return Named(model, "none")


def spelled(name: str, *, dated: bool) -> tuple[str, ...]:
    """The words and numbers of a name, sorted; of a date its month and day, or nothing."""
    text = _POINT_ZERO.sub("", _REVISION.sub("", _JOINED.sub(" ", name).lower()))
    text = _DATED.sub(lambda found: f" {found[1]}{found[2]} ", text)
    pieces = [piece for piece in _PIECES.findall(text) if piece not in _VENDORS]
    if not dated:
        pieces = [piece for piece in pieces if not (piece.isdigit() and len(piece) == 4)]
    return tuple(sorted(pieces))
