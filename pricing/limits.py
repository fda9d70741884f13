"""Owns Limits: how many tokens a model takes in and puts out at most, as its provider publishes it. Knows no prices.

data/model_limits.json was trimmed on 2026-11-23 from `model_prices_and_context_window_backup.json` of litellm 1.109.1
(MIT): provider, as genai-prices calls it -> model -> [most input tokens, most output tokens], null where it says
nothing. Of a model that stands there more than once (for regions, or two APIs of one provider) the larger is kept. The
first GPT-4 and the base models put out as much as they take in (platform.openai.com/docs/models), where it says less.
"""

from collections.abc import Iterable, Mapping
from importlib.resources import files

import msgspec

from pricing.names import stems


class Limits(msgspec.Struct, frozen=True, gc=False):
    """The most tokens of one pass of a model; None where that is not published."""

    input_tokens_max: int | None
    output_tokens_max: int | None


_Table = dict[str, Limits]

# Whose models a provider resells under the same names. Lists of resellers lag behind, so the larger limit holds.
_RESELLS: Mapping[str, tuple[str, ...]] = {"azure": ("openai",)}


def find_limits(provider: str, model: str) -> Limits | None:
    """The limits of a model by its name, or by that of which it is a dated snapshot; None where nothing is published.

    A name without a date whose snapshots alone are listed has the largest of theirs: which of them it means, changes.
    """
    name = model.lower()
    sellers = (provider, *_RESELLS.get(provider, ()))
    found = [limits for seller in sellers if (limits := _EXACT.get(seller, {}).get(name) or _by_stem(seller, name))]
    return _largest(found) if found else None


def _by_stem(provider: str, name: str) -> Limits | None:
    known = _STEMS.get(provider)
    return next((known[stem] for stem in stems(provider, name) if stem in known), None) if known else None


def _load() -> dict[str, _Table]:
    raw = files("pricing").joinpath("data/model_limits.json").read_bytes()
    listed = msgspec.json.decode(raw, type=dict[str, dict[str, tuple[int | None, int | None]]])
    return {
        provider: {model: Limits(*limits) for model, limits in models.items()} for provider, models in listed.items()
    }


def _stemmed(provider: str, table: _Table) -> _Table:
    """Every name, and every stem that names grow from, with the largest limits of those that do."""
    grown: dict[str, list[Limits]] = {}
    for name, limits in table.items():
        for stem in set(stems(provider, name)):
            grown.setdefault(stem, []).append(limits)
    return {stem: _largest(of) for stem, of in grown.items()}


def _largest(limits: Iterable[Limits]) -> Limits:
    known = tuple(limits)
    return Limits(
        max((each.input_tokens_max for each in known if each.input_tokens_max is not None), default=None),
        max((each.output_tokens_max for each in known if each.output_tokens_max is not None), default=None),
    )


_EXACT = _load()
_STEMS = {provider: _stemmed(provider, table) for provider, table in _EXACT.items()}
