import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway import subscribe
from gateway.contract.publishing import Part, seal
from gateway.faults import GatewayFault
from gateway.policy import PolicyHolder, PolicyView
from gateway.published_file import PublishedFile
from gateway.settings import Settings
from gateway.subscribe import BACKOFF_MAX_S, BACKOFF_MIN_S, ControlPlane, Subscriber, Trouble, backoff_s
from tests.support.certificates import Authority
from tests.support.data_plane import soon, until
from tests.support.policy_server import SECRET, control_plane, item, key, project, settings_of


class Node:
    """A gateway's subscriber alone, and what it makes of what it is told."""

    def __init__(self, data_dir: Path, settings: Settings) -> None:
        self.plane = ControlPlane(settings, "node")
        self.file = PublishedFile(data_dir, 0)
        self.policy = PolicyHolder(data_dir / "lensai.toml", data_dir, {}, poll_ms=1, published=self.file)
        self.swaps: list[PolicyView] = []
        self.slept: list[float] = []
        self.subscriber = Subscriber(
            self.plane,
            self.policy,
            lambda: self.swaps.append(self.policy.current),
            now_ms=lambda: 10_000,
            nonce=iter(f"nonce-{number}" for number in range(10_000)).__next__,
            random=lambda: 1.0,
            sleep=self._sleep,
        )

    async def _sleep(self, second: float) -> None:
        self.slept.append(second)
        await asyncio.sleep(0)

    @property
    def keys(self) -> set[str]:
        return {key.id for key in self.policy.current.callers.by_digest.values()}


@asynccontextmanager
async def following(data_dir: Path, port: int, **settings: Any) -> AsyncIterator[Node]:
    node = Node(data_dir, replace(Settings(**settings_of(port)), **settings))
    running = asyncio.get_running_loop().create_task(node.subscriber.run())
    try:
        yield node
    finally:
        running.cancel()
        await asyncio.wait({running})
        await node.plane.close()
        await asyncio.to_thread(node.file.close)
    assert running.cancelled(), running.exception()


async def test_the_whole_comes_first_and_then_what_changes(tmp_path: Path):
    async with control_plane() as plane:
        plane.put(project(), key("a"), *(key(f"k{number}") for number in range(300)))
        async with following(tmp_path, plane.port) as node:
            await until(lambda: node.policy.published_version == 1)
            assert len(node.keys) == 301
            assert (len(node.swaps), node.subscriber.connected) == (1, True)
            plane.drop("key", "a")
            await until(lambda: node.policy.published_version == 2)
            assert len(node.keys) == 300
            assert (len(node.swaps), plane.streams) == (2, 1)


async def test_a_line_without_items_says_that_it_is_there_and_changes_nothing(tmp_path: Path):
    async with control_plane() as plane:
        plane.put(project())
        async with following(tmp_path, plane.port) as node:
            await until(lambda: node.policy.published_version == 1)
            before, completed = node.policy.current, node.subscriber.completed
            plane.say(lambda nonce, number: seal(Part(nonce, number, 1), "k1", SECRET))
            await until(lambda: node.subscriber.completed == completed + 1)
            assert node.policy.current is before
            assert len(node.swaps) == 1


async def test_parts_take_effect_together_or_not_at_all(tmp_path: Path):
    async with control_plane() as plane:
        plane.put(project(), key("a"))

        def part(number: int, *, complete: bool) -> Callable[[str, int], bytes]:
            one = item(key(f"new{number}"), 2)
            return lambda nonce, first: seal(
                Part(nonce, first + number, 2, complete=complete, items=(one,)), "k1", SECRET
            )

        async with following(tmp_path, plane.port) as node:
            await until(lambda: node.keys == {"a"})
            plane.say(part(0, complete=False))
            await until(lambda: node.policy._staged is not None)
            assert node.keys == {"a"}
            plane.hang_up()
            await until(lambda: node.subscriber.failures)
            assert (node.policy._staged, node.policy.published_version) == (None, 1)
            await until(lambda: plane.streams == 1)
            plane.say(part(0, complete=False))
            plane.say(part(1, complete=True))
            await until(lambda: node.keys == {"a", "new0", "new1"})
            assert len(node.swaps) == 2


