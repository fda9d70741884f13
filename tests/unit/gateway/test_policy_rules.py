from typing import Any

import pytest
from msgspec.structs import replace

from gateway.contract.policy import Credential, Key, Policy, PriceOverride, Project, Upstream
from gateway.policy_rules import faults_alone, problems, upstream_faults

KEY = Key("alice", "web", "0" * 64, prefix="lk-abcde", upstreams=("groq",), endpoints=("chat.completions",))
GROQ = Upstream("groq", "groq", "https://api.groq.com", "/openai", "groq", headers=(("X-Team", "blue team"),))
AZURE = Upstream("azure", "azure", "https://{resource}.openai.azure.com", resources=("acme-eu",))
PRICE = PriceOverride("groq", "*", rates={"input_text": "0.59"}, starts_at_s=1, ends_at_s=2)
GOOD = Policy(
    projects=(Project("web"),),
    keys=(KEY,),
    upstreams=(GROQ, AZURE),
    credentials=(Credential("groq", "gsk-secret"),),
    price_overrides=(PRICE,),
)


def found(**changed: Any) -> dict[tuple[str | int, ...], str]:
    return dict(problems(replace(GOOD, **changed)))


def test_a_good_policy_has_no_problems():
    assert not found()
    assert not list(problems(Policy()))


@pytest.mark.parametrize("name", ["", "Web", "-web", "we b", "wéb", "a/b", "a" * 65, "..", "web\n"])
def test_names_are_plain(name: str):
    assert ("projects", name) in found(projects=(Project("web"), Project(name)))
    assert ("keys", 0, "id") in found(keys=(replace(KEY, id=name),))
    assert ("upstreams", name) in found(upstreams=(GROQ, replace(AZURE, name=name)))
    assert ("credentials", name) in found(credentials=(*GOOD.credentials, Credential(name, "secret")))


@pytest.mark.parametrize("name", ["k", "v1"])
def test_an_upstream_may_not_take_a_reserved_path_segment(name: str):
    assert "choose another name" in found(upstreams=(GROQ, replace(AZURE, name=name)))["upstreams", name]


def test_nothing_is_there_twice():
    twice = found(projects=(Project("web"),) * 2, upstreams=(GROQ, GROQ), credentials=GOOD.credentials * 2)
    assert twice.keys() == {("projects", "web"), ("upstreams", "groq"), ("credentials", "groq")}
    assert found(keys=(KEY, KEY)).keys() == {("keys", 1, "id"), ("keys", 1, "sha256")}


def test_references_must_exist():
    key = replace(KEY, project_id="nope", upstreams=("nope",), endpoints=("nope",))
    assert found(keys=(key,)).keys() == {("keys", 0, "project_id"), ("keys", 0, "upstreams"), ("keys", 0, "endpoints")}
    assert found(credentials=()).keys() == {("upstreams", "groq", "credential_id")}
    assert found(price_overrides=(replace(PRICE, upstream="nope"),)).keys() == {("price_overrides", 0, "upstream")}
    assert found(upstreams=(replace(GROQ, provider="nope"),)).keys() == {("upstreams", "groq", "provider")}


def test_a_key_pasted_for_its_hash_is_not_repeated():
    token = "lk-" + "x" * 43
    message = found(keys=(replace(KEY, sha256=token),))["keys", 0, "sha256"]
    assert token not in message
    assert ("keys", 0, "sha256") in found(keys=(replace(KEY, sha256="A" * 64),))
    assert ("keys", 0, "prefix") in found(keys=(replace(KEY, prefix=token),))


@pytest.mark.parametrize("secret", ["", "two words", "line\nbreak", "nul\0", "é"])
def test_a_secret_must_fit_a_header_and_is_not_repeated(secret: str):
    message = found(credentials=(Credential("groq", secret),))["credentials", "groq", "secret"]
    assert not secret or secret not in message


@pytest.mark.parametrize(
    "origin",
    [
        "", "api.groq.com", "ftp://api.groq.com", "https://", "https://api.groq.com/", "https://api.groq.com/v1",
        "https://user@api.groq.com", "https://api.groq.com?x=1", "https://api.groq.com#x", "https://api.groq.com:0",
        "https://api.groq.com:65536", "https://api.groq.com:", "https://api groq.com", "https://api.groq.com\r\n",
        "HTTPS://api.groq.com", "https://api.{resource}.com", "https://{resource}", "https://.groq.com",
        "http://[:::]:80", "http://[1.2.3.4]", "http://[::1", "http://::1",
    ],
)  # fmt: skip
def test_an_origin_is_scheme_host_and_port_alone(origin: str):
    assert ("upstreams", "groq", "origin") in found(upstreams=(replace(GROQ, origin=origin),))


