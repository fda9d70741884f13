import asyncio

import pytest
from sqlalchemy import select

from control_plane.audit.tables import AuditLog
from control_plane.providers.service import hint
from tests.support.made import credential, upstream
from tests.support.published import published, version

HEADERS_OF_GATEWAY = {"Authorization": "Bearer x"}


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("sk-proj-0123456789abcdefWXYZ", "WXYZ"),
        ("0123456789abcdefghij", "ghij"),
        ("0123456789abcdefghi", ""),
        ("a-user-with-a-long-name:hunter22", ""),
        ("AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "EKEY"),
    ],
)
def test_a_hint_is_little_of_a_long_secret_and_nothing_of_a_short_one(secret, shown):
    assert hint(secret) == shown


async def test_a_credential_that_cannot_be_sent_is_refused(plane):
    headers = await plane.token(await plane.organization())
    good = {"name": "A", "provider": "openai", "secret": "sk-1"}
    for wrong, pointer in (
        ({"secret": "sk 1"}, "body/secret"),
        ({"secret": "sk-1\n"}, "body/secret"),
        ({"secret": "schlüssel"}, "body/secret"),
        ({"provider": "proxy"}, "body/secret"),
        ({"provider": "opnai"}, "body/provider"),
    ):
        answer = await plane.client.post("/v1/credentials", json=good | wrong, headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer), answer.text
    proxys = await credential(plane, headers, provider="proxy", secret="user:password")
    rotated = await plane.client.post(
        f"/v1/credentials/{proxys['id']}/rotate", json={"secret": "password"}, headers=headers
    )
    assert (rotated.status_code, rotated.json()["errors"][0]["pointer"]) == (400, "body/secret")


async def test_names_are_taken_once_in_an_organization(plane):
    first, other = await plane.organization("First"), await plane.organization("Other")
    headers = await plane.token(first)
    held, second = await credential(plane, headers), await credential(plane, headers, name="Second")
    await upstream(plane, headers)
    for address, body in (
        ("/v1/credentials", {"name": held["name"], "provider": "openai", "secret": "sk-1"}),
        ("/v1/upstreams", {"name": "openai", "provider": "openai"}),
    ):
        again = await plane.client.post(address, json=body, headers=headers)
        assert (again.status_code, again.json()["code"]) == (409, "conflict")
    address = f"/v1/credentials/{second['id']}"
    renamed = await plane.client.patch(address, json={"name": held["name"]}, headers=headers)
    assert (renamed.status_code, renamed.json()["code"]) == (409, "conflict")
    theirs = await plane.token(other)
    await credential(plane, theirs)
    await upstream(plane, theirs)


async def test_an_upstream_that_a_gateway_would_refuse_is_not_stored(plane):
    headers = await plane.token(await plane.organization())
    held = await credential(plane, headers)
    good = {"name": "eu", "provider": "openai-compatible", "origin": "https://eu.example.com"}
    azure = {"provider": "azure", "origin": "https://{resource}.openai.azure.com", "credential_id": held["id"]}
    start = await version(plane)
    for wrong, pointer in (
        ({"name": "k"}, "body/name"),
        ({"name": "v1"}, "body/name"),
        ({"provider": "opnai"}, "body/provider"),
        ({"origin": ""}, "body/origin"),
        ({"origin": "ftp://x"}, "body/origin"),
        ({"origin": "https://user:hunter22@x"}, "body/origin"),
        ({"base_path": "/../x"}, "body/base_path"),
        ({"options": {"proxy": "proxy.example"}}, "body/options/proxy"),
        ({"options": {"proxy_credential_id": held["id"]}}, "body/options/proxy_credential_id"),
        ({"options": {"headers": HEADERS_OF_GATEWAY}}, "body/options/headers"),
        ({"options": {"headers": {"X-A": "two\nlines"}}}, "body/options/headers"),
        ({"options": {"region": "US East"}}, "body/options/region"),
        ({"provider": "bedrock", "origin": ""}, "body/options/region"),
        (azure, "body/options/resources"),
        (azure | {"options": {"resources": ["*"]}}, "body/options/resources"),
        ({"origin": "http://eu.example.com", "credential_id": held["id"]}, "body/origin"),
        ({"options": {"tls_verify": False}, "credential_id": held["id"]}, "body/origin"),
        ({"origin": "http://169.254.169.254"}, "body/origin"),
        ({"options": {"proxy": "http://169.254.169.254:80"}}, "body/options/proxy"),
        ({"credential_id": "crd_" + "0" * 26}, "body/credential_id"),
        ({"models": {f"{n:04}{'m' * 200}": "gpt-4o" for n in range(700)}}, "body/models"),
    ):
        answer = await plane.client.post("/v1/upstreams", json=good | wrong, headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer), answer.text
        assert "hunter22" not in answer.text
    assert (await plane.client.get("/v1/upstreams", headers=headers)).json()["items"] == []
    assert await version(plane) == start


