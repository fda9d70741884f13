"""Names of tests give the number of the budget case that they are of."""

import pytest

from tests.support.worst_cases import (
    CHAT,
    CONVERSE,
    GEMINI,
    HI,
    MESSAGES,
    RESPONSES,
    bounded,
    chat,
    messages,
    refused,
)


def test_18_searches_are_bounded_by_the_calls_that_are_allowed():
    search = {"model": "gpt-4o", "input": "a", "max_output_tokens": 10, "tools": [{"type": "web_search"}]}
    assert "max_tool_calls" in refused(RESPONSES, search)
    found = bounded(RESPONSES, search | {"max_tool_calls": 2})
    # Three times the context, and two searches at a cent.
    assert (found.tokens_in, found.tokens_out) == (3 * 128_000, 30)
    assert found.nanousd > 3 * 128_000 * 2_500 + 2 * 10_000_000
    assert refused(RESPONSES, search | {"max_tool_calls": 10**9})


def test_18_searches_of_anthropic_s_are_bounded_by_max_uses():
    tool = {"type": "web_search_20250305", "name": "web_search"}
    assert "max_uses" in refused(MESSAGES, messages(tools=[tool]))
    found = bounded(MESSAGES, messages(tools=[tool | {"max_uses": 30}, {"name": "mine", "input_schema": {}}]))
    assert found.tokens_in == 31 * 200_000
    assert found.nanousd > 31 * 200_000 * 1_000 + 30 * 10_000_000


@pytest.mark.parametrize("uses", [1, 3, 9])
def test_18_the_model_may_try_again_beyond_max_uses_until_the_loop_ends(uses):
    found = bounded(MESSAGES, messages(tools=[{"type": "web_search_20250305", "name": "w", "max_uses": uses}]))
    assert found.tokens_in == 11 * 200_000
    assert found.lines[0].each_attousd == uses * 10**16  # an attempt that fails is no search


def test_18_a_server_of_tools_is_read_though_none_of_them_may_be_used():
    asked = {"model": "gpt-4o", "input": "a", "max_output_tokens": 10, "max_tool_calls": 0}
    server = {"type": "mcp", "server_label": "a", "server_url": "https://example.com"}
    assert bounded(RESPONSES, asked | {"tools": [server]}).tokens_in >= 128_000


def test_18_a_shell_of_the_client_s_is_a_tool_of_the_client_s():
    def shell(**more: object) -> dict:
        return {"model": "gpt-5", "input": "a", "max_output_tokens": 10, "tools": [{"type": "shell", **more}]}

    assert bounded(RESPONSES, shell(environment={"type": "local"})).tokens_in < 3000
    for environment in (None, {"type": "container_auto"}, "local"):
        assert "shell" in refused(RESPONSES, shell(environment=environment))
    assert "shell" in refused(RESPONSES, shell())


def test_18_tools_of_the_chat_api_are_functions_or_custom():
    custom = {"type": "custom", "custom": {"name": "sql", "format": {"type": "text"}}}
    assert bounded(CHAT, chat(tools=[custom, {"type": "function", "function": {"name": "f"}}])).tokens_in < 3000
    assert refused(CHAT, chat(tools=[{"type": "web_search"}]))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (RESPONSES, {"model": "gpt-4o", "input": "a", "max_tool_calls": 1, "tools": [{"type": "code_interpreter"}]}),
        (RESPONSES, {"model": "gpt-4o", "input": "a", "max_tool_calls": 1, "tools": [{"type": "image_generation"}]}),
        (RESPONSES, {"model": "gpt-4o", "input": "a", "max_tool_calls": 1, "tools": [{"type": "brand_new"}]}),
        (MESSAGES, messages(tools=[{"type": "code_execution_20250825", "name": "code_execution"}])),
        (MESSAGES, messages(tools=[{"type": "advisor_20260301", "max_uses": 1}])),
        (MESSAGES, messages(container="c_1")),
        (GEMINI, {"contents": HI, "tools": [{"googleSearch": {}}]}),
        (GEMINI, {"contents": HI, "tools": [{"google_search": {}}]}),
        (GEMINI, {"contents": HI, "tools": [{"functionDeclarations": []}, {"urlContext": {}}]}),
        (CHAT, chat(web_search_options={"search_context_size": "low"})),
        (CHAT, chat(model="gpt-4o-search-preview")),
        ("/openrouter/v1/chat/completions", chat(model="perplexity/sonar")),
        ("/openrouter/v1/chat/completions", chat(model="perplexity/sonar-pro-search")),
        ("/xai/v1/chat/completions", chat(model="grok-4.3", search_parameters={"mode": "on"})),
        ("/cohere/v1/chat", {"model": "command-r-08-2024", "message": "a", "connectors": [{"id": "web-search"}]}),
        ("/perplexity/chat/completions", {"model": "sonar-deep-research", "messages": HI}),
        ("/openrouter/v1/chat/completions", chat(model="openai/gpt-4o:online")),
        ("/openrouter/v1/chat/completions", chat(model="openai/gpt-4o", plugins=[{"id": "web"}])),
        (CONVERSE, {"messages": [], "toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]}}),
    ],
)
def test_18_tools_that_nothing_bounds_are_refused(path, body):
    assert refused(path, body)


def test_18_tools_of_the_client_cost_their_definitions():
    plain = bounded(MESSAGES, messages())
    found = bounded(
        MESSAGES, messages(tools=[{"name": "f", "input_schema": {}}, {"type": "bash_20250124", "name": "bash"}])
    )
    assert 0 < found.tokens_in - plain.tokens_in < 5000


def test_20_remote_mcp_tools_are_bounded_as_searches_are():
    tool = {"type": "mcp", "server_label": "a", "server_url": "https://example.com"}
    body = {"model": "gpt-4o", "input": "a", "max_output_tokens": 10, "tools": [tool]}
    assert "max_tool_calls" in refused(RESPONSES, body)
    assert bounded(RESPONSES, body | {"max_tool_calls": 1}).tokens_in == 2 * 128_000
    assert "mcp" in refused(MESSAGES, messages(mcp_servers=[{"type": "url", "url": "https://example.com"}]))
