import json
import socket
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPResponse

import pytest
from prometheus_client import CollectorRegistry

from gateway import admin
from gateway.admin import HEARTBEAT_AGE_S_MAX, Admin, heartbeat_check, start_admin
from gateway.telemetry import Telemetry


def well() -> Mapping[str, str]:
    return {}


def broken() -> bytes:
    raise RuntimeError("the ledger is gone")


PAGES = {"/budgets": lambda: b'{"counters":[]}\n', "/broken": broken}


@pytest.fixture
def wrong() -> dict[str, str]:
    """What `ready` finds wrong; tests change it."""
    return {}


@pytest.fixture
def listener(wrong: dict[str, str]) -> Iterator[Admin]:
    telemetry = Telemetry({"lensai_connections": lambda: 2})
    running = start_admin("127.0.0.1", 0, registry=telemetry.registry(), health=well, ready=lambda: wrong, pages=PAGES)
    yield running
    running.close()


def ask(listener: Admin, path: str, method: str = "GET") -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", listener.port, timeout=10)
    connection.request(method, path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def test_a_live_process_is_healthy(listener: Admin) -> None:
    response, body = ask(listener, "/healthz")

    assert response.status == 200
    assert json.loads(body) == {"ok": True, "wrong": {}}


def test_readiness_names_what_is_missing_and_comes_and_goes(listener: Admin, wrong: dict[str, str]) -> None:
    wrong["policy"] = "none loaded"
    response, body = ask(listener, "/readyz")
    assert response.status == 503
    assert response.getheader("Content-Type") == "application/json"
    assert json.loads(body) == {"ok": False, "wrong": {"policy": "none loaded"}}

    wrong.clear()
    assert ask(listener, "/readyz")[0].status == 200


def test_what_is_degraded_is_told_and_fails_nothing() -> None:
    telemetry = Telemetry({})
    running = start_admin(
        "127.0.0.1", 0, registry=telemetry.registry(), health=well, ready=well, degraded=lambda: {"ledger": "away"}
    )
    response, body = ask(running, "/readyz")
    assert response.status == 200
    assert json.loads(body) == {"ok": True, "wrong": {}, "degraded": {"ledger": "away"}}
    assert json.loads(ask(running, "/healthz")[1]) == {"ok": True, "wrong": {}}
    running.close()


def test_metrics_are_prometheus_text(listener: Admin) -> None:
    response, body = ask(listener, "/metrics?x=1")

    assert response.status == 200
    assert (response.getheader("Content-Type") or "").startswith("text/plain")
    assert b"\nlensai_connections 2.0\n" in body


def test_a_further_page_is_made_when_it_is_asked_for(listener: Admin) -> None:
    response, body = ask(listener, "/budgets")
    assert (response.status, response.getheader("Content-Type")) == (200, "application/json")
    assert json.loads(body) == {"counters": []}
    assert ask(listener, "/budgets", "POST")[0].status == 405


def test_a_page_that_fails_is_an_error_and_the_listener_stays(listener: Admin) -> None:
    assert ask(listener, "/broken")[0].status == 500
    assert ask(listener, "/healthz")[0].status == 200


@pytest.mark.parametrize("path", ["/", "/metrics/", "/healthz/x", "/v1/models"])
def test_there_is_nothing_else(listener: Admin, path: str) -> None:
    assert ask(listener, path)[0].status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_get(listener: Admin, method: str) -> None:
    response, _ = ask(listener, "/metrics", method)

    assert response.status == 405
    assert response.getheader("Allow") == "GET"


def test_a_silent_peer_holds_up_nobody(listener: Admin) -> None:
    with socket.create_connection(("127.0.0.1", listener.port)) as silent:
        silent.sendall(b"GET /healthz HT")
        assert ask(listener, "/healthz")[0].status == 200


def test_peers_beyond_the_limit_are_hung_up_on(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(admin, "THREADS_MAX", 1)
    listener = start_admin("127.0.0.1", 0, registry=CollectorRegistry(), health=well, ready=well)
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as silent:
        silent.sendall(b"GET ")
        with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as late:
            assert late.recv(1) == b""
    listener.close()

    assert capfd.readouterr().err == ""


def test_a_stalled_loop_is_unhealthy() -> None:
    assert heartbeat_check(lambda: HEARTBEAT_AGE_S_MAX)() == {}
    assert heartbeat_check(lambda: 42.0)() == {"event_loop": "no heartbeat for 42 s"}


def test_ports_in_use_are_refused_at_once(listener: Admin) -> None:
    with pytest.raises(OSError, match="in use"):
        start_admin("127.0.0.1", listener.port, registry=CollectorRegistry(), health=well, ready=well)


def test_it_listens_on_ipv6_too() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 on this machine")
    listener = start_admin("::1", 0, registry=CollectorRegistry(), health=well, ready=well)
    with socket.create_connection(("::1", listener.port), timeout=10) as peer:
        peer.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert peer.recv(1024).startswith(b"HTTP/1.0 200")
    listener.close()
