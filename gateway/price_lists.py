"""Owns which prices hold for whose calls: the list's, under what the policy states for everybody and for one of them.

One catalog for all organizations that have nothing of their own, and one for each of the others, made when it is first
asked for. A call keeps the catalog that it was admitted at.
"""

from gateway.contract.policy import PriceOverride
from gateway.policy import PolicyView
from pricing.catalog import Catalog
from pricing.overrides import Override

# Catalogs of organizations that are kept, of some 100 KB each once they are in use; beyond that all are made anew.
CATALOGS_MAX = 256


class PriceLists:
    """The prices of one view of the policy after the other."""

    def __init__(self, listed: Catalog, view: PolicyView) -> None:
        self._listed = listed
        self._view = view
        self._everybodys = view.price_overrides("")
        self._shared = _priced(listed, self._everybodys)
        self._own: dict[str, Catalog] = {}

    def follow(self, view: PolicyView) -> None:
        """Holds by another view from now on."""
        before, self._view = self._view.policy, view
        if before.price_overrides is view.policy.price_overrides and before.upstreams is view.policy.upstreams:
            return
        self._own.clear()
        if (everybodys := view.price_overrides("")) != self._everybodys:
            self._everybodys = everybodys
            self._shared = _priced(self._listed, everybodys)

    def of(self, org_id: str) -> Catalog:
        """The prices for the calls of an organization."""
        if not self._view.prices_apart(org_id):
            return self._shared
        known = self._own.get(org_id)
        if known is None:
            if len(self._own) >= CATALOGS_MAX:
                self._own.clear()
            known = self._own[org_id] = _priced(self._listed, self._view.price_overrides(org_id))
        return known


def _priced(listed: Catalog, rows: tuple[PriceOverride, ...]) -> Catalog:
    return listed.with_overrides(
        [Override(row.upstream, row.model, row.rates, row.multiplier, row.starts_at_s, row.ends_at_s) for row in rows]
    )