async def test_how_late_a_change_was_is_known_where_the_control_plane_says_when_it_sent_it(tmp_path: Path):
    async with control_plane() as plane:
        plane.put(project())
        async with following(tmp_path, plane.port) as node:
            await until(lambda: node.policy.published_version == 1)
            assert node.subscriber.lag_s is None
            one = (item(key("a"), 2),)
            plane.say(lambda nonce, number: seal(Part(nonce, number, 2, items=one, sent_at_ms=9_750), "k1", SECRET))
            await until(lambda: node.policy.published_version == 2)
            assert node.subscriber.lag_s == 0.25


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 429, 500, 503])
async def test_whatever_it_answers_it_is_asked_again_with_more_and_more_patience(
    tmp_path: Path, status: int, caplog: Any
):
    async with control_plane() as plane:
        plane.status = status
        async with following(tmp_path, plane.port) as node:
            await until(lambda: len(node.slept) >= 7)
            assert node.slept[:7] == [0.5, 1, 2, 4, 5, 5, 5]
            assert node.subscriber.problem.startswith(f"it answers {status}")
            plane.status = 200
            await until(lambda: node.subscriber.connected)
            assert node.subscriber.problem == ""
    own = [record for record in caplog.records if record.name == "lensai.control_plane"]
    said = [record.getMessage() for record in own if record.levelname == "WARNING"]
    assert said == ["control_plane_away"]


async def test_nobody_there_is_no_reason_to_end(tmp_path: Path):
    async with control_plane() as plane:
        port = plane.port
    async with following(tmp_path, port) as node:
        await until(lambda: len(node.slept) >= 2)
        assert node.subscriber.problem == "the connection failed: ConnectError"
        async with control_plane(port):
            await until(lambda: node.subscriber.connected)


async def test_a_stream_that_is_kept_back_is_given_up_and_the_policy_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(subscribe, "SILENCE_S", 0.05)
    monkeypatch.setattr(subscribe, "CONNECT_TIMEOUT_S", 0.05)
    monkeypatch.setattr(subscribe, "STREAM_AGAIN_S", 3 * subscribe.POLL_S)
    async with control_plane() as plane:
        plane.put(project(), key("a"))
        plane.buffers = True
        async with following(tmp_path, plane.port) as node:
            await until(lambda: node.keys == {"a"})
            await until(lambda: len(plane.asked) >= 6)
            assert plane.asked[:6] == ["stream 0", "policy 0", "policy 1", "policy 1", "policy 1", "stream 1"]
            assert node.slept[:3] == [subscribe.POLL_S] * 3
            plane.buffers = False
            await until(lambda: plane.streams)


async def test_a_stream_that_falls_silent_is_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subscribe, "SILENCE_S", 0.1)
    async with control_plane() as plane:
        plane.put(project())
        async with following(tmp_path, plane.port) as node:
            await until(lambda: plane.asked[1:2])
            assert plane.asked[:2] == ["stream 0", "stream 1"]
            assert node.subscriber.failures == 1


async def test_bytes_that_drip_without_ever_being_a_line_are_silence(tmp_path: Path, monkeypatch: Any):
    monkeypatch.setattr(subscribe, "SILENCE_S", 0.2)
    async with control_plane() as plane:
        plane.put(project())
        async with following(tmp_path, plane.port) as node:
            await until(lambda: plane.streams)

            def drip() -> bool:
                plane.say(lambda _nonce, _number: b".")
                return node.subscriber.failures > 0

            await until(drip)
            assert node.subscriber.lines_refused == 0


async def test_an_answer_that_ends_in_the_midst_is_none(tmp_path: Path, monkeypatch: Any):
    async with control_plane() as plane:
        plane.put(project(), *(key(f"k{number}") for number in range(300)))
        send = plane._send

        def cut(stream: Any, items: Any, *, reset: bool) -> None:
            one = Part(stream.nonce, 0, 1, reset=True, complete=False, items=tuple(items[:1]))
            line = seal(one, "k1", SECRET)
            stream.writer.write(b"%x\r\n%b\r\n" % (len(line), line))

        plane.stream_status = 500
        monkeypatch.setattr(plane, "_send", cut)
        async with following(tmp_path, plane.port) as node:
            await until(lambda: node.subscriber.problem == "the answer ended in the midst")
            assert node.policy.published is None
            monkeypatch.setattr(plane, "_send", send)
            await until(lambda: len(node.keys) == 300)


