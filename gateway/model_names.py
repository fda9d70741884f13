"""Owns by which names quotas and kill switches know the model of a call. Pure.

A client may ask for one model by several names: an alias, each of its dated snapshots, a deployment. A scope that names
the model as it is listed is of all of them; one that names a snapshot is of that alone. A call is also of the models
that it names to answer in the place of its own, or to work for it: which of them did is known when it is too late.
"""

from collections.abc import Callable
from itertools import chain

from gateway.examine import Call
from gateway.route import Route

# The name under which a model is listed: a provider's id in the catalog and a name -> the name, or "" (Catalog.listed).
Listed = Callable[[str, str], str]


def names_of(route: Route, call: Call, listed: Listed) -> tuple[str, ...]:
    """What is asked for, what the upstream's `models` map that to, and what the price list calls that; each once."""
    destination = route.destination
    mapped, provider = destination.upstream.models, destination.provider.catalog
    names = known_as(call.model, mapped.get(call.model) or call.model, provider, listed)
    if not call.beside:
        return names
    others = (known_as(one, mapped.get(one) or one, provider, listed) for one in call.beside)
    return tuple(dict.fromkeys((*names, *chain.from_iterable(others))))


def known_as(asked: str, mapped: str, provider: str, listed: Listed) -> tuple[str, ...]:
    """The same of a model that was asked for at a provider of the catalog, and of what that was mapped to."""
    return tuple(dict.fromkeys((asked, mapped, listed(provider, mapped) or mapped)))