@pytest.mark.parametrize(
    "origin",
    ["http://127.0.0.1:8000", "http://[::1]:8000", "https://[2001:db8::7]", "https://my_vllm", "https://a.b:65535"],
)
def test_any_plain_origin_will_do(origin: str):
    assert not found(upstreams=(replace(GROQ, origin=origin),))


@pytest.mark.parametrize("base_path", ["openai", "/openai/", "/", "/a/../b", "/.", "/a?b", "/a#b", "/a b", "//a"])
def test_a_base_path_is_plain_segments(base_path: str):
    assert ("upstreams", "groq", "base_path") in found(upstreams=(replace(GROQ, base_path=base_path),))


def test_any_resource_is_allowed_only_where_no_credential_of_ours_would_go():
    assert not found(upstreams=(GROQ, replace(AZURE, resources=("*",))))
    leaking = replace(AZURE, resources=("*",), credential_id="groq")
    assert "stranger's resource" in found(upstreams=(GROQ, leaking))["upstreams", "azure", "resources"]
    assert not found(upstreams=(GROQ, replace(AZURE, credential_id="groq")))


@pytest.mark.parametrize("resources", [(), ("a.b",), ("a/b",), ("Acme",), ("",), ("*", "acme"), ("acme", "a@b")])
def test_resources_are_dns_labels(resources: tuple[str, ...]):
    assert ("upstreams", "azure", "resources") in found(upstreams=(GROQ, replace(AZURE, resources=resources)))


def test_resources_need_a_place_to_go():
    assert ("upstreams", "groq", "resources") in found(upstreams=(replace(GROQ, resources=("acme",)),))


@pytest.mark.parametrize(
    "header",
    [
        ("Host", "x"), ("Authorization", "x"), ("X-Api-Key", "x"), ("api-key", "x"), ("Connection", "close"),
        ("Transfer-Encoding", "chunked"), ("content-length", "1"), ("x-lensai-user", "x"), ("a b", "x"), ("", "x"),
        ("a:", "x"), ("x-a", "a\r\nb: c"), ("x-a", "a\0"), ("x-a", ""), ("x-a", " a"), ("x-a", "é"), ("ä", "x"),
    ],
)  # fmt: skip
def test_headers_can_neither_smuggle_nor_pay(header: tuple[str, str]):
    assert ("upstreams", "groq", "headers") in found(upstreams=(replace(GROQ, headers=(header,)),))


def test_a_proxy_is_an_address_or_none():
    for proxy in ("", "direct", "http://proxy.example:3128", "https://[fd00::1]:443"):
        assert not found(upstreams=(replace(GROQ, proxy=proxy),))
    for proxy in ("Direct", "proxy.example:3128", "http://proxy.example"):
        assert 'or "direct" for none' in found(upstreams=(replace(GROQ, proxy=proxy),))["upstreams", "groq", "proxy"]


def test_a_password_in_a_proxy_s_address_is_refused_and_not_repeated():
    leaking = replace(GROQ, proxy="http://user:hunter2@proxy.example:1")
    message = found(upstreams=(leaking,))["upstreams", "groq", "proxy"]
    assert "user:password where credentials are kept" in message
    assert "hunter2" not in message


def test_a_proxy_s_credential_exists_is_user_and_password_and_has_a_proxy():
    proxied = replace(GROQ, proxy="http://proxy.example:3128", proxy_credential_id="proxy")
    place = ("upstreams", "groq", "proxy_credential_id")
    good, bad = Credential("proxy", "user:hunter2"), Credential("proxy", "hunter2")
    assert not found(upstreams=(proxied,), credentials=(*GOOD.credentials, good))
    assert "there is no 'proxy' in credentials" in found(upstreams=(proxied,))[place]
    message = found(upstreams=(proxied,), credentials=(*GOOD.credentials, bad))[place]
    assert "does not hold user:password" in message
    assert "hunter2" not in message
    for proxy in ("", "direct"):
        alone = replace(proxied, proxy=proxy)
        assert "no proxy beside it" in found(upstreams=(alone,), credentials=(*GOOD.credentials, good))[place]


