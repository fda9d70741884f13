"""The official Node SDKs straight against the sandbox; the same script tells the story through a gateway."""

import shutil

import pytest

from tests.support.node_calls import INSTALL_COMMAND, installed, node_transcripts
from tests.support.processes import running_sandbox

KEY = "sandbox-key"

pytestmark = [
    pytest.mark.skipif(not shutil.which("node"), reason="needs Node 20 or newer"),
    pytest.mark.skipif(not installed(), reason=f"needs the Node SDKs: {INSTALL_COMMAND}"),
]


def test_the_node_sdks_understand_every_answer_and_are_told_the_same_again():
    with running_sandbox() as url:
        told = node_transcripts(openai_url=url, anthropic_url=url, key=KEY)
        again = node_transcripts(openai_url=url, anthropic_url=url, key=KEY)

    assert told == again
    assert told["openai.chat.stream.usage"][-1]["usage"] == told["openai.chat"][0]["usage"]
    accumulated, whole = told["anthropic.messages.stream.accumulated"][0], told["anthropic.messages"][0]
    assert accumulated["content"] == whole["content"]
    assert accumulated["usage"]["output_tokens"] == whole["usage"]["output_tokens"] == 16