async def test_our_own_fault_costs_the_connection_and_the_whole_is_asked_for(tmp_path: Path, caplog: Any):
    async with control_plane() as plane:
        plane.put(project())
        async with following(tmp_path, plane.port) as node:
            await until(lambda: node.policy.published_version == 1)
            take, node.policy.take = node.policy.take, _broken
            plane.put(key("a"))
            await until(lambda: node.subscriber.problem == "the gateway failed on an answer")
            node.policy.take = take
            await until(lambda: node.keys == {"a"})
            assert plane.asked[-1] in ("stream 0", "policy 0", "stream 2")
    assert "control_plane_failed" in [record.getMessage() for record in caplog.records]


def _broken(_part: Part) -> bool:
    raise ZeroDivisionError


async def test_secrets_are_read_from_their_files_again_at_every_connection(tmp_path: Path):
    token, keys = tmp_path / "token", tmp_path / "keys"
    token.write_text("lgw_of-yesterday\n")
    keys.write_text(f"k1:{'00' * 32}\n")
    files = {
        "control_plane_token": "",
        "policy_keys": "",
        "control_plane_token_file": str(token),
        "policy_keys_file": str(keys),
    }
    async with control_plane() as plane:
        plane.put(project())
        async with following(tmp_path, plane.port, **files) as node:
            await until(lambda: node.subscriber.problem.startswith("it answers 401"))
            token.write_text("lgw_of-the-tests")
            await until(lambda: node.subscriber.problem == "a line is not believed: the signature is wrong")
            keys.write_text(f"k0:{'11' * 32}, k1:{SECRET.hex()}")
            await until(lambda: node.subscriber.connected)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"control_plane_token": "", "control_plane_token_file": "/nowhere"}, "control_plane_token_file cannot be"),
        ({"policy_keys": "", "policy_keys_file": "/nowhere"}, "policy_keys_file cannot be read: FileNotFoundError"),
        ({"control_plane_url": "https://x", "control_plane_ca_file": "/nowhere"}, "control_plane_ca_file cannot be"),
        ({"control_plane_token": "two\nlines"}, "control_plane_token is empty, or holds what no header can carry"),
    ],
)
async def test_what_cannot_work_is_said_at_the_start(fields: dict[str, str], why: str):
    with pytest.raises(GatewayFault, match=why) as fault:
        ControlPlane(replace(Settings(**settings_of(1)), **fields), "node")
    assert "two" not in str(fault.value)


async def test_over_tls_nobody_is_believed_whom_the_authority_does_not_know(tmp_path: Path):
    authority, stranger = Authority(tmp_path, "ours"), Authority(tmp_path, "another")
    async with control_plane(tls=authority.server("127.0.0.1")) as plane:
        url = f"https://127.0.0.1:{plane.port}"
        async with following(
            tmp_path, plane.port, control_plane_url=url, control_plane_ca_file=str(stranger.ca_file)
        ) as node:
            await until(lambda: node.subscriber.failures)
            assert plane.asked == []
        async with following(
            tmp_path, plane.port, control_plane_url=url, control_plane_ca_file=str(authority.ca_file)
        ) as node:
            await until(lambda: node.subscriber.connected)


async def test_a_report_is_posted_with_the_token_and_its_status_comes_back():
    async with control_plane() as plane:
        there = ControlPlane(Settings(**settings_of(plane.port)), "node")
        report = b'{"node":"n","sent_at_ms":1,"policy_version":2,"shared":false}'
        assert await soon(there.post("/v1/gateway/reports", report)) == 202
        plane.report_status = lambda _report: 422
        assert await soon(there.post("/v1/gateway/reports", report)) == 422
        assert [said.node for said in plane.reports] == ["n"]
        await there.close()
    there = ControlPlane(Settings(**settings_of(plane.port)), "node")
    with pytest.raises(Trouble, match="the connection failed"):
        await soon(there.post("/v1/gateway/reports", b"{}"))
    await there.close()


def test_who_waits_waits_longer_each_time_and_never_long():
    waits = [backoff_s(failed, 1.0) for failed in range(40)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (BACKOFF_MIN_S, BACKOFF_MAX_S)
    assert backoff_s(3, 0.0) == backoff_s(3, 1.0) / 2
