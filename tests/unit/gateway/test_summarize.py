import msgspec

from gateway.contract.record import Record, decode_record
from gateway.summarize import resolve_open
from tests.support.data_plane import answer, call, policy, provider, serving, upstreams_at

WHOLE = (
    b'{"model":"gpt-4o-2024-08-06","service_tier":"default",'
    b'"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"prompt_tokens_details":{"cached_tokens":4}}}'
)


async def test_a_record_says_who_what_where_and_how_it_ended(tmp_path):
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
        client = await gateway.client()
        body = b'{"model":"gpt-4o","user":"u1"}'
        lines = (b"x-lensai-team: search", b"x-lensai-tags: a,b", b'x-lensai-metadata: {"n":1}')
        client.send(call("/v1/chat/completions", body, *lines))
        wire, _ = await there.called()
        wire.send(answer(WHOLE, b"x-request-id: theirs"))
        await client.message()
        [record] = await gateway.stop()
    times = {"request_id": "r", "ts_ns": 1, "latency_us": 2, "ttft_us": 1, "price_version": "v", "price_match": "exact"}
    assert record.ts_ns > 10**18
    assert record.latency_us >= record.ttft_us > 0
    assert record.price_match in ("exact", "alias")
    assert msgspec.structs.replace(record, **times) == Record(
        **times,
        org_id="default",
        project_id="web",
        key_id="test",
        user_id="u1",
        team="search",
        route="chat.completions",
        tags=("a", "b"),
        metadata='{"n":1}',
        upstream="openai",
        provider="openai",
        endpoint="chat.completions",
        model_requested="gpt-4o",
        model="gpt-4o-2024-08-06",
        mode="metered",
        outcome="ok",
        status=200,
        provenance="reported",
        tokens_in=9,
        tokens_out=2,
        buckets={"input_text": 5, "cache_read_text": 4, "output_text": 2},
        cost_nanousd=5 * 2_500 + 4 * 1_250 + 2 * 10_000,
        service_tier="default",
        bytes_in=len(body),
        bytes_out=len(WHOLE),
        upstream_status=200,
        upstream_request_id="theirs",
    )


async def test_a_provider_s_names_of_any_length_leave_a_record(tmp_path):
    long = "x" * 1_100_000
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
        client = await gateway.client()
        body = {"id": long, "model": long, "service_tier": long, "usage": {"input_tokens": 9, "output_tokens": 2}}
        for path in ("/v1/chat/completions", "/v1/responses"):
            client.send(call(path, b'{"model":"gpt-4o"}'))
            wire, _ = await there.called()
            wire.send(answer(msgspec.json.encode(body), b"connection: close"))
            assert (await client.message()).status == 200
        records = await gateway.stop()
    assert [len(record.model) for record in records] == [2048, 2048]
    assert {record.outcome for record in records} == {"ok"}


async def test_a_client_s_name_of_a_model_that_no_record_holds_is_refused(tmp_path):
    async with serving(tmp_path, policy(upstreams_at(1, "openai"))) as gateway:
        client = await gateway.client()
        client.send(call("/v1/chat/completions", b'{"model":"%b"}' % (b"x" * 1_100_000)))
        refused = await client.message()
        assert (refused.status, refused.header(b"connection")) == (400, None)
        [record] = await gateway.stop()
    assert (record.refusal_code, record.model_requested) == ("malformed_body", "")


async def test_a_route_may_be_named_by_the_caller(tmp_path):
    async with serving(tmp_path, policy(upstreams_at(1, "openai"))) as gateway:
        client = await gateway.client()
        client.send(call("/nowhere", b"{}", b"x-lensai-route: nightly", b"x-lensai-user: u"))
        await client.message()
        [record] = await gateway.stop()
        assert (record.route, record.user_id, record.endpoint, record.upstream) == ("nightly", "u", "", "")
        assert (record.outcome, record.refusal_code, record.tokens_in) == ("refused", "unknown_upstream", None)


async def test_what_a_quota_or_a_switch_refuses_keeps_the_reason_and_no_other_refusal_does(tmp_path):
    limit = '[[quotas]]\nid = "q"\nunit = "usd"\nwindow = "total"\nlimit_usd = 0\nscope = { user = "*" }\n'
    switch = '[[kill_switches]]\nid = "stop"\nscope = { model = "gpt-4o" }\nreason = "It loops"\n'
    async with serving(tmp_path, policy(upstreams_at(1, "openai")) + limit + switch) as gateway:
        client = await gateway.client()
        for model, user in ((b"gpt-4o-mini", b"zoe"), (b"gpt-4o", b"zoe")):
            body = b'{"model":"%b","max_tokens":5,"messages":[]}' % model
            client.send(call("/v1/chat/completions", body, b"x-lensai-user: " + user))
            await client.message()
        client.send(call("/v1/chat/completions", b"secret"))
        await client.message()
        spent, killed, malformed = await gateway.stop()
    assert spent.refusal_reason.startswith(
        "The budget 'q' (usd in all) has 0.00 USD left of 0.00 USD, and the call may"
    )
    assert "zoe" not in spent.refusal_reason
    assert "The kill switch 'stop' ends such calls: It loops" in killed.refusal_reason
    assert (malformed.refusal_code, malformed.refusal_reason) == ("malformed_body", "")


def test_a_call_left_open_by_a_crash_is_held_and_its_cost_unknown():
    intent = Record(request_id="r", ts_ns=1, key_id="k", model="m", flags=("kept",))
    final = decode_record(resolve_open(intent, 7))
    flags = ("kept", "crashed")
    assert final == msgspec.structs.replace(intent, outcome="crashed", provenance="held", flags=flags, ledger_seq=7)
    assert (final.cost_nanousd, final.tokens_in) == (None, None)
