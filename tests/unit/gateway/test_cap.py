import json

import pytest

from gateway.cap import lower_cap


@pytest.mark.parametrize(
    ("reader", "provider", "before", "after"),
    [
        ("openai.chat", "openai", b'{"model":"m"}', b'{"max_completion_tokens":50,"model":"m"}'),
        ("openai.chat", "groq", b'{"model":"m"}', b'{"max_tokens":50,"model":"m"}'),
        ("openai.chat", "openai", b'{"max_tokens": 900, "n":2}', b'{"max_tokens": 25, "n":2}'),
        ("openai.chat", "openai", b'{"max_tokens":40}', b'{"max_tokens":40}'),
        (
            "openai.chat",
            "openai",
            b'{"max_tokens":900,"max_completion_tokens":40}',
            b'{"max_tokens":50,"max_completion_tokens":40}',
        ),
        ("openai.completions", "openai", b'{"best_of":5}', b'{"max_tokens":10,"best_of":5}'),
        ("openai.responses", "openai", b"{}", b'{"max_output_tokens":50}'),
        ("anthropic.messages", "anthropic", b'{"max_tokens":4096}', b'{"max_tokens":50}'),
        ("gemini.generate", "google", b'{"contents":[]}', b'{"generationConfig":{"maxOutputTokens":50},"contents":[]}'),
        (
            "gemini.generate",
            "google",
            b'{"generationConfig": {"temperature":1,"candidateCount":2}}',
            b'{"generationConfig": {"maxOutputTokens":25,"temperature":1,"candidateCount":2}}',
        ),
        ("bedrock.converse", "aws", b'{"inferenceConfig":{}}', b'{"inferenceConfig":{"maxTokens":50}}'),
        ("ollama.chat", "ollama", b'{"options":null}', b'{"options":{"num_predict":50}}'),
    ],
)
def test_a_cap_is_lowered_or_added_and_nothing_else_changes(reader: str, provider: str, before: bytes, after: bytes):
    assert lower_cap(reader, provider, before, 50) == after


def test_what_has_no_cap_or_no_room_is_left_to_be_refused():
    assert lower_cap("openai.embeddings", "openai", b"{}", 50) is None
    assert lower_cap("openai.chat", "openai", b'{"n":51}', 50) is None


def test_an_escaped_name_is_the_name():
    lowered = lower_cap("openai.chat", "openai", rb'{"max_t\u006fkens":900}', 50)

    assert lowered is not None
    assert json.loads(lowered) == {"max_tokens": 50}