def test_a_proxy_s_authorities_need_a_proxy_that_shows_a_certificate():
    for proxy, problems_count in (("", 1), ("http://proxy.example:1", 1), ("https://proxy.example:1", 0)):
        upstream = replace(GROQ, proxy=proxy, proxy_ca_file="/ca.pem")
        assert len(found(upstreams=(upstream,))) == problems_count


def test_a_client_certificate_needs_somebody_who_asks_for_it():
    cert = replace(GROQ, client_cert_file="/cert.pem")
    assert not found(upstreams=(cert,))
    plain = replace(cert, origin="http://api.groq.com")
    assert ("upstreams", "groq", "client_cert_file") in found(upstreams=(plain,))
    alone = replace(GROQ, client_key_file="/key.pem")
    assert ("upstreams", "groq", "client_key_file") in found(upstreams=(alone,))


def test_some_connections_must_be_allowed():
    assert not found(upstreams=(replace(GROQ, connections_max=1),))
    assert ("upstreams", "groq", "connections_max") in found(upstreams=(replace(GROQ, connections_max=0),))


@pytest.mark.parametrize("field", ["connect_timeout_ms", "first_byte_timeout_ms", "total_timeout_ms"])
def test_durations_are_positive(field: str):
    assert ("upstreams", "groq", field) in found(upstreams=(replace(GROQ, **{field: 0}),))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rates": {}}, "either rates or a multiplier"),
        ({"multiplier": "0.85"}, "either rates or a multiplier"),
        ({"model": ""}, "must be named"),
        ({"rates": {"input_words": "1"}}, "no bucket 'input_words'"),
        ({"rates": {"input_text": "-1"}}, "must be 0 or more"),
        ({"rates": {"input_text": "nan"}}, "must be 0 or more"),
        ({"rates": {}, "multiplier": "85 %"}, "not a decimal number"),
        ({"ends_at_s": 1}, "must be later"),
    ],
)
def test_a_price_must_be_one_that_pricing_can_use(change: dict[str, Any], message: str):
    assert message in found(price_overrides=(replace(PRICE, **change),))["price_overrides", 0]


def test_an_organization_has_a_name():
    assert ("upstreams", "azure", "org_id") in found(upstreams=(GROQ, replace(AZURE, org_id="No name")))
    assert ("price_overrides", 0, "org_id") in found(price_overrides=(replace(PRICE, org_id="No name"),))


@pytest.mark.parametrize(
    "row",
    [
        Project("web"),
        Credential("groq", "gsk-secret"),
        replace(KEY, project_id="prj_of_tomorrow", upstreams=("of-tomorrow",)),
        replace(GROQ, credential_id="crd_of_tomorrow"),
        replace(GROQ, proxy="http://proxy:3128", proxy_credential_id="crd_of_tomorrow"),
        replace(PRICE, upstream="of-tomorrow"),
    ],
)
def test_a_row_alone_may_refer_to_what_comes_later(row: Any):
    assert not list(faults_alone(row))


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (Project("No name"), ""),
        (Credential("groq", "two\nlines"), "secret"),
        (replace(KEY, sha256="secret"), "sha256"),
        (replace(KEY, endpoints=("teleport",)), "endpoints"),
        (replace(GROQ, name="v1"), ""),
        (replace(GROQ, origin="ftp://x"), "origin"),
        (replace(GROQ, ca_file="/etc/ca.pem"), "ca_file"),
        (replace(GROQ, client_cert_file="/etc/cert.pem"), "client_cert_file"),
        (replace(GROQ, proxy="https://p:1", proxy_ca_file="/etc/ca.pem"), "proxy_ca_file"),
        (replace(PRICE, rates={"love": "1"}), ""),
    ],
)
def test_what_is_wrong_with_a_row_alone_is_said(row: Any, field: str):
    faults = dict(faults_alone(row))
    assert field in faults
    assert not any("two" in message for message in faults.values())


def test_an_upstream_needs_the_credentials_that_it_names():
    row = replace(GROQ, proxy="http://proxy:3128", proxy_credential_id="proxy")
    assert [field for field, _ in upstream_faults(row, {})] == ["credential_id", "proxy_credential_id"]
    known = {"groq": Credential("groq", "gsk"), "proxy": Credential("proxy", "no-colon")}
    [(field, message)] = upstream_faults(row, known)
    assert field == "proxy_credential_id"
    assert "no-colon" not in message
    assert not list(upstream_faults(row, {**known, "proxy": Credential("proxy", "user:password")}))