@pytest.mark.parametrize("field", ["ca_file", "client_cert_file", "client_key_file", "proxy_ca_file", "org_id", "name"])
async def test_files_and_owners_are_not_for_the_api_to_name(plane, field):
    headers = await plane.token(await plane.organization())
    body = {"name": "openai", "provider": "openai", "options": {field: "/etc/shadow"}}
    answer = await plane.client.post("/v1/upstreams", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


async def test_an_edit_of_an_upstream_is_judged_as_a_whole(plane):
    headers = await plane.token(await plane.organization())
    held = await credential(plane, headers)
    plain = await upstream(plane, headers, name="eu", provider="vllm", origin="http://eu.example.com")
    address = f"/v1/upstreams/{plain['id']}"
    start = await version(plane)
    refused = await plane.client.patch(address, json={"credential_id": held["id"]}, headers=headers)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "body/origin")
    unchanged = await plane.client.get(address, headers=headers)
    assert (unchanged.headers["etag"], unchanged.json()["credential_id"]) == ('"1"', None)
    assert await version(plane) == start
    both = {"credential_id": held["id"], "origin": "https://eu.example.com"}
    assert (await plane.client.patch(address, json=both, headers=headers)).status_code == 200


async def test_an_upstream_that_says_no_more_is_at_its_provider_s_own_address(plane):
    headers = await plane.token(await plane.organization())
    groq = await upstream(plane, headers, name="groq", provider="groq")
    assert (groq["origin"], groq["base_path"]) == ("https://api.groq.com", "/openai")
    bedrock = await upstream(plane, headers, name="aws", provider="bedrock", options={"region": "eu-west-1"})
    assert bedrock["origin"] == "https://bedrock-runtime.eu-west-1.amazonaws.com"
    moved = await plane.client.patch(
        f"/v1/upstreams/{bedrock['id']}", json={"options": {"region": "us-east-1"}}, headers=headers
    )
    assert moved.json()["origin"] == "https://bedrock-runtime.us-east-1.amazonaws.com"
    azure = await upstream(plane, headers, name="azure", provider="azure")
    assert azure["options"]["resources"] == ["*"], "callers bring their own key to their own resource"
    back = await plane.client.patch(
        f"/v1/upstreams/{groq['id']}", json={"base_path": "", "origin": ""}, headers=headers
    )
    assert (back.json()["origin"], back.json()["base_path"]) == ("https://api.groq.com", "")


async def test_credentials_are_used_for_what_they_are(plane):
    headers = await plane.token(await plane.organization())
    held = await credential(plane, headers)
    proxys = await credential(plane, headers, name="Proxy", provider="proxy", secret="user:password")
    for body, pointer in (
        ({"credential_id": proxys["id"]}, "body/credential_id"),
        (
            {"options": {"proxy": "http://10.0.0.9:3128", "proxy_credential_id": held["id"]}},
            "body/options/proxy_credential_id",
        ),
        (
            {"options": {"proxy": "http://proxy.example.com:3128", "proxy_credential_id": proxys["id"]}},
            "body/options/proxy",
        ),
    ):
        made = await plane.client.post(
            "/v1/upstreams", json={"name": "openai", "provider": "openai"} | body, headers=headers
        )
        assert (made.status_code, made.json()["errors"][0]["pointer"]) == (400, pointer), made.text


async def test_a_credential_of_a_proxy_in_use_is_not_deleted(plane):
    headers = await plane.token(await plane.organization())
    proxys = await credential(plane, headers, name="Proxy", provider="proxy", secret="user:password")
    options = {"proxy": "http://10.0.0.9:3128", "proxy_credential_id": proxys["id"]}
    await upstream(plane, headers, name="one", options=options)
    await upstream(plane, headers, name="two", options=options)
    refused = await plane.client.delete(f"/v1/credentials/{proxys['id']}", headers=headers)
    assert refused.status_code == 409
    assert "one, two" in refused.json()["detail"]


async def test_a_credential_is_deleted_or_used_and_never_both(either_plane):
    plane = either_plane
    headers = await plane.token(await plane.organization())
    for number in range(5):
        proxys = await credential(plane, headers, name="Proxy", provider="proxy", secret="user:password")
        body = {
            "name": f"openai-{number}",
            "provider": "openai",
            "options": {"proxy": "http://10.0.0.9:3128", "proxy_credential_id": proxys["id"]},
        }
        made, deleted = await asyncio.gather(
            plane.client.post("/v1/upstreams", json=body, headers=headers),
            plane.client.delete(f"/v1/credentials/{proxys['id']}", headers=headers),
        )
        assert (made.status_code, deleted.status_code) in {(201, 409), (400, 204)}
        if made.status_code == 201:
            await plane.client.delete(f"/v1/upstreams/{made.json()['id']}", headers=headers)
            await plane.client.delete(f"/v1/credentials/{proxys['id']}", headers=headers)


