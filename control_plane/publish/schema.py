"""Owns what the API says of gateways."""

import msgspec


class GatewayOut(msgspec.Struct, frozen=True):
    """A worker of a gateway. `behind`: how many changes of the policy it does not know yet.

    `inflight`: the organization's own calls under way there; other organizations' are theirs to know.
    """

    node: str
    seen_at_ms: int
    policy_version: int
    behind: int
    inflight: int
    shared: bool
