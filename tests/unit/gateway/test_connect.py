"""The way to an upstream: names and addresses, proxies of both kinds, certificates of both sides, IPv6."""

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.connect import KEEPALIVE_IDLE_S, NEXT_ADDRESS_S, Address, ConnectFault, Connector
from gateway.route import Origin
from gateway.tls_files import Trust
from tests.support.certificates import Authority
from tests.support.connect_proxy import ESTABLISHED, ConnectProxy, connect_proxy
from tests.support.data_plane import (
    Gateway,
    Message,
    Provider,
    Wire,
    answer,
    call,
    policy,
    provider,
    serving,
    soon,
    until,
)
from tests.support.processes import free_port

CREDENTIAL = "user:hunter2"
LARGE = b'{"pad":"' + b"x" * 3_000_000 + b'"}'


def calling(upstream: str) -> bytes:
    return call(f"/{upstream}/v1/chat/completions", b'{"model":"m"}')


def upstream(origin: str, *lines: str, name: str = "far") -> str:
    """The policy's tables of one upstream with a credential."""
    return "\n".join(
        (f'[credentials.{name}]\nsecret = "sk-of-the-policy"', f'[upstreams.{name}]\norigin = "{origin}"', *lines)
    )


def proxied(proxy: ConnectProxy, *, scheme: str = "http") -> str:
    return f'proxy = "{scheme}://127.0.0.1:{proxy.port}"'


def nowhere(address: tuple[str, int]) -> list[Address]:
    """A resolver that must not be asked."""
    raise AssertionError(f"{address} was looked up")


def at(port: int, *hosts: str) -> list[Address]:
    """What a resolver answers: those addresses."""
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port)) for host in hosts]


async def exchange(gateway: Gateway, there: Provider, body: bytes = b"{}", name: str = "far") -> Message:
    """One call from end to end on connections of its own; returns what the client got."""
    client = await gateway.client()
    client.send(calling(name))
    wire, _ = await there.called()
    wire.send(answer(body, b"connection: close"))
    message = await client.message()
    assert (message.status, message.body) == (200, body)
    return message


async def refused(gateway: Gateway, name: str = "far") -> str:
    """What a call is told that cannot be made: its code, and all of its error."""
    client = await gateway.client()
    client.send(calling(name))
    message = await client.message()
    code = "upstream_unreachable" if message.status == 502 else "upstream_timeout"
    assert f'"{code}"'.encode() in message.body
    return message.body.decode()


@contextlib.contextmanager
def deaf(host: str, port: int) -> Iterator[None]:
    """An address of this machine on which a SYN is never answered: its one place in the queue is taken."""
    with socket.create_server((host, port), backlog=0), socket.create_connection((host, port)):
        yield


# -- names and addresses


async def test_every_connection_asks_for_the_addresses_anew(tmp_path):
    current = ["127.0.0.1"]
    async with provider() as one, provider("127.0.0.2", one.port) as two:

        def look_up(address: tuple[str, int]) -> list[Address]:
            assert address == ("api.test", one.port)
            return at(one.port, *current)

        async with serving(tmp_path, policy(upstream(f"http://api.test:{one.port}")), look_up=look_up) as gateway:
            await exchange(gateway, one)
            current[:] = ["127.0.0.2"]
            await exchange(gateway, two)


async def test_a_dead_first_address_does_not_cost_the_timeout(tmp_path):
    async with provider() as there:
        with deaf("127.0.0.3", there.port):
            addresses = at(there.port, "127.0.0.2", "127.0.0.3", "127.0.0.1")  # refuses, is silent, is there
            toml = policy(upstream(f"http://api.test:{there.port}"))
            async with serving(tmp_path, toml, look_up=lambda _: addresses) as gateway:
                await exchange(gateway, there)


