"""A request from top to bottom: what is refused where, what is journaled when, and that each call is recorded once."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.contract.record import decode_record
from gateway.faults import CODES
from gateway.journal.frame import INTENT
from tests.support.data_plane import (
    Gateway,
    answer,
    call,
    policy,
    provider,
    serving,
    until,
    upstreams_at,
)

CHAT = "/v1/chat/completions"
BODY = b'{"model":"gpt-4o"}'
WHOLE = b'{"model":"gpt-4o","usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}'
AZURE = """
[upstreams.azure]
resources = ["mine"]
credential_id = "openai"
[upstreams.vllm]
origin = "http://127.0.0.1:1"
"""

# Whatever can be refused before a provider is called, and by which request.
REFUSED: dict[str, bytes] = {
    "malformed_request": b"GET /v1/models HTTP/1.1\r\n\r\n",
    "malformed_body": call(CHAT, b"no json"),
    "invalid_header": call(CHAT, BODY, b"x-lensai-metadata: no json"),
    "ambiguous_credentials": call(CHAT, BODY, b"x-api-key: another"),
    "missing_key": call(CHAT, BODY, token=""),
    "invalid_key": call(CHAT, BODY, token="lk-wrong"),
    "missing_credential": call("/vllm/v1/chat/completions", BODY),
    "key_scope": call("/v1/embeddings", BODY),
    "endpoint_not_metered": call("/v1/videos", BODY),
    "resource_not_allowed": call("/azure/theirs/openai/v1/embeddings", BODY),
    "unknown_upstream": call("/nowhere", BODY),
    "method_not_allowed": call(CHAT).replace(b"GET", b"PUT"),
    "body_too_large": call(CHAT, b"x" * 2000),
    "unsupported_encoding": call(CHAT, BODY, b"content-encoding: compress"),
    "header_too_large": call(CHAT, BODY, b"x-long: " + b"y" * 3000),
    "upstream_unreachable": call("/k/lk-test/vllm/v1/chat/completions", BODY, b"authorization: own", token=""),
}
UNRECORDED = {
    "malformed_request", "header_too_large", "missing_key", "invalid_key", "ambiguous_credentials", "invalid_header",
}  # fmt: skip
# The others need a provider, a clock or a disk: their tests are here and in the tests named like their sources.
REFUSED_ELSEWHERE = {
    "request_timeout", "gateway_error", "upstream_broken", "overloaded", "journal_unavailable", "shutting_down",
    "upstream_timeout", "shared_credential",
    # Of budgets, in test_quota_words.py, test_kill_switch.py and tests/integration/test_refusals_sdks.py:
    "budget_exceeded", "budget_exhausted_midstream", "kill_switch", "unbounded_cost", "unpriced_model",
    "scope_values_exceeded", "rate_limited", "ledger_unavailable",
}  # fmt: skip


def test_every_reason_to_refuse_is_tested():
    assert set(CODES) == set(REFUSED) | REFUSED_ELSEWHERE


@pytest.mark.parametrize("code", REFUSED)
async def test_a_refusal_names_its_reason(tmp_path, code):
    limits = {"body_bytes_max": 1000, "header_bytes_max": 2000}
    toml = policy(upstreams_at(1, "openai") + AZURE, 'endpoints = ["chat.completions"]')
    async with serving(tmp_path, toml, **limits) as gateway:
        client = await gateway.client()
        client.send(REFUSED[code])
        refused = await client.message()
        assert refused.status == CODES[code].status
        assert json.loads(refused.body)["error"]["code"] == code
        assert refused.header(b"x-should-retry") == (None if CODES[code].retryable else b"false")
        records = await gateway.stop()
        # Strangers, and bytes that are no request, are counted and not recorded.
        assert [record.refusal_code for record in records] == ([] if code in UNRECORDED else [code])
        assert {record.cost_nanousd for record in records} <= {0}


async def test_the_intent_is_journaled_before_the_provider_sees_a_byte(tmp_path):
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, BODY, b"x-lensai-team: t"))
        wire = await there.accept()
        [frame] = gateway.frames()
        intent = decode_record(frame.payload)
        assert (frame.kind, intent.outcome, intent.team) == (INTENT, "open", "t")
        assert (intent.status, intent.latency_us, intent.cost_nanousd) == (0, None, None)
        await wire.message()
        wire.send(answer(WHOLE))
        await client.message()
        [record] = await gateway.stop()
        assert record.request_id == intent.request_id == frame.id.decode()


async def test_every_call_leaves_one_record_however_it_ends(tmp_path):
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai"), 'models = ["gpt-4o"]')
        async with serving(tmp_path, toml) as gateway:
            stayer, leaver, stranger = [await gateway.client() for _ in range(3)]
            stranger.send(call(CHAT, BODY, token="lk-wrong"))
            await stranger.message()
            for said in (answer(WHOLE), answer(b"{}", status=429), answer(b"{}", status=500), b"no http\r\n\r\n"):
                stayer.send(call(CHAT, BODY))
                wire, _ = await there.called()
                wire.send(said[:20])
                await wire.sent()
                wire.send(said[20:])
                await stayer.message()
                wire.close()
            stayer.send(call(CHAT, b'{"model":"other"}'))
            await stayer.message()
            leaver.send(call(CHAT, BODY))
            wire, _ = await there.called()
            leaver.abort()
            await until(lambda: len(gateway.server._connections) == 2)
            wire.send(answer(WHOLE))
            await until(lambda: not gateway.server._pipeline.live)
            records = await gateway.stop()
        assert [(record.upstream_status, record.status, record.refusal_code) for record in records] == [
            (200, 200, ""),
            (429, 429, ""),
            (500, 500, ""),
            (0, 502, "upstream_broken"),
            (0, 403, "key_scope"),
            (200, 0, ""),
        ]
        assert [record.cost_nanousd for record in records] == [42_500, 0, None, None, 0, 42_500]
        assert len({record.request_id for record in records}) == len(records)


async def test_an_answer_without_usage_is_estimated(tmp_path):
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b'{"model":"gpt-4o","messages":[{"role":"user","content":"one two three"}]}'))
        wire, _ = await there.called()
        wire.send(answer(b'{"choices":[{"message":{"role":"assistant","content":"four five"}}]}'))
        await client.message()
        [record] = await gateway.stop()
        assert record.provenance == "estimated"
        assert record.tokens_in >= 3
        assert record.tokens_out == 2
        assert record.cost_nanousd > 0


async def test_like_requests_on_one_connection_differ_in_their_bodies(tmp_path):
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
        client = await gateway.client()
        wire = None
        for model in ("a", "bb", "c" * 500, "d"):
            body = json.dumps({"model": model}).encode()
            client.send(call(CHAT, body))
            wire = wire or await there.accept()
            request = await wire.message()
            assert (request.body, request.header(b"content-length")) == (body, b"%d" % len(body))
            wire.send(answer(b"{}"))
            await client.message()
        assert [record.model_requested for record in await gateway.stop()] == ["a", "bb", "c" * 500, "d"]


async def test_each_request_on_a_connection_is_its_own_caller_s(tmp_path):
    async with provider() as there:
        second = policy("", token="lk-second").replace('id = "test"', 'id = "second"').partition("[[keys]]")[2]
        toml = policy(upstreams_at(there.port, "openai")) + "[[keys]]" + second
        async with serving(tmp_path, toml) as gateway:
            client = await gateway.client()
            wire = None
            for token in ("lk-test", "lk-second", "lk-test"):
                client.send(call(CHAT, BODY, token=token))
                wire = wire or await there.accept()
                assert (await wire.message()).header(b"authorization") == b"Bearer sk-of-the-policy"
                wire.send(answer(WHOLE))
                await client.message()
            assert [record.key_id for record in await gateway.stop()] == ["test", "second", "test"]


async def test_a_key_that_is_revoked_ends_in_the_midst_of_a_connection(tmp_path):
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai"))
        async with serving(tmp_path, toml, policy_poll_ms=1) as gateway:
            client = await gateway.client()
            client.send(call(CHAT, BODY))
            wire, _ = await there.called()
            wire.send(answer(WHOLE))
            await client.message()
            (tmp_path / "lensai.toml").write_text(policy(upstreams_at(there.port, "openai"), "disabled = true"))
            await until(lambda: gateway.server._policy.current.policy.version == 2)
            client.send(call(CHAT, BODY))
            assert (await client.message()).status == 401
            assert len(await gateway.stop()) == 1


async def test_one_call_too_many_is_told_to_come_again(tmp_path):
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai"))
        async with serving(tmp_path, toml, inflight_max=1) as gateway:
            one, two = await gateway.client(), await gateway.client()
            one.send(call(CHAT, BODY))
            wire, _ = await there.called()
            two.send(call(CHAT, BODY))
            refused = await two.message()
            assert (refused.status, refused.header(b"retry-after")) == (503, b"1")
            wire.send(answer(WHOLE))
            await one.message()
            two.send(call(CHAT, BODY))
            await wire.message()
            wire.send(answer(WHOLE))
            assert (await two.message()).status == 200


@contextmanager
def full_disk(journal: Path) -> Iterator[None]:
    """The segment that is being written takes nothing more, as on a disk without room."""
    [number] = [
        int(link.name)
        for link in Path("/proc/self/fd").iterdir()
        if os.path.islink(link) and os.readlink(link).startswith(str(journal)) and os.readlink(link).endswith(".open")
    ]
    kept, full = os.dup(number), os.open("/dev/full", os.O_RDWR)
    os.dup2(full, number)
    os.close(full)
    try:
        yield
    finally:
        os.dup2(kept, number)
        os.close(kept)


async def status_of(gateway: Gateway) -> int:
    client = await gateway.client()
    client.send(call("/anthropic/v1/messages", BODY))
    return (await client.message()).status


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which Linux has")
async def test_what_cannot_be_journaled_is_not_forwarded(tmp_path):
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "anthropic"))) as gateway:
        with full_disk(tmp_path / "journal"):
            # The first is found out by its own intent, the next ones before theirs.
            for _ in range(3):
                client = await gateway.client()
                client.send(call("/anthropic/v1/messages", BODY))
                refused = await client.message()
                assert (refused.status, refused.header(b"retry-after")) == (503, b"5")
                assert json.loads(refused.body)["error"]["details"] == {"error_code": "journal_unavailable"}
            assert (await gateway.page("/readyz")).status == 503
        assert there.connections == 0
