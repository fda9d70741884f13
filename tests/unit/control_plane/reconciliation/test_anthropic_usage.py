import json
from datetime import date

import pytest

from control_plane.reconciliation.anthropic_usage import read
from control_plane.reconciliation.lines import Unreadable

# As the API reference shows it.
PAGE = {
    "data": [
        {
            "starting_at": "2025-08-01T00:00:00Z",
            "ending_at": "2025-08-02T00:00:00Z",
            "results": [
                {
                    "api_key_id": "apikey_01Rj2N8SVvo6BePZj99NhmiT",
                    "cache_creation": {"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500},
                    "cache_read_input_tokens": 200,
                    "context_window": "0-200k",
                    "model": "claude-sonnet-4-20250514",
                    "output_tokens": 500,
                    "server_tool_use": {"web_search_requests": 10},
                    "service_tier": "standard",
                    "uncached_input_tokens": 1500,
                    "workspace_id": "wrkspc_01JwQvzr7rXLA5AGx3HKfFUJ",
                }
            ],
        }
    ],
    "has_more": True,
    "next_page": "2019-12-27T18:11:19.117Z",
}


def test_the_documented_page_reads_as_it_says():
    account = read(json.dumps(PAGE).encode())
    assert account.from_day == account.to_day == date(2025, 8, 1)
    assert account.next_page == "2019-12-27T18:11:19.117Z"
    assert {line.measure: line.quantity for line in account.lines} == {
        "input": 1500, "cache_read": 200, "cache_write": 1500, "output": 500, "web_searches": 10,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("found", "instead", "place"),
    [
        ('"claude-sonnet-4-20250514"', "null", r"results\[0\]\.model: is null"),
        ('"output_tokens": 500', '"output": 500', "output_tokens"),
        ("2025-08-02T00:00:00Z", "2025-08-03T00:00:00Z", r"data\[0\]"),
        ("2025-08-01T00:00:00Z", "2025-08-01T00:00:00", "starting_at"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(found, instead, place):
    with pytest.raises(Unreadable, match=place):
        read(json.dumps(PAGE).replace(found, instead).encode())