async def test_families_take_turns():
    """Of many dead addresses of one family, the first of the other is tried second: all of them would take too long."""
    port = free_port()
    listening = socket.create_server(("127.0.0.1", port))
    with listening, contextlib.ExitStack() as silent:
        hosts = [f"127.0.1.{each}" for each in range(1, 31)]
        for host in hosts:
            silent.enter_context(deaf(host, port))
        # The kernel maps them to the same dead addresses of IPv4, and calls them IPv6.
        dead = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (f"::ffff:{host}", port, 0, 0)) for host in hosts]
        assert len(dead) * NEXT_ADDRESS_S > 5
        addresses = [*dead, *at(port, "127.0.0.1")]
        connector = Connector(asyncio.get_running_loop(), timeout_ms=5_000, look_up=lambda _: addresses)
        connection = await connector.connect(Origin("api.test", port, False), Keeping)
        connection.transport.abort()
        await soon(connection.lost)


async def test_a_resolver_that_hangs_for_one_name_holds_up_no_other(tmp_path):
    hung = threading.Event()

    def look_up(address: tuple[str, int]) -> list[Address]:
        if address[0] == "slow.test":
            hung.wait()
        return at(address[1], "127.0.0.1")

    async with provider() as there:
        slow = upstream(f"http://slow.test:{there.port}", "connect_timeout_ms = 300", name="slow")
        toml = policy(f"{slow}\n{upstream(f'http://api.test:{there.port}')}")
        async with serving(tmp_path, toml, look_up=look_up) as gateway:
            try:
                waiting = [await gateway.client() for _ in range(50)]
                for client in waiting:
                    client.send(calling("slow"))
                await until(lambda: len(gateway.server._pipeline.live) == 50)
                await exchange(gateway, there)
                late = [await client.message() for client in waiting]
            finally:
                hung.set()
            assert {message.status for message in late} == {504}
            assert there.connections == 1


