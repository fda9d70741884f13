import json

import pytest

from control_plane.reconciliation.anthropic_costs import read
from control_plane.reconciliation.lines import Unreadable

RESULT = {
    "currency": "USD",
    "amount": "123.78912",
    "workspace_id": None,
    "description": "Claude Sonnet 4 Usage - Input Tokens",
    "cost_type": "tokens",
    "context_window": "0-200k",
    "model": "claude-sonnet-4-20250514",
    "service_tier": "standard",
    "token_type": "uncached_input_tokens",
}


def page(**fields: object) -> bytes:
    bucket = {"starting_at": "2025-08-01T00:00:00Z", "ending_at": "2025-08-02T00:00:00Z", "results": [RESULT | fields]}
    return json.dumps({"data": [bucket], "has_more": False, "next_page": None}).encode()


def test_an_amount_is_in_cents():
    [line] = read(page()).lines
    assert (line.cost_nanousd, line.measure, line.model) == (1_237_891_200, "input", "claude-sonnet-4-20250514")


def test_searches_are_of_no_model():
    [line] = read(page(model=None, token_type=None, cost_type="web_search", description="Web Search Usage")).lines
    assert (line.model, line.measure) == ("", "web_searches")


def test_both_times_to_live_are_cache_writes():
    [line] = read(page(token_type="cache_creation.ephemeral_1h_input_tokens")).lines
    assert line.measure == "cache_write"


@pytest.mark.parametrize("amount", ["1,5", "NaN", "", "1e99"])
def test_what_is_no_amount_is_refused_with_its_place(amount):
    with pytest.raises(Unreadable, match=r"results\[0\]\.amount"):
        read(page(amount=amount))
