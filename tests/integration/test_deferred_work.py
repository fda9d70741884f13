"""Work that goes on at the provider after its call has ended: charged once, to whichever call first tells its usage."""

import asyncio
import json
from pathlib import Path
from typing import Any

from gateway.claims import Claims
from gateway.contract.record import Record
from gateway.journal.reader import SegmentReader
from tests.support.data_plane import (
    Gateway,
    Provider,
    Wire,
    answer,
    call,
    policy,
    provider,
    serving,
    soon,
    upstreams_at,
)
from tests.support.gateways import gateway_on, sandbox_upstreams, wait_until

USAGE = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}
CREATE = call("/v1/responses", b'{"model":"gpt-4o","input":"x","background":true}')
RETRIEVE = call("/v1/responses/resp_1")
# 9 x 2.50 + 2 x 10 USD per million.
COST_NANOUSD = 42_500


def response(status: str, usage: dict[str, int] | None = None, background: bool = True) -> bytes:
    told: dict[str, Any] = {"id": "resp_1", "object": "response", "model": "gpt-4o-2024-08-06", "status": status}
    return answer(json.dumps({**told, "background": background, "usage": usage}).encode())


async def told(gateway: Gateway, there: Provider, asked: bytes, said: bytes) -> None:
    client = await gateway.client()
    client.send(asked)
    wire, _ = await there.called()
    wire.send(said)
    await client.message()
    wire.close()


def charges(records: list[Record]) -> list[tuple[str, int | None, str]]:
    return [(record.provenance, record.cost_nanousd, record.work_id) for record in records]


async def test_a_background_response_is_charged_to_the_poll_that_tells_its_usage_and_to_no_other(tmp_path: Path):
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
        for asked, said in (
            (CREATE, response("queued")),
            (RETRIEVE, response("in_progress")),
            (RETRIEVE, response("completed", USAGE)),
            (RETRIEVE, response("completed", USAGE)),
        ):
            await told(gateway, there, asked, said)
        records = await gateway.stop()
    assert charges(records) == [
        ("deferred", None, "openai:resp_1"),
        ("none", 0, ""),
        ("reported", COST_NANOUSD, "openai:resp_1"),
        ("none", 0, ""),
    ]
    assert records[-1].flags == ("charged_before",)


async def test_a_response_that_was_no_background_work_costs_nothing_when_it_is_read_again(tmp_path: Path):
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
        await told(gateway, there, CREATE, response("completed", USAGE, background=False))
        await told(gateway, there, RETRIEVE, response("completed", USAGE, background=False))
        records = await gateway.stop()
    assert charges(records) == [("reported", COST_NANOUSD, ""), ("none", 0, "")]


async def test_what_cannot_be_read_is_unknown_and_not_free(tmp_path: Path):
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
        await told(gateway, there, RETRIEVE, answer(b"<html>"))
        [record] = await gateway.stop()
    assert charges([record]) == [("unknown", None, "")]


async def test_the_claim_outlives_a_restart(tmp_path: Path):
    async with provider() as there:
        for expected in (COST_NANOUSD, 0):
            async with serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
                await told(gateway, there, RETRIEVE, response("completed", USAGE))
                records = await gateway.stop()
            assert records[-1].cost_nanousd == expected


async def test_a_batch_is_priced_when_its_results_are_known_at_half_the_price(tmp_path: Path):
    batch = {"id": "batch_1", "object": "batch", "model": "gpt-5.4-mini", "status": "in_progress"}
    asked = call("/v1/batches/batch_1")
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
        await told(gateway, there, asked, answer(json.dumps(batch).encode()))
        done = {
            **batch,
            "status": "completed",
            "usage": {"input_tokens": 1000, "output_tokens": 0, "total_tokens": 1000},
        }
        await told(gateway, there, asked, answer(json.dumps(done).encode()))
        await told(gateway, there, asked, answer(json.dumps(done).encode()))
        records = await gateway.stop()
    # 0.75 USD per million, halved.
    assert [record.cost_nanousd for record in records] == [0, 375_000, 0]
    assert [record.service_tier for record in records] == ["", "batch", ""]


async def test_a_gateway_that_died_between_its_claim_and_its_record_gives_the_claim_back(tmp_path: Path):
    async with provider() as there:
        upstreams = sandbox_upstreams(f"http://127.0.0.1:{there.port}")
        with gateway_on(tmp_path / "data", upstreams) as gateway:
            asked = call("/v1/responses/resp_1", token=gateway.add_key())
            gateway.start()
            client = Wire(*await soon(asyncio.open_connection("127.0.0.1", gateway.port)))
            client.send(asked)
            await there.called()
            [intent] = [frame.id for path in gateway.segments() for frame in SegmentReader(path).frames()]
            # What a process has done that dies right here.
            claims = Claims(gateway.data_dir)
            assert claims.claim("openai:resp_1", intent.decode(), 1_800_000_000)
            claims.close()
            gateway.kill()
            client.abort()
            gateway.start()
            client = Wire(*await soon(asyncio.open_connection("127.0.0.1", gateway.port)))
            client.send(asked)
            wire, _ = await there.called()
            wire.send(response("completed", USAGE))
            await client.message()
            client.close()
            wait_until(lambda: len(gateway.journaled()) == 2, lambda: "no record")
            assert sorted(charges(gateway.journaled())) == [
                ("held", None, ""),
                ("reported", COST_NANOUSD, "openai:resp_1"),
            ]


async def test_a_batch_of_which_every_request_failed_cost_nothing(tmp_path: Path):
    failed = b'{"custom_id":"a","result":{"type":"errored","error":{"type":"error"}}}\n'
    asked = call("/anthropic/v1/messages/batches/msgbatch_1/results")
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "anthropic"))) as gateway:
        await told(gateway, there, asked, answer(failed, b"content-type: application/x-jsonl"))
        records = await gateway.stop()
    assert charges(records) == [("none", 0, "anthropic:msgbatch_1")]
