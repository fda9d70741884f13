"""Owns that nothing is published which a gateway would refuse: the gateway's own rules, asked before the commit."""

from collections.abc import Mapping

from control_plane.api.problems import FieldProblem, Problem
from gateway import policy_rules
from gateway.contract.policy import Policy

# A gateway refuses an item of 200 KiB; this leaves room for the line around it.
ITEM_BYTES_MAX = 128 * 1024


def accept(policy: Policy, table: str, places: Mapping[str, str]) -> None:
    """Raises Problem 400 with all that a gateway would find wrong with the rows of one table of a policy.

    The policy holds stand-ins for what the rows refer to. `places` says where in the request a field is, if not in
    `body/<field>`; "" is the row as a whole.
    """
    found = [(path, message) for path, message in policy_rules.problems(policy) if path[0] == table]
    if not found:
        return
    errors = tuple(FieldProblem(_pointer(path, places), message) for path, message in found)
    detail = "; ".join(f"{error.pointer}: {error.message}" for error in errors)
    raise Problem(400, "invalid", detail, errors=errors)


def _pointer(path: policy_rules.Path, places: Mapping[str, str]) -> str:
    field = str(path[2]) if len(path) > 2 else ""
    return places.get(field, f"body/{field}" if field else "body")
