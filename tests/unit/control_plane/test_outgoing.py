import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from control_plane.outgoing import (
    RESPONSE_BYTES_MAX,
    Outgoing,
    TargetFailed,
    TargetRefused,
    check_url,
    refused_address,
    resolve,
)
from tests.support.certificates import Authority

PRIVATE = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "::10.0.0.1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
    "2001:db8::1", "2001::1", "2001:2::1", "3fff::1", "5f00::1", "100::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808",
    "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1", "192.167.255.255",
    "2606:4700:4700::1111", "2a00:1450:4001::200e", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_of_the_public_internet_is_refused(address):
    assert refused_address(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_public_internet_is_not(address):
    assert not refused_address(address)


@pytest.mark.parametrize(
    "url",
    [
        "", "hook", "ftp://example.com/", "http://example.com/", "https://", "https:///path", "file:///etc/passwd",
        "https://user@example.com/", "https://user:password@example.com/", "https://example.com:22/",
        "https://example.com:25/", "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/", "https://example.com:99999/", "https://exa mple.com/",
        "https://example.com/" + "a" * 2048,
    ],
)  # fmt: skip
def test_a_url_that_may_not_be_asked_for_is_refused_with_what_to_write(url):
    with pytest.raises(TargetRefused):
        check_url(url, "refuse")


@pytest.mark.parametrize("url", ["https://example.com/hook?a=b", "https://example.com:8443/", "https://8.8.8.8/"])
def test_a_url_of_the_internet_is_taken(url):
    assert str(check_url(url, "refuse")) == url


def test_a_private_network_is_taken_only_where_the_operator_allows_it():
    assert check_url("http://127.0.0.1:9000/hook", "allow").port == 9000
    with pytest.raises(TargetRefused):
        check_url("http://127.0.0.1:9000/hook", "refuse")


class Receiver:
    """A server on loopback that counts its connections and answers each with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self.connections, self.heads = answer, 0, list[bytes]()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer)
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def receiver(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiving = Receiver(answer)
    server = await asyncio.start_server(receiving.serve, "127.0.0.1", 0, ssl=tls)
    receiving.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiving


def resolving(*addresses: str) -> Callable[[str, int], "asyncio.Future[Sequence[str]]"]:
    """A resolver that gives these answers, one after the other, then fails the test."""
    left = [[address] for address in addresses]

    async def answer(_host: str, _port: int) -> Sequence[str]:
        return left.pop(0)

    return answer  # type: ignore[return-value]


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Seen: yes\r\n\r\nok"


async def test_a_post_comes_as_it_was_sent_and_its_answer_is_read():
    async with receiver(OK) as server:
        answer = await Outgoing("allow").post(f"http://127.0.0.1:{server.port}/hook?a=b", b"{}", {"webhook-id": "1"})
    assert (answer.status, answer.body, answer.headers["x-seen"]) == (200, b"ok", "yes")
    assert server.heads[0].startswith(b"POST /hook?a=b HTTP/1.1\r\n")
    assert b"webhook-id: 1\r\n" in server.heads[0]


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "10.0.0.1"])
async def test_c13_a_name_that_stands_for_a_private_address_is_never_connected_to(address):
    async with receiver(OK) as server:
        outgoing = Outgoing("refuse", resolve=resolving(address))
        with pytest.raises(TargetRefused, match="not of the public internet"):
            await outgoing.post(f"https://hooks.example.com:{server.port}/", b"", {})
        assert server.connections == 0


async def test_one_private_address_among_public_ones_is_enough_to_refuse():
    async def mixed(_host: str, _port: int) -> Sequence[str]:
        return ["8.8.8.8", "127.0.0.1"]

    with pytest.raises(TargetRefused):
        await Outgoing("refuse", resolve=mixed).post("https://hooks.example.com/", b"", {})


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost"])
async def test_other_ways_to_write_this_machine_are_refused_too(host):
    with pytest.raises((TargetRefused, TargetFailed)):
        await Outgoing("refuse").post(f"https://{host}:8443/", b"", {})


async def test_c13_a_name_is_resolved_once_so_that_its_second_answer_reaches_nothing():
    async with receiver(OK) as server:
        outgoing = Outgoing("allow", resolve=resolving("127.0.0.1"))
        answer = await outgoing.post(f"http://rebinding.test:{server.port}/", b"", {})
    assert answer.status == 200
    assert f"Host: rebinding.test:{server.port}".encode() in server.heads[0]


async def test_what_is_asked_for_is_in_no_log(caplog):
    caplog.set_level("DEBUG")
    async with receiver(OK) as server:
        await Outgoing("allow").post(f"http://127.0.0.1:{server.port}/canary?key=canary", b"canary", {"x-a": "canary"})
        assert b"canary" in server.heads[0]
    assert "canary" not in caplog.text


async def test_c13_a_redirect_is_not_followed():
    async with receiver(OK) as inner:
        location = f"Location: http://127.0.0.1:{inner.port}/\r\n".encode()
        async with receiver(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n" + location + b"\r\n") as server:
            with pytest.raises(TargetRefused, match="redirects"):
                await Outgoing("allow").post(f"http://127.0.0.1:{server.port}/", b"", {})
        assert inner.connections == 0


async def test_tls_verifies_the_name_and_not_the_address(tmp_path):
    authority = Authority(tmp_path)
    trusting = ssl.create_default_context(cafile=str(authority.ca_file))
    async with receiver(OK, authority.server("hooks.test")) as server:
        outgoing = Outgoing("allow", resolve=resolving("127.0.0.1", "127.0.0.1"), tls=trusting)
        assert (await outgoing.post(f"https://hooks.test:{server.port}/", b"", {})).status == 200
        with pytest.raises(TargetFailed):
            await outgoing.post(f"https://other.test:{server.port}/", b"", {})
        strangers = Outgoing("allow", resolve=resolving("127.0.0.1"))
        with pytest.raises(TargetFailed):
            await strangers.post(f"https://hooks.test:{server.port}/", b"", {})


async def test_a_long_answer_is_read_to_the_limit_only():
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + b"x" * (RESPONSE_BYTES_MAX + 10)
    async with receiver(endless) as server:
        answer = await Outgoing("allow").post(f"http://127.0.0.1:{server.port}/", b"", {})
    assert answer.body == b"x" * RESPONSE_BYTES_MAX


async def test_a_silent_receiver_ends_with_the_time():
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()
        gone.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TargetFailed, match=r"no answer within 0\.1 s"):
            await Outgoing("allow", total_s=0.1).post(f"http://127.0.0.1:{port}/secret-path", b"", {})
        await gone.wait()


async def test_a_second_address_is_tried_where_the_first_does_not_answer():
    async def two(_host: str, _port: int) -> Sequence[str]:
        return ["::1", "127.0.0.1"]

    async with receiver(OK) as server:
        answer = await Outgoing("allow", resolve=two).post(f"http://hooks.test:{server.port}/", b"body", {})
    assert answer.status == 200


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200", b"not http\r\n\r\n"])
async def test_what_is_no_answer_is_a_failure_that_names_no_address(answer):
    async with receiver(answer) as server:
        with pytest.raises(TargetFailed) as caught:
            await Outgoing("allow").post(f"http://127.0.0.1:{server.port}/secret-path", b"", {})
    assert "secret-path" not in str(caught.value)
    assert str(server.port) not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_an_unknown_name_is_a_failure():
    async def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError("Name or service not known: secret.example.com")

    with pytest.raises(TargetFailed, match="DNS"):
        await Outgoing("refuse", resolve=unknown).post("https://secret.example.com/", b"", {})


async def test_a_name_is_resolved_to_its_addresses():
    assert "127.0.0.1" in await resolve("127.0.0.1", 443)


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with receiver(OK) as server:
        assert (await Outgoing("allow").post(f"http://127.0.0.1:{server.port}/", b"", {})).status == 200