async def test_a_name_without_an_address_is_unreachable(tmp_path):
    def look_up(address: tuple[str, int]) -> list[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    async with serving(tmp_path, policy(upstream("https://api.test")), look_up=look_up) as gateway:
        assert "no connection to api.test could be made (its name has no address)" in await refused(gateway)


class Keeping(asyncio.Protocol):
    """Keeps its transport."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(None)


async def test_a_connection_sends_at_once_and_is_kept_alive():
    async with provider() as there:
        connector = Connector(asyncio.get_running_loop(), timeout_ms=5_000)
        connection = await connector.connect(Origin("127.0.0.1", there.port, False), Keeping)
        made = connection.transport.get_extra_info("socket")
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == KEEPALIVE_IDLE_S
        connection.transport.abort()
        await soon(connection.lost)


async def test_a_handshake_that_is_given_up_closes_its_connection():
    async with provider() as there:
        connector = Connector(asyncio.get_running_loop(), timeout_ms=100)
        with pytest.raises(ConnectFault) as fault:
            await connector.connect(Origin("127.0.0.1", there.port, True, Trust(verify=False)), Keeping)
        assert (fault.value.code, fault.value.message) == (
            "upstream_timeout",
            "no connection to 127.0.0.1 in time",
        )
        wire = await there.accept()
        with contextlib.suppress(ConnectionError):
            await wire.rest()


async def test_certificate_files_that_are_gone_by_then_are_unreachable(tmp_path):
    connector = Connector(asyncio.get_running_loop(), timeout_ms=5_000)
    with pytest.raises(ConnectFault, match=r"certificate files for .* cannot be used"):
        await connector.connect(Origin("api.test", 443, True, Trust(ca_file=str(tmp_path / "gone.pem"))), Keeping)


# -- IPv6


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@needs_ipv6
async def test_an_origin_may_be_an_ipv6_address(tmp_path):
    async with provider("::1") as there:
        toml = policy(upstream(f"http://[::1]:{there.port}"))
        async with serving(tmp_path, toml, look_up=nowhere) as gateway:
            client = await gateway.client()
            client.send(calling("far"))
            wire, request = await there.called()
            assert request.header(b"host") == b"[::1]:%d" % there.port
            wire.send(answer(b"{}"))
            assert (await client.message()).status == 200


@needs_ipv6
async def test_an_ipv6_address_is_verified_and_not_sent_as_a_name(tmp_path):
    authority = Authority(tmp_path)
    async with told(authority, "::1", listen="::1") as (there, names):
        toml = policy(upstream(f"https://[::1]:{there.port}", f'ca_file = "{authority.ca_file}"'))
        async with serving(tmp_path, toml) as gateway:
            await exchange(gateway, there)
            assert names == [None]


# -- certificates


@contextlib.asynccontextmanager
async def told(
    authority: Authority, host: str, *, listen: str = "127.0.0.1", clients: bool = False
) -> AsyncIterator[tuple[Provider, list[str | None]]]:
    """A provider in TLS under that name, and the names it is asked for by those who connect."""
    names: list[str | None] = []

    def asked(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        names.append(name)

    tls = authority.server(host, clients=clients)
    tls.sni_callback = asked
    async with provider(listen, tls=tls) as there:
        yield there, names


async def test_a_certificate_that_is_not_accepted_says_why(tmp_path):
    async with (
        provider(tls=Authority(tmp_path).server("127.0.0.1")) as there,
        serving(tmp_path, policy(upstream(f"https://127.0.0.1:{there.port}"))) as gateway,
    ):
        said = await refused(gateway)
        assert "(its certificate is not accepted: unable to get local issuer certificate)" in said


async def test_a_client_certificate_is_shown_to_who_asks_and_renewed_on_reload(tmp_path):
    authority = Authority(tmp_path)
    authority.issue("client")
    async with told(authority, "127.0.0.1", clients=True) as (there, _):
        origin = f"https://127.0.0.1:{there.port}"
        files = (f'ca_file = "{authority.ca_file}"', 'client_cert_file = "client.cert.pem"')
        with_key = policy(upstream(origin, *files, 'client_key_file = "client.key.pem"'))
        async with serving(tmp_path, with_key) as gateway:
            serials: list[str] = []
            wire: Wire
            client = await gateway.client()
            for renew in (False, False, True):
                if renew:
                    authority.issue("client")
                    gateway.reload()
                client.send(calling("far"))
                if renew or not serials:
                    wire = await there.accept()
                await wire.message()
                serials.append(wire.extra("peercert")["serialNumber"])
                wire.send(answer(b"{}"))
                assert (await client.message()).status == 200
            assert serials[0] == serials[1] != serials[2]
            assert gateway.server._policy.current.policy.version == 2


async def test_a_renewed_certificate_that_is_bad_leaves_the_old_one_in_use(tmp_path):
    authority = Authority(tmp_path)
    cert_file, _ = authority.issue("client")
    async with told(authority, "127.0.0.1", clients=True) as (there, _):
        files = (f'ca_file = "{authority.ca_file}"', 'client_cert_file = "client.cert.pem"')
        toml = policy(upstream(f"https://127.0.0.1:{there.port}", *files, 'client_key_file = "client.key.pem"'))
        async with serving(tmp_path, toml, log_level="error") as gateway:
            await exchange(gateway, there)
            cert_file.write_text("half a certi")
            logging.getLogger("lensai.policy").disabled = True  # it says so, and is right to
            gateway.reload()
            logging.getLogger("lensai.policy").disabled = False
            assert "upstreams.far.client_cert_file" in gateway.server._policy.problem
            await exchange(gateway, there)


@pytest.mark.parametrize(
    ("version", "status", "said"),
    [
        # Before TLS 1.3 it is refused in the handshake, since then after it: the request was sent by then.
        (ssl.TLSVersion.TLSv1_2, b"upstream_unreachable", b"(TLS failed: "),
        (ssl.TLSVersion.TLSv1_3, b"upstream_broken", b"(TLSV13_ALERT_CERTIFICATE_REQUIRED)"),
    ],
)
async def test_who_shows_no_certificate_where_one_is_needed_is_told(tmp_path, version, status, said):
    authority = Authority(tmp_path)
    tls = authority.server("127.0.0.1", clients=True)
    tls.minimum_version = tls.maximum_version = version
    with refusing(tls) as port:
        toml = policy(upstream(f"https://127.0.0.1:{port}", f'ca_file = "{authority.ca_file}"'))
        async with serving(tmp_path, toml) as gateway:
            client = await gateway.client()
            client.send(calling("far"))
            message = await client.message()
            assert message.status == 502
            assert status in message.body
            assert said in message.body


@contextlib.contextmanager
def refusing(tls: ssl.SSLContext) -> Iterator[int]:
    """A server that says why it refuses a handshake, which those of asyncio do not."""
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as open_until_the_end:

        def refuse() -> None:
            accepted, _ = listening.accept()
            wrapped = tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
            open_until_the_end.enter_context(wrapped)
            with contextlib.suppress(ssl.SSLError):
                wrapped.do_handshake()

        thread = threading.Thread(target=refuse)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


# -- proxies


async def test_an_https_origin_is_reached_through_connect_and_verified_behind_it(tmp_path):
    authority = Authority(tmp_path)
    async with (
        told(authority, "api.test") as (there, names),
        connect_proxy({"api.test:443": ("127.0.0.1", there.port)}) as proxy,
    ):
        toml = policy(upstream("https://api.test", f'ca_file = "{authority.ca_file}"', proxied(proxy)))
        async with serving(tmp_path, toml, look_up=nowhere) as gateway:
            client = await gateway.client()
            client.send(calling("far"))
            wire, request = await there.called()
            assert request.header(b"host") == b"api.test"
            wire.send(answer(b"{}"))
            await client.message()
            client.send(calling("far"))
            await wire.message()  # the way through is used again
            wire.send(answer(LARGE))
            assert (await client.message()).body == LARGE
        assert names == ["api.test"]
        assert proxy.heads == [b"CONNECT api.test:443 HTTP/1.1\r\nhost: api.test:443\r\n\r\n"]


async def test_behind_a_proxy_a_wrong_certificate_is_as_wrong_as_anywhere(tmp_path):
    authority = Authority(tmp_path)
    async with (
        told(authority, "other.test") as (there, _),
        connect_proxy({"api.test:443": ("127.0.0.1", there.port)}) as proxy,
    ):
        toml = policy(upstream("https://api.test", f'ca_file = "{authority.ca_file}"', proxied(proxy)))
        async with serving(tmp_path, toml) as gateway:
            said = await refused(gateway)
            assert f"no connection to api.test through the proxy 127.0.0.1:{proxy.port} could be made" in said
            assert "Hostname mismatch, certificate is not valid for 'api.test'" in said


async def test_an_http_origin_is_reached_through_connect_too(tmp_path):
    async with provider() as there, connect_proxy({"api.test:80": ("127.0.0.1", there.port)}) as proxy:
        toml = policy(upstream("http://api.test", proxied(proxy)))
        async with serving(tmp_path, toml, look_up=nowhere) as gateway:
            await exchange(gateway, there)
            await exchange(gateway, there, LARGE)
        assert proxy.targets == ["api.test:80", "api.test:80"]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_may_be_spoken_to_in_tls_whatever_is_behind_it(tmp_path, scheme):
    authority = Authority(tmp_path)
    tls = authority.server("api.test") if scheme == "https" else None
    async with (
        provider(tls=tls) as there,
        connect_proxy({"api.test:8443": ("127.0.0.1", there.port)}, tls=authority.server("127.0.0.1")) as proxy,
    ):
        trusting = (f'ca_file = "{authority.ca_file}"', f'proxy_ca_file = "{authority.ca_file}"')
        toml = policy(upstream(f"{scheme}://api.test:8443", *trusting, proxied(proxy, scheme="https")))
        async with serving(tmp_path, toml) as gateway:
            await exchange(gateway, there)
            client = await gateway.client()
            client.send(call("/far/v1/chat/completions", b'{"model":"m","pad":"' + b"x" * 3_000_000 + b'"}'))
            wire, request = await there.called()
            assert len(request.body) > 3_000_000
            wire.send(answer(LARGE))
            assert (await client.message()).body == LARGE


async def test_a_proxy_that_cannot_prove_its_name_is_told_nothing(tmp_path):
    async with connect_proxy({}, tls=Authority(tmp_path).server("127.0.0.1")) as proxy:
        toml = policy(upstream("https://api.test", proxied(proxy, scheme="https")))
        async with serving(tmp_path, toml) as gateway:
            said = await refused(gateway)
            assert f"no connection to the proxy 127.0.0.1:{proxy.port} could be made (its certificate" in said
        assert proxy.heads == []


async def test_an_ipv6_origin_has_brackets_in_front_of_the_proxy_too(tmp_path):
    async with (
        provider() as there,
        connect_proxy({"[fd00::1]:80": ("127.0.0.1", there.port)}) as proxy,
        serving(tmp_path, policy(upstream("http://[fd00::1]", proxied(proxy)))) as gateway,
    ):
        await exchange(gateway, there)


def with_credential(proxy: ConnectProxy, secret: str) -> str:
    named = f'[credentials.proxy]\nsecret = "{secret}"\n'
    return named + upstream("http://api.test", proxied(proxy), 'proxy_credential_id = "proxy"')


async def test_a_proxy_s_credential_is_sent_to_the_proxy_alone(tmp_path):
    async with (
        provider() as there,
        connect_proxy({"api.test:80": ("127.0.0.1", there.port)}, credential=CREDENTIAL) as proxy,
        serving(tmp_path, policy(with_credential(proxy, CREDENTIAL))) as gateway,
    ):
        client = await gateway.client()
        client.send(calling("far"))
        wire, request = await there.called()
        assert b"proxy-authorization" not in request.raw.lower()
        wire.send(answer(b"{}"))
        assert (await client.message()).status == 200


async def test_a_wrong_credential_is_said_to_be_wrong_and_shown_nowhere(tmp_path, caplog):
    async with (
        connect_proxy({}, credential=CREDENTIAL) as proxy,
        serving(tmp_path, policy(with_credential(proxy, "user:other3"))) as gateway,
    ):
        said = await refused(gateway)
        assert f"the proxy 127.0.0.1:{proxy.port} did not connect to api.test:80: it answered 407" in said
        assert "proxy_credential_id" in said
        [record] = await gateway.stop()
        assert (record.outcome, record.refusal_code) == ("upstream_error", "upstream_unreachable")
        assert record.cost_nanousd == 0  # it was never sent
        shown = said + caplog.text + repr(record) + repr(gateway.server._policy.current.policy)
        shown += repr(gateway.server._pipeline._routes._ready["", "far"].origin)
        assert "other3" not in shown
        assert "dXNlcjpvdGhlcjM" not in shown  # nor as it is sent


@pytest.mark.parametrize(
    ("says", "message"),
    [
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 3\r\n\r\nno!", "it answered 403; it does not let the gateway go"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "it answered 502; its log says why"),
        (b"HTTP/1.0 504 Late\r\n\r\n", "it answered 504; its log says why"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + ESTABLISHED, "it answered 100;"),
        (b"HTTP/1.1 301 Moved\r\nlocation: http://evil.test\r\n\r\n", "it answered 301;"),
        (ESTABLISHED + b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "it sent more than its answer"),
        (b"HTTP/1.1 200 OK\r\nx: 1\ny: 2\r\n\r\n", "what it answered is no HTTP"),
        (b"HTTP/2 200\r\n\r\n", "what it answered is no HTTP"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "it closed the connection, or sent no end of a head"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"1" * 100_000, "it closed the connection, or sent no end of a head"),
    ],
)
async def test_a_proxy_that_does_not_open_the_way_is_named(tmp_path, says, message):
    async with (
        connect_proxy({}, says=says) as proxy,
        serving(tmp_path, policy(upstream("https://api.test", proxied(proxy)))) as gateway,
    ):
        said = await refused(gateway)
        assert f"the proxy 127.0.0.1:{proxy.port} did not connect to api.test:443: {message}" in said


async def test_a_proxy_that_is_not_there_is_named(tmp_path):
    port = free_port()
    async with serving(tmp_path, policy(upstream("https://api.test", f'proxy = "http://127.0.0.1:{port}"'))) as gateway:
        said = await refused(gateway)
        assert (
            f"no connection to the proxy 127.0.0.1:{port} could be made (ConnectionRefusedError); see that it" in said
        )


async def test_a_proxy_that_says_nothing_costs_the_connect_timeout(tmp_path):
    async with connect_proxy({}, says=b"") as proxy:
        toml = policy(upstream("https://api.test", proxied(proxy), "connect_timeout_ms = 100"))
        async with serving(tmp_path, toml) as gateway:
            said = await refused(gateway)
            assert f"no connection to api.test through the proxy 127.0.0.1:{proxy.port} in time" in said


async def test_what_stands_behind_a_proxy_and_says_nothing_costs_the_same_timeout(tmp_path):
    async with provider() as there, connect_proxy({"api.test:443": ("127.0.0.1", there.port)}) as proxy:
        toml = policy(upstream("https://api.test", proxied(proxy), "connect_timeout_ms = 100"))
        async with serving(tmp_path, toml) as gateway:
            assert "in time" in await refused(gateway)
            wire = await there.accept()
            with contextlib.suppress(ConnectionError):
                await wire.rest()  # and the way through is closed


# -- the proxy of the settings


async def test_the_setting_s_proxy_is_for_every_upstream_that_names_none(tmp_path):
    async with provider() as there, connect_proxy({"api.test:80": ("127.0.0.1", there.port)}) as proxy:
        toml = policy(
            "\n".join(
                (
                    upstream("http://api.test"),
                    upstream("http://inner.test", name="excepted"),
                    upstream(f"http://127.0.0.1:{there.port}", name="near"),
                    upstream(f"http://direct.test:{there.port}", 'proxy = "direct"', name="direct"),
                )
            )
        )
        asked: list[str] = []

        def look_up(address: tuple[str, int]) -> list[Address]:
            asked.append(address[0])
            return at(there.port, "127.0.0.1")

        setting = {"outbound_proxy": f"http://127.0.0.1:{proxy.port}", "no_proxy": ".inner.test"}
        async with serving(tmp_path, toml, look_up=look_up, **setting) as gateway:
            for name in ("far", "excepted", "near", "direct"):
                await exchange(gateway, there, name=name)
        assert proxy.targets == ["api.test:80"]
        assert asked == ["inner.test", "direct.test"]


async def test_an_upstream_of_this_machine_is_proxied_where_it_says_so_itself(tmp_path):
    async with provider() as there:
        target = f"127.0.0.1:{there.port}"
        async with connect_proxy({target: ("127.0.0.1", there.port)}) as proxy:
            async with serving(tmp_path, policy(upstream(f"http://{target}", proxied(proxy)))) as gateway:
                await exchange(gateway, there)
            assert proxy.targets == [target]


async def test_the_setting_s_credential_is_read_again_on_reload(tmp_path):
    file = tmp_path / "proxy.txt"
    file.write_text("user:old\n")
    async with (
        provider() as there,
        connect_proxy({"api.test:80": ("127.0.0.1", there.port)}, credential="user:old") as proxy,
    ):
        setting = {
            "outbound_proxy": f"http://127.0.0.1:{proxy.port}",
            "outbound_proxy_credential_file": str(file),
        }
        async with serving(tmp_path, policy(upstream("http://api.test")), **setting) as gateway:
            await exchange(gateway, there)
            proxy.credential = "user:new"
            assert "outbound_proxy_credential_file" in await refused(gateway)
            file.write_text("user:new\n")
            gateway.reload()
            await exchange(gateway, there)