async def test_one_change_of_a_map_publishes_one_item_once(plane):
    headers = await plane.token(await plane.organization())
    held = await credential(plane, headers)
    first, _ = [await upstream(plane, headers, name=name, credential_id=held["id"]) for name in ("a", "b")]
    before, start = await published(plane), await version(plane)
    address = f"/v1/upstreams/{first['id']}"
    await plane.client.patch(address, json={"models": {"prod": "gpt-4o"}}, headers=headers)
    after = await published(plane)
    assert {item for item in after if after[item] != before.get(item)} == {f"upstream:{first['id']}"}
    assert await version(plane) == start + 1
    same = await plane.client.patch(address, json={"models": {"prod": "gpt-4o"}}, headers=headers)
    assert (same.headers["etag"], await version(plane)) == ('"3"', start + 1)


async def test_an_edit_of_what_changed_meanwhile_is_refused(plane):
    headers = await plane.token(await plane.organization())
    held, serving = await credential(plane, headers), await upstream(plane, headers)
    price = await plane.client.post(
        "/v1/price-overrides", json={"upstream": "*", "model": "m", "multiplier": "1"}, headers=headers
    )
    for address, edit in (
        (f"/v1/credentials/{held['id']}", {"name": "Other"}),
        (f"/v1/upstreams/{serving['id']}", {"models": {"a": "b"}}),
        (f"/v1/price-overrides/{price.json()['id']}", {"multiplier": "2"}),
    ):
        assert (await plane.client.patch(address, json=edit, headers=headers)).status_code == 200
        for method, body in (("PATCH", edit), ("DELETE", None)):
            late = await plane.client.request(method, address, json=body, headers=headers | {"if-match": '"1"'})
            assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")
        assert (await plane.client.delete(address, headers=headers | {"if-match": '"2"'})).status_code == 204


async def test_a_price_that_means_nothing_is_refused(plane):
    headers = await plane.token(await plane.organization())
    good = {"upstream": "openai", "model": "gpt-4o"}
    rates = {"rates": {"input_text": "1"}}
    for wrong in (
        {},
        rates | {"multiplier": "0.9"},
        {"rates": {"input_txt": "1"}},
        {"rates": {"input_text": "-1"}},
        {"rates": {"input_text": "1e9"}},
        {"rates": {"input_text": 1}},
        {"multiplier": "1e999999999"},
        {"multiplier": "NaN"},
        rates | {"starts_at_s": 2, "ends_at_s": 2},
        rates | {"starts_at_s": -1},
        rates | {"upstream": "Open AI"},
        rates | {"model": ""},
    ):
        answer = await plane.client.post("/v1/price-overrides", json=good | wrong, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.text
    made = await plane.client.post("/v1/price-overrides", json=good | rates, headers=headers)
    address = f"/v1/price-overrides/{made.json()['id']}"
    for wrong in ({"multiplier": "0.9"}, {"rates": {}}, {"rates": {"x": "1"}}, {"ends_at_s": 0}):
        answer = await plane.client.patch(address, json=wrong, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.text
    assert (
        "choose from"
        in (await plane.client.patch(address, json={"rates": {"x": "1"}}, headers=headers)).json()["detail"]
    )


async def test_the_audit_log_tells_each_change_and_no_secret(plane):
    org = await plane.organization()
    headers = await plane.token(org)
    secret = "sk-proj-0123456789abcdefWXYZ"
    id = (await credential(plane, headers, secret=secret))["id"]
    await plane.client.patch(f"/v1/credentials/{id}", json={"name": "Ours"}, headers=headers)
    await plane.client.post(f"/v1/credentials/{id}/rotate", json={"secret": secret[::-1]}, headers=headers)
    await plane.client.delete(f"/v1/credentials/{id}", headers=headers)
    async with plane.parts.database.reading(org) as session:
        entries = (await session.execute(select(AuditLog).order_by(AuditLog.number))).scalars().all()
    verbs = [entry.action.partition(":")[2] for entry in entries]
    assert verbs == ["create", "update", "rotate", "delete"]
    assert {entry.subject for entry in entries} == {f"credential:{id}"}
    assert (entries[2].meta["before"]["hint"], entries[2].meta["after"]["hint"]) == ("WXYZ", "p-ks")
    assert not [entry for entry in entries if secret in str(entry.meta) or secret[::-1] in str(entry.meta)]
