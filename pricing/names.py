"""Owns the resolution of model names: which catalog model a name means, and how surely. Knows no prices.

genai-prices finds models by prefixes and substrings, so `claude-sonnet-4-5-whatever` has the price of
claude-sonnet-4-5 there. Here a name is known if a clause spells it out, or if it is a snapshot — a
spelled-out name with a date, a revision or a release stage — that genai-prices' own clauses accept. At Bedrock
the geography is part of the price, and a name whose geography has no price of its own listed is not known.
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

# What may follow a name without changing the model, peeled from the end inwards.
_SUFFIXES = (
    # OpenAI fine-tunes: ft:gpt-4o-2024-08-06:org:suffix:id (developers.openai.com/api/docs/guides/fine-tuning).
    re.compile(r"(?<=^ft:)([^:]+):[^:]*:[^:]*:[^:]+$"),
    # Dates and revisions: -2024-08-06, -20250929, @20250929, :20230824-v2, -05-20, -09-2025, -0613, -001.
    re.compile(r"()(?:[-@](?:20\d\d-\d\d-\d\d|20\d{6}|\d\d-\d\d|\d\d-20\d\d|\d{3,4})|:20\d{6}-v\d)$"),
    # Release stages.
    re.compile(r"()(?:-(?:preview|exp|latest)|@(?:latest|default))$"),
)


# Bedrock's names begin with the geography of their inference profile and end with a revision, "us.…-v1:0"
# (docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html). The first version may be left out.
_BEDROCK = "aws"
_GEOGRAPHY = re.compile(r"^(global|us-gov|us|eu|apac|jp|au|in|ca|sa)\.")
_REVISIONS = (re.compile(r"():\d$"), re.compile(r"()-v1$"))
# genai-prices heads the ids of what costs the same in one geography as in the next, some 10 % above "global.".
_REGIONAL = "regional."
# Where such a price holds if no clause names a geography: the profiles that those models (Claude 3) had.
_REGIONAL_GEOGRAPHIES = frozenset(("us", "eu", "apac"))
# Where a price without such a heading holds: Nova and Llama are said to cost more in Europe, and only one is listed.
_LISTED_GEOGRAPHY = "us"


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
        for stem in (text.rstrip("-@"), *_own_stems(self._provider.id, model.id.lower())):
            self._stems.setdefault(stem, set()).add(model.id)

    def resolve(self, name: str) -> Resolved | None:
        return self._models.get(name) or self._snapshot(name)

    def _snapshot(self, name: str) -> Resolved | None:
        candidates = {each for stem in stems(self._provider.id, name) for each in self._stems.get(stem, ())}
        # The provider's clauses have the last word: gpt-4o-2024-05-13 is not gpt-4o. find_model keeps no cache.
        model = self._provider.find_model(name) if candidates else None
        if model is None or model.id not in candidates or not _holds_there(self._provider.id, model, name):
            return None
        return Resolved(model, "alias")


def _own_stems(provider: str, model: str) -> Iterator[str]:
    """What a model's id contributes: itself and, at Bedrock, without genai-prices' heading and the revision."""
    yield model
    if provider == _BEDROCK:
        bare = _GEOGRAPHY.sub("", model.removeprefix(_REGIONAL))
        yield bare
        yield _REVISIONS[0].sub("", bare)


def stems(provider: str, name: str) -> Iterator[str]:
    """The name, and what is left of it as endings are peeled off; at Bedrock, without its geography as well."""
    is_bedrock = provider == _BEDROCK
    for stem in (name, _GEOGRAPHY.sub("", name)) if is_bedrock else (name,):
        yield stem
        for suffix in (*_REVISIONS, *_SUFFIXES) if is_bedrock else _SUFFIXES:
            stem = suffix.sub(r"\1", stem)
            yield stem


def _holds_there(provider: str, model: ModelInfo, name: str) -> bool:
    """Whether the model's price is that of the geography in the name. Clauses that name none accept any."""
    placed = _GEOGRAPHY.match(name) if provider == _BEDROCK else None
    if placed is None:
        return True
    spelled = {found[1] for clause in _literals(model.match) if (found := _GEOGRAPHY.match(clause.text.lower()))}
    if spelled:
        return placed[1] in spelled
    if model.id.startswith(_REGIONAL):
        return placed[1] in _REGIONAL_GEOGRAPHIES
    return placed[1] == _LISTED_GEOGRAPHY


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
