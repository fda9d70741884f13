"""Owns by which names quotas and kill switches know the model of a call. Pure.

A client may ask for one model by several names: an alias, each of its dated snapshots, a deployment. A scope that names
the model as it is listed is of all of them; one that names a snapshot is of that alone.
"""

from collections.abc import Callable

from gateway.examine import Call
from gateway.route import Route

# The name under which a model is listed: a provider's id in the catalog and a name -> the name, or "" (Catalog.listed).
Listed = Callable[[str, str], str]


def names_of(route: Route, call: Call, listed: Listed) -> tuple[str, ...]:
    """What is asked for, what the upstream's `models` map that to, and what the price list calls that; each once."""
    destination = route.destination
    mapped = destination.upstream.models.get(call.model) or call.model
    return known_as(call.model, mapped, destination.provider.catalog, listed)


def known_as(asked: str, mapped: str, provider: str, listed: Listed) -> tuple[str, ...]:
    """The same of a model that was asked for at a provider of the catalog, and of what that was mapped to."""
    return tuple(dict.fromkeys((asked, mapped, listed(provider, mapped) or mapped)))
