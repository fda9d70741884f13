import json

from control_plane.app import create_app
from tests.support.made import credential, key, project, upstream
from tests.support.published import published, version

SECRET = "sk-proj-0123456789abcdefWXYZ"


async def test_a_credential_is_stored_used_rotated_and_deleted(either_plane):
    plane = either_plane
    org = await plane.organization()
    headers = await plane.token(org)

    made = await plane.client.post(
        "/v1/credentials", json={"name": "OpenAI", "provider": "openai", "secret": SECRET}, headers=headers
    )
    assert made.status_code == 201, made.text
    assert made.headers["etag"] == '"1"'
    stored = made.json()
    assert (stored["hint"], stored["rotated_at_ms"]) == ("WXYZ", None)
    address = f"/v1/credentials/{stored['id']}"
    assert (await plane.client.get(address, headers=headers)).json() == stored
    assert await opened(plane, stored["id"]) == SECRET

    start = await version(plane)
    renamed = await plane.client.patch(address, json={"name": "Ours"}, headers=headers | {"if-match": '"1"'})
    assert (renamed.status_code, renamed.json()["name"], renamed.headers["etag"]) == (200, "Ours", '"2"')
    assert await version(plane) == start

    plane.clock.advance(1)
    rotated = await plane.client.post(
        f"{address}/rotate", json={"secret": "sk-proj-another-secret-9876"}, headers=headers
    )
    assert rotated.status_code == 200, rotated.text
    assert (rotated.json()["hint"], rotated.json()["rotated_at_ms"]) == ("9876", plane.clock.ms)
    assert await version(plane) == start + 1
    assert await opened(plane, stored["id"]) == "sk-proj-another-secret-9876"

    used_by = await upstream(plane, headers, credential_id=stored["id"])
    refused = await plane.client.delete(address, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "openai" in refused.json()["detail"]
    assert (await plane.client.delete(f"/v1/upstreams/{used_by['id']}", headers=headers)).status_code == 204
    assert (await plane.client.delete(address, headers=headers)).status_code == 204
    assert (await published(plane))[f"credential:{stored['id']}"].body is None
    assert (await plane.client.get("/v1/credentials", headers=headers)).json()["items"] == []


async def test_an_upstream_is_made_changed_and_deleted(either_plane):
    plane = either_plane
    org = await plane.organization()
    headers = await plane.token(org)
    openai = await credential(plane, headers)
    proxys = await credential(plane, headers, name="Proxy", provider="proxy", secret="user:password")

    made = await plane.client.post(
        "/v1/upstreams",
        json={
            "name": "eu",
            "provider": "openai-compatible",
            "origin": "https://eu.example.com",
            "base_path": "/openai",
            "credential_id": openai["id"],
            "models": {"prod-chat": "gpt-4o"},
            "options": {
                "proxy": "http://10.0.0.9:3128",
                "proxy_credential_id": proxys["id"],
                "headers": {"OpenAI-Organization": "org-1"},
                "connect_timeout_ms": 500,
                "lists_shared": True,
            },
        },
        headers=headers,
    )
    assert made.status_code == 201, made.text
    stored = made.json()
    item = f"upstream:{stored['id']}"
    told = (await published(plane))[item].body
    assert told["org_id"] == org
    assert (told["name"], told["origin"], told["base_path"]) == ("eu", "https://eu.example.com", "/openai")
    assert (told["credential_id"], told["proxy_credential_id"]) == (openai["id"], proxys["id"])
    assert told["headers"] == [["OpenAI-Organization", "org-1"]]
    assert (told["models"], told["connect_timeout_ms"], told["lists_shared"]) == ({"prod-chat": "gpt-4o"}, 500, True)
    assert told["ca_file"] == told["client_cert_file"] == told["proxy_ca_file"] == ""

    address = f"/v1/upstreams/{stored['id']}"
    assert (await plane.client.get(address, headers=headers)).json() == stored
    changed = await plane.client.patch(
        address,
        json={"models": {"prod-chat": "gpt-4o-mini"}, "options": {"total_timeout_ms": 9000}},
        headers=headers | {"if-match": '"1"'},
    )
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"'), changed.text
    assert changed.json() == stored | {
        "models": {"prod-chat": "gpt-4o-mini"},
        "options": {"total_timeout_ms": 9000},
    }
    told = (await published(plane))[item].body
    assert (told["proxy"], told["headers"], told["total_timeout_ms"]) == ("", [], 9000)

    assert (await plane.client.delete(address, headers=headers)).status_code == 204
    assert (await published(plane))[item].body is None
    assert (await plane.client.get("/v1/upstreams", headers=headers)).json()["items"] == []


async def test_a_price_is_stated_changed_and_deleted(either_plane):
    plane = either_plane
    org = await plane.organization()
    headers = await plane.token(org)
    made = await plane.client.post(
        "/v1/price-overrides",
        json={"upstream": "*", "model": "gpt-4o", "rates": {"input_text": "1.25"}, "starts_at_s": 1_800_000_000},
        headers=headers,
    )
    assert made.status_code == 201, made.text
    stored = made.json()
    item = f"price_override:{stored['id']}"
    told = (await published(plane))[item].body
    assert (told["org_id"], told["rates"], told["starts_at_s"]) == (org, {"input_text": "1.25"}, 1_800_000_000)

    address = f"/v1/price-overrides/{stored['id']}"
    changed = await plane.client.patch(
        address, json={"rates": {}, "multiplier": "0.85", "starts_at_s": None}, headers=headers
    )
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"'), changed.text
    assert changed.json() == stored | {"rates": {}, "multiplier": "0.85", "starts_at_s": None}
    assert (await plane.client.get(address, headers=headers)).json() == changed.json()
    assert (await plane.client.delete(address, headers=headers)).status_code == 204
    assert (await published(plane))[item].body is None
    assert (await plane.client.get("/v1/price-overrides", headers=headers)).json()["items"] == []


async def test_another_organizations_things_are_not_there(plane):
    mine, theirs = await plane.token(await plane.organization()), await plane.token(await plane.organization())
    held = await credential(plane, mine)
    serving = await upstream(plane, mine)
    price = await plane.client.post(
        "/v1/price-overrides", json={"upstream": "*", "model": "m", "multiplier": "1"}, headers=mine
    )
    for address, edit in (
        (f"/v1/credentials/{held['id']}", {"name": "theirs"}),
        (f"/v1/upstreams/{serving['id']}", {"models": {}}),
        (f"/v1/price-overrides/{price.json()['id']}", {"multiplier": "2"}),
    ):
        assert (await plane.client.get(address, headers=theirs)).status_code == 404
        assert (await plane.client.patch(address, json=edit, headers=theirs)).status_code == 404
        assert (await plane.client.delete(address, headers=theirs)).status_code == 404
        assert (await plane.client.get(address.rpartition("/")[0], headers=theirs)).json()["items"] == []
    rotated = await plane.client.post(f"/v1/credentials/{held['id']}/rotate", json={"secret": SECRET}, headers=theirs)
    assert rotated.status_code == 404


async def test_another_organizations_credential_cannot_be_used(plane):
    mine, theirs = await plane.token(await plane.organization()), await plane.token(await plane.organization())
    held = await credential(plane, mine)
    proxys = await credential(plane, mine, name="Proxy", provider="proxy", secret="user:password")
    for body, pointer in (
        ({"credential_id": held["id"]}, "body/credential_id"),
        (
            {"options": {"proxy": "http://10.0.0.9:3128", "proxy_credential_id": proxys["id"]}},
            "body/options/proxy_credential_id",
        ),
    ):
        made = await plane.client.post(
            "/v1/upstreams", json={"name": "openai", "provider": "openai"} | body, headers=theirs
        )
        assert (made.status_code, made.json()["errors"][0]["pointer"]) == (400, pointer), made.text
    serving = await upstream(plane, theirs)
    stolen = await plane.client.patch(
        f"/v1/upstreams/{serving['id']}", json={"credential_id": held["id"]}, headers=theirs
    )
    assert (stolen.status_code, stolen.json()["errors"][0]["pointer"]) == (400, "body/credential_id")


async def test_only_those_who_may_write_providers_do(plane):
    org = await plane.organization()
    held = await credential(plane, await plane.token(org))
    developer = await plane.token(org, "developer")
    assert (await plane.client.get(f"/v1/credentials/{held['id']}", headers=developer)).status_code == 200
    for address, body in (
        ("/v1/credentials", {"name": "x", "provider": "openai", "secret": SECRET}),
        (f"/v1/credentials/{held['id']}/rotate", {"secret": SECRET}),
        ("/v1/upstreams", {"name": "x", "provider": "openai"}),
        ("/v1/price-overrides", {"upstream": "*", "model": "m", "multiplier": "1"}),
    ):
        assert (await plane.client.post(address, json=body, headers=developer)).status_code == 403


async def test_pages_of_upstreams_follow_each_other(plane):
    headers = await plane.token(await plane.organization())
    for name in "abc":
        plane.clock.advance(1)
        await upstream(plane, headers, name=name)
    first = (await plane.client.get("/v1/upstreams?limit=2", headers=headers)).json()
    rest = (await plane.client.get(f"/v1/upstreams?cursor={first['next_cursor']}", headers=headers)).json()
    assert [one["name"] for one in first["items"] + rest["items"]] == ["c", "b", "a"]


async def test_what_the_api_takes_is_described(plane):
    schemas = create_app(plane.parts).openapi_schema.to_schema()["components"]["schemas"]
    assert schemas["UpstreamCreate"]["properties"]["options"] == {"$ref": "#/components/schemas/UpstreamOptions"}
    assert "secret" not in schemas["CredentialOut"]["properties"]


async def test_a_planted_secret_is_found_nowhere(plane, tmp_path, caplog):
    """Neither in the database's files, nor in what is logged, nor in any answer but that which shows it once."""
    caplog.set_level("DEBUG")
    headers = await plane.token(await plane.organization())
    canary, second = "sk-canary-4f1d-provider-secret-zz99", "sk-canary-77aa-rotated-secret-zz98"
    again = headers | {"idempotency-key": "once"}
    body = {"name": "OpenAI", "provider": "openai", "secret": canary}
    answers = [await plane.client.post("/v1/credentials", json=body, headers=again) for _ in range(2)]
    id = answers[0].json()["id"]
    rotate = f"/v1/credentials/{id}/rotate"
    answers.append(await plane.client.post(rotate, json={"secret": second}, headers=again | {"idempotency-key": "2"}))
    refused = [
        await plane.client.post(rotate, json={"secret": f"{canary}\n"}, headers=headers),
        await plane.client.post(rotate, json={"secret": [canary]}, headers=headers),
        await plane.client.post(rotate, json={"secret": canary * 1000}, headers=headers),
        await plane.client.post("/v1/credentials", json=body | {"name": "Proxy", "provider": "proxy"}, headers=headers),
        await plane.client.post("/v1/credentials", content=json.dumps(body)[:-1].encode(), headers=headers),
    ]
    assert {answer.status_code for answer in refused} == {400}
    made = await key(plane, headers, await project(plane, headers))
    answers += [
        await plane.client.get(address, headers=headers)
        for address in (f"/v1/credentials/{id}", "/v1/credentials", f"/v1/keys/{made['id']}", "/v1/keys")
    ]
    planted = (canary, second, made["secret"])
    for answer in answers + refused:
        assert not [secret for secret in planted if secret in answer.text]
    assert not [secret for secret in planted if secret in caplog.text]
    files = list(tmp_path.glob("control-plane.sqlite*"))
    assert len(files) > 1, "the WAL is looked at too"
    for file in files:
        assert not [secret for secret in planted if secret.encode() in file.read_bytes()]


async def opened(plane, credential_id):
    """The secret, as the feed opens it for gateways."""
    async for line in plane.parts.feed.answer(0, "0" * 16):
        for item in json.loads(line.partition(b".")[2].partition(b".")[2])["items"]:
            if (item["kind"], item["id"]) == ("credential", credential_id):
                return item["body"]["secret"]
    return None
