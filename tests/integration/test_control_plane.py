"""A gateway that obeys a control plane: what is published works, what goes wrong changes nothing, spending is told."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.contract.policy import Credential, KillSwitch, PriceOverride, Quota, QuotaOverride, Upstream
from gateway.contract.publishing import Item, Part, Report, seal
from tests.support.data_plane import (
    Gateway,
    Message,
    Provider,
    answer,
    call,
    chunk,
    policy,
    provider,
    serving,
    stream_head,
    until,
    upstreams_at,
)
from tests.support.policy_server import (
    ORG,
    SECRET,
    Plane,
    control_plane,
    item,
    key,
    project,
    settings_of,
)

CHAT = "/v1/chat/completions"
BODY = b'{"model":"gpt-4o-mini","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]}'
ANSWER = answer(b'{"model":"gpt-4o-mini","usage":{"prompt_tokens":1,"completion_tokens":1}}')
EVENT = b'data: {"choices":[{"delta":{"content":"Hello"}}]}\n\n'
# What the issue allows for a change to reach every gateway.
REACHED_S = 0.25
KEYS = 100_000


async def status(gateway: Gateway, token: str, there: Provider | None = None, path: str = CHAT) -> int:
    """What a call is answered; `there` answers it where it gets that far."""
    return (await ask(gateway, token, there, path)).status


async def ask(gateway: Gateway, token: str, there: Provider | None = None, path: str = CHAT) -> Message:
    client = await gateway.client()
    client.send(call(path, BODY, b"connection: close", token=token))
    if there is not None:
        wire, _ = await there.called()
        wire.send(ANSWER)
        message = await client.message()
        wire.close()
        return message
    return await client.message()


def said_without_id(message: Message) -> bytes:
    """The body of an error, but for the id of its request."""
    return re.sub(rb"req_\w+", b"", message.body)


async def becomes(gateway: Gateway, token: str, expected: int) -> float:
    """Asks until that is the answer; how long it took, in seconds."""
    began = time.perf_counter()
    async with asyncio.timeout(10):
        while await status(gateway, token) != expected:
            pass
    return time.perf_counter() - began


def served(gateway: Gateway) -> int:
    return gateway.server._policy.published_version


def number(page: bytes, name: str) -> float:
    return next(float(line.rpartition(b" ")[2]) for line in page.splitlines() if line.startswith(name.encode()))


def local(port: int, more: str = "") -> str:
    return policy(upstreams_at(port, "openai")) + more


def base(plane: Plane) -> None:
    plane.put(project(), key("lk-alice"))


async def test_a_published_key_works_and_a_revoked_one_is_refused_within_a_quarter_of_a_second(tmp_path: Path):
    async with provider() as there, control_plane() as plane:
        base(plane)
        async with serving(tmp_path, local(there.port), **settings_of(plane.port)) as gateway:
            await until(lambda: served(gateway) == 1)
            assert await status(gateway, "lk-alice", there) == 200
            assert await status(gateway, "lk-test", there) == 200, "the file's key, beside it"
            plane.drop("key", "lk-alice")
            took_s = await becomes(gateway, "lk-alice", 401)
            assert took_s < REACHED_S
            records = await gateway.stop()
    assert [(record.key_id, record.org_id, record.status) for record in records] == [
        ("lk-alice", ORG, 200),
        ("test", "default", 200),
    ]
    assert plane.asked == ["stream 0"]


async def test_a_kill_switch_cuts_a_live_stream(tmp_path: Path):
    async with provider() as there, control_plane() as plane:
        base(plane)
        async with serving(tmp_path, local(there.port), **settings_of(plane.port)) as gateway:
            await until(lambda: served(gateway) == 1)
            client = await gateway.client()
            client.send(call(CHAT, BODY[:-1] + b',"stream":true}', token="lk-alice"))
            wire, _ = await there.called()
            wire.send(stream_head(), chunk(EVENT))
            await client.until(EVENT)
            began = time.perf_counter()
            plane.put(KillSwitch("stop", {"org": ORG}, reason="a leak"))
            await client.until(b"a leak")
            took_s = time.perf_counter() - began
            assert await status(gateway, "lk-alice") == 403
            assert await status(gateway, "lk-test", there) == 200, "not the switch's organization"
            plane.drop("kill_switch", "stop")
            await until(lambda: served(gateway) == 3)
            assert await status(gateway, "lk-alice", there) == 200
    assert took_s < REACHED_S


async def test_calls_go_on_while_the_control_plane_is_away_and_what_changed_meanwhile_follows(tmp_path: Path):
    async with provider() as there, control_plane() as plane:
        base(plane)
        port = plane.port
        async with serving(tmp_path, local(there.port), **settings_of(port)) as gateway:
            await until(lambda: served(gateway) == 1)
            plane.hang_up()
            plane.status = 503
            await until(lambda: not gateway.server._link.subscriber.connected)
            assert await status(gateway, "lk-alice", there) == 200
            assert number((await gateway.page("/metrics")).body, "lensai_control_plane_connected") == 0
            assert (await gateway.page("/readyz")).status == 200
            plane.put(key("lk-bob"))
            plane.status = 200
            await until(lambda: served(gateway) == 2)
            assert await status(gateway, "lk-bob", there) == 200
            assert number((await gateway.page("/metrics")).body, "lensai_control_plane_connected") == 1
    assert plane.asked[0] == "stream 0"
    assert plane.asked[-1] in ("stream 1", "policy 1")
    assert plane.items_sent == 3, "nothing was sent twice"


async def test_a_restart_without_a_control_plane_serves_what_was_published_last(tmp_path: Path):
    async with provider() as there:
        async with control_plane() as plane:
            base(plane)
            port = plane.port
            async with serving(tmp_path, local(there.port), **settings_of(port)) as gateway:
                await until(lambda: served(gateway) == 1)
                plane.put(key("lk-bob"))
                plane.drop("key", "lk-alice")
                plane.put(KillSwitch("stop", {"user": "mallory"}))
                await until(lambda: served(gateway) == 4)
        async with serving(tmp_path, local(there.port), **settings_of(port)) as gateway:
            assert (await gateway.page("/readyz")).status == 200
            assert await status(gateway, "lk-alice") == 401
            assert await status(gateway, "lk-bob", there) == 200
            page = (await gateway.page("/metrics")).body
            assert b'lensai_policy_source{source="disk"} 1.0' in page
            assert [row.id for row in gateway.server._policy.current.policy.kill_switches] == ["stop"]
            async with control_plane(port, plane=plane):
                plane.put(key("lk-carol"))
                await until(lambda: served(gateway) == 5)
                assert plane.asked[-1] in ("stream 4", "policy 4", "stream 5")
    kept = [path for path in (tmp_path / "policy").rglob("*") if path.is_file()]
    assert [(path.name, path.stat().st_mode & 0o777) for path in kept] == [("published.frames", 0o600)]


async def test_a_gateway_without_a_policy_is_not_ready_and_says_why(tmp_path: Path):
    async with provider() as there, control_plane() as plane:
        plane.status = 401
        async with serving(tmp_path, local(there.port), **settings_of(plane.port)) as gateway:
            await until(lambda: gateway.server._link.subscriber.failures)
            wrong = json.loads((await gateway.page("/readyz")).body)["wrong"]
            assert wrong == {
                "control_plane": "no policy has come yet: it answers 401: it does not know control_plane_token"
            }
            plane.status = 200
            await until(lambda: gateway.server._policy.published is not None)
            assert (await gateway.page("/readyz")).status == 200, "an organization without keys is no fault of it"


async def test_there_need_be_no_file_where_there_is_a_control_plane(tmp_path: Path):
    async with provider() as there, control_plane() as plane:
        base(plane)
        plane.put(
            Upstream("mine", "vllm", f"http://127.0.0.1:{there.port}", org_id=ORG, credential_id="crd_1"), id="up"
        )
        plane.put(Credential("crd_1", "sk-of-the-organization"))
        async with serving(tmp_path, "", **settings_of(plane.port)) as gateway:
            await until(lambda: served(gateway) == 3)
            (tmp_path / "lensai.toml").unlink()
            gateway.reload()
            client = await gateway.client()
            client.send(call("/mine" + CHAT, BODY, token="lk-alice"))
            wire, request = await there.called()
            assert request.header(b"authorization") == b"Bearer sk-of-the-organization"
            wire.send(ANSWER)
            assert (await client.message()).status == 200


Line = Callable[[str, int], bytes]


def said(nonce: str, number: int, version: int, *items: Item, reset: bool = False, secret: bytes = SECRET) -> bytes:
    return seal(Part(nonce, number, version, reset=reset, items=items), "k1", secret)


INTRUDER = item(key("lk-mallory"), 2)
LINES: dict[str, Line] = {
    "forged": lambda nonce, number: said(nonce, number, 2, INTRUDER, secret=b"another secret"),
    "of another question": lambda _nonce, number: said("another-question", number, 2, INTRUDER),
    "replayed": lambda nonce, number: said(nonce, number - 1, 2, INTRUDER),
    "ahead of one that is missing": lambda nonce, number: said(nonce, number + 1, 2, INTRUDER),
    "back to an older policy": lambda nonce, number: said(nonce, number, 0, INTRUDER),
    "changed on its way": lambda nonce, number: said(nonce, number, 2, INTRUDER).replace(b"lk-mallory", b"lk-mallorz"),
    "of too many items": lambda nonce, number: said(nonce, number, 2, *[INTRUDER] * 201),
    "no line at all": lambda _nonce, _number: b"<html>502 Bad Gateway</html>\n",
    "endless": lambda _nonce, _number: b"x" * (9 << 20),
}


@pytest.mark.parametrize("kind", LINES)
async def test_a_line_that_cannot_be_believed_changes_nothing(tmp_path: Path, kind: str, caplog: Any):
    async with provider() as there, control_plane() as plane:
        base(plane)
        async with serving(tmp_path, local(there.port), **settings_of(plane.port)) as gateway:
            subscriber = gateway.server._link.subscriber
            await until(lambda: served(gateway) == 1)
            before = gateway.server._policy.current
            plane.say(LINES[kind])
            await until(lambda: subscriber.lines_refused == 1)
            assert gateway.server._policy.current is before
            assert await status(gateway, "lk-mallory") == 401
            assert await status(gateway, "lk-alice", there) == 200
            plane.put(key("lk-bob"))
            await until(lambda: served(gateway) == 2)
            assert await status(gateway, "lk-bob", there) == 200
            assert (
                number((await gateway.page("/metrics")).body, 'lensai_control_plane_failures_total{what="line"}') == 1
            )
    said = [record for record in caplog.records if record.getMessage() == "control_plane_away"]
    assert len(said) >= 1
    assert SECRET.hex() not in caplog.text


async def test_a_bad_item_is_refused_alone(tmp_path: Path, caplog: Any):
    async with provider() as there, control_plane() as plane:
        base(plane)
        plane.put_raw("key", "lk-bad", b'{"id":"lk-bad","project_id":"prj_a","sha256":"not one","new":1}')
        plane.put(key("lk-orphan", "prj_b"), key("lk-bob"))
        async with serving(tmp_path, local(there.port), **settings_of(plane.port)) as gateway:
            await until(lambda: served(gateway) == 3)
            assert await status(gateway, "lk-bob", there) == 200
            assert await status(gateway, "lk-orphan") == 401
            page = (await gateway.page("/metrics")).body
            assert number(page, "lensai_published_refused_total") == 1
            assert number(page, "lensai_published_waiting") == 1
            plane.put(project("prj_b"))
            await until(lambda: served(gateway) == 4)
            assert await status(gateway, "lk-orphan", there) == 200
            assert number((await gateway.page("/metrics")).body, "lensai_published_waiting") == 0
    [refused] = [vars(record) for record in caplog.records if record.getMessage() == "policy_item_refused"]
    assert (refused["kind"], refused["id"], refused["version"]) == ("key", "lk-bad", 2)


async def test_where_streams_are_kept_back_the_policy_is_asked_for_again_and_again(tmp_path: Path):
    async with provider() as there, control_plane() as plane:
        base(plane)
        plane.stream_status = 502
        async with serving(tmp_path, local(there.port), **settings_of(plane.port)) as gateway:
            await until(lambda: served(gateway) == 1)
            plane.put(key("lk-bob"))
            await until(lambda: served(gateway) == 2)
            assert await status(gateway, "lk-bob", there) == 200
            assert gateway.server._link.subscriber.connected
    assert plane.asked[:3] == ["stream 0", "policy 0", "policy 1"]


async def test_what_a_control_plane_restored_from_a_backup_says_is_the_whole(tmp_path: Path):
    async with provider() as there, control_plane() as plane:
        base(plane)
        plane.put(key("lk-bob"))
        async with serving(tmp_path, local(there.port), **settings_of(plane.port)) as gateway:
            await until(lambda: served(gateway) == 2)
            plane._items.pop(("key", "lk-bob"))
            plane.version = 1
            plane.hang_up()
            await until(lambda: served(gateway) == 1)
            assert await status(gateway, "lk-bob") == 401
            assert await status(gateway, "lk-alice", there) == 200


async def test_an_organizations_upstream_is_found_by_it_alone_and_stands_before_everybodys(tmp_path: Path):
    async with provider() as shared, provider() as own, control_plane() as plane:
        base(plane)
        plane.put(project("prj_b", "org_b"), key("lk-rival", "prj_b"))
        plane.put(Credential("crd_1", "sk-of-org-a"))
        for name in ("openai", "private"):
            row = Upstream(name, "openai", f"http://127.0.0.1:{own.port}", credential_id="crd_1", org_id=ORG)
            plane.put(row, id=f"ups_{name}")
        async with serving(tmp_path, local(shared.port), **settings_of(plane.port)) as gateway:
            await until(lambda: served(gateway) == 5)
            assert await status(gateway, "lk-alice", own) == 200
            assert await status(gateway, "lk-alice", own, "/private" + CHAT) == 200
            assert await status(gateway, "lk-rival", shared) == 200
            unknown = await ask(gateway, "lk-rival", path="/private" + CHAT)
            nonsense = await ask(gateway, "lk-rival", path="/nonsense" + CHAT)
            assert unknown.status == nonsense.status == 404
            assert said_without_id(unknown) == said_without_id(nonsense)
            assert b"private" not in unknown.body


async def test_a_price_of_an_organization_holds_for_its_calls_alone(tmp_path: Path):
    async with provider() as there, control_plane() as plane:
        base(plane)
        plane.put(project("prj_b", "org_b"), key("lk-rival", "prj_b"))
        plane.put(PriceOverride("openai", "gpt-4o-mini", {"input_text": "1000"}, org_id=ORG), id="pri_1")
        async with serving(tmp_path, local(there.port), **settings_of(plane.port)) as gateway:
            await until(lambda: served(gateway) == 3)
            for token in ("lk-alice", "lk-rival", "lk-test"):
                assert await status(gateway, token, there) == 200
            dear, *others = await gateway.stop()
    assert (dear.price_match, dear.cost_nanousd is not None and dear.cost_nanousd > 1_000_000) == ("override", True)
    assert [record.cost_nanousd for record in others] == [750, 750]


BUDGET = Quota("bud_1", "usd", 200_000, "total", {"org": ORG}, thresholds=(1,))


async def reported(plane: Plane, true: Callable[[Report], object]) -> Report:
    await until(lambda: any(true(report) for report in plane.reports))
    return next(report for report in plane.reports if true(report))


async def test_counters_thresholds_and_the_use_of_keys_are_told(tmp_path: Path):
    async with provider() as there, control_plane() as plane:
        base(plane)
        plane.put(BUDGET, id="bud_1")
        local_quota = '[[quotas]]\nid = "files"\nunit = "usd"\nlimit_usd = 1\nwindow = "total"\nthresholds = [1]\n'
        async with serving(tmp_path, local(there.port, local_quota), **settings_of(plane.port)) as gateway:
            await until(lambda: served(gateway) == 2)
            for _ in range(3):
                assert await status(gateway, "lk-alice", there) == 200
            assert await status(gateway, "lk-test", there) == 200
            report = await reported(plane, lambda report: any(one.settled == 2250 for one in report.counters))
            [state] = report.counters
            assert (state.quota_id, state.counter, state.held, state.limit) == ("bud_1", "bud_1@total", 0, 200_000)
            crossings = [one for said in plane.reports for one in said.crossings]
            assert [(one.quota_id, one.percent, one.limit) for one in crossings] == [("bud_1", 1, 200_000)]
            used = {id for said in plane.reports for id in said.keys_used}
            assert (report.node, report.shared, report.policy_version) == (plane.reports[0].node, False, 2)
    assert used == {"lk-alice"}


async def test_a_threshold_is_told_until_it_was_heard_also_after_a_restart(tmp_path: Path):
    async with provider() as there, control_plane() as plane:
        base(plane)
        plane.put(BUDGET, id="bud_1")
        plane.report_status = lambda report: 503 if report.crossings else 202
        settings = settings_of(plane.port)
        async with serving(tmp_path, local(there.port), **settings) as gateway:
            await until(lambda: served(gateway) == 2)
            for _ in range(3):
                assert await status(gateway, "lk-alice", there) == 200
            await until(lambda: gateway.server._link.reporter.failures)
        assert not any(report.crossings for report in plane.reports)
        plane.report_status = lambda _report: 202
        async with serving(tmp_path, local(there.port), **settings) as gateway:
            report = await reported(plane, lambda report: report.crossings)
            await until(lambda: not len(gateway.server._crossings))
        async with serving(tmp_path, local(there.port), **settings) as gateway:
            await until(lambda: plane.reports[-1] is not report)
    [crossing] = report.crossings
    assert (crossing.quota_id, crossing.percent, crossing.settled) == ("bud_1", 1, 2250)


async def test_an_override_lets_calls_through_again(tmp_path: Path):
    async with provider() as there, control_plane() as plane:
        base(plane)
        plane.put(replace(BUDGET, limit=0), id="bud_1")
        async with serving(tmp_path, local(there.port), **settings_of(plane.port)) as gateway:
            await until(lambda: served(gateway) == 2)
            assert await status(gateway, "lk-alice") == 402
            plane.put(QuotaOverride("bud_1", int(time.time()) + 60), id="ovr_1")
            await until(lambda: served(gateway) == 3)
            assert await status(gateway, "lk-alice", there) == 200


async def test_with_a_hundred_thousand_keys_one_change_is_one_item_and_touches_no_other(tmp_path: Path, capsys: Any):
    async with provider() as there, control_plane() as plane:
        plane.put(*(project(f"prj_{number}", f"org_{number % 100}") for number in range(1000)))
        plane.put(*(key(f"lk-{number}", f"prj_{number % 1000}") for number in range(KEYS)))
        began = time.perf_counter()
        async with serving(tmp_path, local(there.port), **settings_of(plane.port)) as gateway:
            await soon_served(gateway, 2)
            snapshot_s = time.perf_counter() - began
            assert await status(gateway, "lk-77", there) == 200
            holder = gateway.server._policy
            before, sent = dict(holder.current.callers.by_digest), plane.items_sent
            routes = gateway.server._pipeline._routes
            took_s: list[float] = []
            take = holder.take

            def timed(part: Part) -> bool:
                began = time.perf_counter()
                changed = take(part)
                took_s.append(time.perf_counter() - began)
                return changed

            holder.take = timed
            for number in range(20):
                plane.put(key(f"lk-{number}", f"prj_{number % 1000}", disabled=True))
                await soon_served(gateway, 3 + number)
            after = holder.current.callers.by_digest
            assert plane.items_sent - sent == 20
            assert len(after) == len(before)
            assert sum(after[digest] is not row for digest, row in before.items()) == 20
            assert await status(gateway, "lk-7") == 401
            assert await status(gateway, "lk-77", there) == 200
            assert gateway.server._pipeline._routes._ready is routes._ready
    with capsys.disabled():
        took_ms = sorted(second * 1000 for second in took_s)
        print(
            f"\n{KEYS} keys: snapshot {snapshot_s:.2f} s;"
            f" a one-key change {took_ms[10]:.3f} ms, {took_ms[-1]:.3f} ms at most"
        )


async def soon_served(gateway: Gateway, version: int) -> None:
    async with asyncio.timeout(60):
        while served(gateway) < version:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
