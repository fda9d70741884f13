"""What people write for a proxy, and whom it is not for."""

import base64

import pytest

from gateway.proxy import (
    Outbound,
    Proxy,
    authority,
    credential_fault,
    exceptions_fault,
    fault,
    read_exceptions,
    read_proxy,
)


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("http://proxy.example:3128", Proxy("proxy.example", 3128)),
        ("https://Proxy.example:443/", Proxy("proxy.example", 443, tls=True)),
        ("http://10.0.0.1:8080", Proxy("10.0.0.1", 8080)),
        ("http://[fd00::1]:8080", Proxy("fd00::1", 8080)),
        ("http://proxy_a:1", Proxy("proxy_a", 1)),
    ],
)
def test_a_proxy_is_scheme_host_and_port(text, proxy):
    assert fault(text) == ""
    assert read_proxy(text, "", "", "") == proxy


@pytest.mark.parametrize(
    "text",
    [
        "proxy.example:3128", "http://proxy.example", "http://proxy.example:", "http://proxy.example:0",
        "http://proxy.example:65536", "socks5://proxy.example:1080", "http://proxy.example:3128/path", "http://:3128",
        "http://[::1:3128", "http://[:::]:3128", "http://[1.2.3]:1", "http://a b:1", "http://a:1\r\n", "direct ", "",
    ],
)  # fmt: skip
def test_anything_else_is_none(text):
    assert "write it like http://" in fault(text)


@pytest.mark.parametrize(
    "text", ["http://user:hunter2@proxy.example:3128", "https://hunter2@proxy.example:1", "@hunter2"]
)
def test_a_password_in_the_address_is_refused_and_not_repeated(text):
    assert "user:password where credentials are kept" in fault(text)
    assert "hunter2" not in fault(text)


def test_a_credential_is_sent_as_basic_and_shown_nowhere():
    proxy = read_proxy("https://proxy.example:3128", "user:pass:wörd", "", "")
    assert proxy.authorization == b"Basic " + base64.b64encode("user:pass:wörd".encode())
    assert repr(proxy) == str(proxy) == f"{proxy}" == "Proxy(proxy.example:3128)"


@pytest.mark.parametrize("credential", ["", "user", ":password", "user:pass\nword"])
def test_a_credential_has_a_user_and_a_password(credential):
    assert "user:password" in credential_fault(credential)


def test_a_password_may_hold_colons_and_blanks_and_be_empty():
    assert [credential_fault(each) for each in ("user:pass:word", "user:pass word", "user:")] == ["", "", ""]


@pytest.mark.parametrize(
    ("entries", "host", "held"),
    [
        ("example.com", "example.com", True),
        ("example.com", "api.example.com", True),
        ("example.com", "API.Example.COM.", True),
        ("example.com", "badexample.com", False),
        (".example.com", "api.example.com", True),
        (".example.com", "example.com", True),
        ("a.example, b.example", "b.example", True),
        ("a.example b.example", "b.example", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3/8", "10.9.9.9", True),
        ("10.0.0.0/8", "ten.example", False),
        ("192.168.1.7", "192.168.1.7", True),
        ("fd00::/8", "fd12::1", True),
        ("[fd00::1]", "fd00::1", True),
        ("fd00::/8", "10.1.2.3", False),
        ("*", "anything.example", True),
        ("", "api.example.com", False),
    ],
)
def test_an_exception_is_a_host_a_domain_an_address_or_a_network(entries, host, held):
    assert exceptions_fault(entries) == ""
    assert read_exceptions(entries).hold(host) is held


@pytest.mark.parametrize("entries", ["10.0.0.0/33", "http://a.example", "a.example:443", "*.example.com", "a,,?"])
def test_what_is_none_of_these_is_refused(entries):
    assert "correct it" in exceptions_fault(entries)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST.", "db.localhost"])
def test_this_machine_is_never_reached_through_the_setting_s_proxy(host):
    proxy = Proxy("proxy.example", 3128)
    outbound = Outbound(proxy, read_exceptions(""))
    assert outbound.proxy_for(host) is None
    assert outbound.proxy_for("localhost.example") is proxy
    assert Outbound().proxy_for("api.example.com") is None


def test_an_ipv6_address_has_brackets_where_a_port_follows():
    assert [authority("::1", 443), authority("a.example", 80)] == ["[::1]:443", "a.example:80"]
