"""Requests that servers read in different ways, sent to a real gateway.

The vectors are those of Http11Probe (MIT licence, github.com/MDA2AV/Http11Probe); see the file. Each is sent with a
key in its path and its own mark in its query, so that whatever a lenient reader would make of it reaches the provider.
"""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.support.data_plane import Provider, Wire, answer, policy, provider, serving, upstreams_at

VECTORS: dict[str, dict[str, Any]] = {
    vector["id"]: vector
    for vector in json.loads((Path(__file__).parent / "http_framing_vectors.json").read_text())["vectors"]
}
MUST_REJECT = [id for id, vector in VECTORS.items() if vector["must_reject"]]
VALID = [
    "COMP-BASELINE",
    "COMP-POST-CL-BODY",
    "COMP-POST-CL-ZERO",
    "COMP-POST-NO-CL-NO-TE",
    "COMP-CHUNKED-BODY",
    "COMP-CHUNKED-MULTI",
    "COMP-CHUNKED-EMPTY",
    "COMP-CHUNKED-EXTENSION",
    "COMP-CHUNKED-TRAILER-VALID",
    "COMP-CHUNKED-HEX-UPPERCASE",
    "COMP-UPGRADE-POST",
    "COMP-UPGRADE-MISSING-CONN",
    "COMP-UPGRADE-UNKNOWN",
    "COMP-UPGRADE-HTTP10",
    "COMP-CONNECTION-CLOSE",
    "COMP-HTTP10-DEFAULT-CLOSE",
    "COMP-HTTP10-NO-HOST",
    "COMP-NO-1XX-HTTP10",
    "COMP-EXPECT-UNKNOWN",
    "COMP-GET-WITH-CL-BODY",
    "COMP-RANGE-POST",
    "COMP-RANGE-INVALID",
    "COMP-DUPLICATE-CT",
    "COMP-ACCEPT-NONSENSE",
    "MAL-CL-TAB-BEFORE-VALUE",
    "SMUG-CL-EXTRA-LEADING-SP",
    "SMUG-CL-TRAILING-SPACE",
    "SMUG-EXPECT-100-CL",
    "SMUG-TRAILER-CL",
    "SMUG-TRAILER-TE",
    "SMUG-TRAILER-HOST",
    "SMUG-TRAILER-AUTH",
    "SMUG-PIPELINE-SAFE",
    "SMUG-GET-CL-PREFIX-DESYNC",
]
# How long a request may be incomplete here; every other wait ends with its event.
TIMEOUT_MS = 4_000


def wire_of(vector: dict[str, Any]) -> bytes:
    """The vector's bytes, addressed to an endpoint that costs nothing."""
    raw = vector["raw"].replace("@@HOST@@", "gateway:8080").encode("latin-1")
    endpoint = b"moderations" if b"POST" in raw else b"models"
    return raw.replace(b" / ", b" /k/lk-test/v1/%b?mark=%b " % (endpoint, vector["id"].encode()), 1)


async def answer_all(there: Provider, seen: list[bytes]) -> None:
    async def answer_each(wire: Wire) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                seen.append((await wire.message()).first)
                wire.send(answer(b"{}"))

    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(answer_each(await there.accept()))


async def statuses(client: Wire, *, to_head: bool) -> list[int]:
    """The statuses the client is answered with until nothing more comes."""
    found: list[int] = []
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, TimeoutError):
        async with asyncio.timeout(4 * TIMEOUT_MS / 1000):
            while True:
                found.append((await client.message(to_head=to_head)).status)
    return found


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[int], int]]:
    """For each vector, how it was answered and how often the provider saw it."""

    async def send_all() -> dict[str, tuple[list[int], int]]:
        limits = {"header_timeout_ms": TIMEOUT_MS, "body_timeout_ms": TIMEOUT_MS, "idle_timeout_ms": TIMEOUT_MS}
        async with provider() as there:
            toml = policy(upstreams_at(there.port, "openai"))
            seen: list[bytes] = []
            answering = asyncio.ensure_future(answer_all(there, seen))
            async with serving(tmp_path_factory.mktemp("framing"), toml, **limits) as gateway:
                clients = [await gateway.client() for _ in VECTORS]
                for client, vector in zip(clients, VECTORS.values(), strict=True):
                    client.send(wire_of(vector))
                answered = await asyncio.gather(
                    *(
                        statuses(client, to_head=vector["raw"].startswith("HEAD"))
                        for client, vector in zip(clients, VECTORS.values(), strict=True)
                    )
                )
            answering.cancel()
            await asyncio.wait({answering})
        counts = [sum(b"mark=%b " % id.encode() in first for first in seen) for id in VECTORS]
        assert sum(counts) == len(seen)
        return dict(zip(VECTORS, zip(answered, counts, strict=True), strict=True))

    return uvloop.run(send_all())


def test_there_are_as_many_vectors_as_were_published():
    assert (len(VECTORS), len(MUST_REJECT)) == (177, 53)


@pytest.mark.parametrize("id", MUST_REJECT)
def test_what_must_be_rejected_is_and_reaches_nobody(outcomes, id):
    assert outcomes[id] == ([400], 0)


@pytest.mark.parametrize("id", VALID)
def test_what_is_valid_is_served_once(outcomes, id):
    answered, reached = outcomes[id]
    assert [status for status in answered if status >= 200] == [200]
    assert reached == 1


def test_the_provider_sees_as_many_requests_as_clients_get_answers(outcomes):
    assert {id: reached for id, (_, reached) in outcomes.items()} == {
        id: answered.count(200) for id, (answered, _) in outcomes.items()
    }


def test_whatever_is_not_served_is_refused(outcomes):
    refused = {id: answered for id, (answered, reached) in outcomes.items() if not reached}
    assert {id: answered for id, answered in refused.items() if not 400 <= answered[-1] < 500} == {}
