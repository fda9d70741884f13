"""Owns the resolution of model names: which catalog model a name means, and how surely. Knows no prices.

genai-prices finds models by prefixes and substrings, so `claude-sonnet-4-5-whatever` has the price of
claude-sonnet-4-5 there. Here a name is known if a clause spells it out, or if it is a snapshot — a
spelled-out name with a date, a revision, an area or a release stage — that genai-prices' own clauses accept.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseStartsWith,
    MatchLogic,
    ModelInfo,
    Provider,
)

# Google's API names models by resource: models/gemini-2.5-pro (ai.google.dev/api/models).
_RESOURCE_PREFIXES = {"google": "models/"}

# What may stand around a name without changing the model, peeled from the outside inwards.
_AROUND = (
    # Bedrock's revisions, profiles of an area and makers: us.anthropic.claude-haiku-4-5-20251001-v1:0
    # (docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html).
    re.compile(r"()-v\d+:\d+$"),
    re.compile(r"^()(?:us|us-gov|eu|apac|jp|au|ca)\.(?=[a-z0-9]+\.)"),
    re.compile(r"^()anthropic\."),
    # OpenAI fine-tunes: ft:gpt-4o-2024-08-06:org:suffix:id (developers.openai.com/api/docs/guides/fine-tuning).
    re.compile(r"(?<=^ft:)([^:]+):[^:]*:[^:]*:[^:]+$"),
    # Dates and revisions: -2024-08-06, -20250929, @20250929, :20230824-v2, -05-20, -09-2025, -0613, -001.
    re.compile(r"()(?:[-@](?:20\d\d-\d\d-\d\d|20\d{6}|\d\d-\d\d|\d\d-20\d\d|\d{3,4})|:20\d{6}-v\d)$"),
    # Release stages.
    re.compile(r"()(?:-(?:preview|exp|latest)|@(?:latest|default))$"),
)


class Resolved(NamedTuple):
    model: ModelInfo
    match: Literal["exact", "alias"]
    borrowed: bool = False  # found in the table of a provider whose models this one resells


class Names:
    """All names of a set of providers. Holds nothing but what the catalog spells out."""

    __slots__ = ("_by_provider", "_providers")

    def __init__(self, providers: Sequence[Provider]) -> None:
        self._providers = {provider.id: provider for provider in providers}
        self._by_provider = {provider.id: _Spelled(provider) for provider in providers}

    def __contains__(self, provider: str) -> bool:
        return provider in self._by_provider

    def resolve(self, provider: str, name: str) -> Resolved | None:
        """The model a lower-case name means at a provider (its own models first, then those it resells), or None."""
        known = self._by_provider.get(provider)
        if known is None:
            return None
        name = name.removeprefix(_RESOURCE_PREFIXES.get(provider, ""))
        own = known.resolve(name)
        if own is not None:
            return own
        for reseller_of in self._providers[provider].fallback_model_providers or ():
            found = self._by_provider[reseller_of].resolve(name)
            if found is not None:
                return Resolved(found.model, "alias", borrowed=True)
        return None


class _Spelled:
    """One provider's spelled-out names: those that are a model, and the stems that snapshots grow from."""

    __slots__ = ("_models", "_provider", "_stems")

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._models: dict[str, Resolved] = {}
        self._stems: dict[str, set[str]] = {}
        # An id that its own clauses do not accept is a label, not a name ("regional.openai.gpt-6-sol").
        for model in provider.models:
            if model.is_match(model.id):
                self._models.setdefault(model.id.lower(), Resolved(model, "exact"))
        for model in provider.models:
            for clause in _literals(model.match):
                self._add(model, clause)

    def _add(self, model: ModelInfo, clause: "_Literal") -> None:
        text = clause.text.lower()
        if clause.whole and model.is_match(text):
            self._models.setdefault(text, Resolved(model, "alias"))
        for stem in (text.rstrip("-@"), model.id.lower()):
            self._stems.setdefault(stem, set()).add(model.id)

    def resolve(self, name: str) -> Resolved | None:
        return self._models.get(name) or self._snapshot(name)

    def _snapshot(self, name: str) -> Resolved | None:
        stem = name
        candidates = set(self._stems.get(stem, ()))
        for around in _AROUND:
            stem = around.sub(r"\1", stem)
            candidates |= self._stems.get(stem, set())
        # The provider's clauses have the last word: gpt-4o-2024-05-13 is not gpt-4o. find_model keeps no cache.
        model = self._provider.find_model(name) if candidates else None
        return Resolved(model, "alias") if model is not None and model.id in candidates else None


class _Literal(NamedTuple):
    text: str
    whole: bool  # the clause is about the whole name, not about a part of it


def _literals(clause: MatchLogic) -> Iterator[_Literal]:
    match clause:
        case ClauseEquals(equals=text):
            yield _Literal(text, whole=True)
        case ClauseStartsWith(starts_with=text) | ClauseEndsWith(ends_with=text) | ClauseContains(contains=text):
            yield _Literal(text, whole=False)
        case ClauseOr(or_=clauses) | ClauseAnd(and_=clauses):
            for inner in clauses:
                yield from _literals(inner)
        case _:  # a regular expression spells nothing out; it may still accept a snapshot
            return
