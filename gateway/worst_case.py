"""Stub until merged."""

import msgspec
from pricing.bound import Bound, Unbounded


class WorstCase(msgspec.Struct):
    tokens_in: int
    tokens_out: int
    open_ended: bool
    bound: Bound


def worst_case(call, route, catalog, at_s):
    import json

    body = json.loads(call.text or b"{}")
    cap = body.get("max_tokens") or 16384
    return WorstCase(
        len(call.text),
        cap,
        bool(call.stream and "max_tokens" not in body),
        Bound(len(call.text) * 150_000_000_000, 600_000_000_000),
    )


def tighten(worst, call, route):
    return worst
