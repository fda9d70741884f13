import asyncio
import gzip

import msgspec
import pytest

from control_plane.ingest import batch
from control_plane.ingest.jobs import spool_root
from control_plane.ingest.known import TRUSTED_MS
from control_plane.ingest.land import land_all
from gateway.lake.store import Directory
from tests.support.control_plane import control_plane
from tests.support.made import project
from tests.support.reporters import URL, event, landed, reporter


@pytest.fixture
async def owner(plane):
    return await plane.token(await plane.organization())


@pytest.fixture
async def project_id(plane, owner):
    return await project(plane, owner)


@pytest.fixture
async def sender(plane, owner, project_id):
    return await reporter(plane, owner, project_id=project_id)


async def in_the_lake(plane):
    """All that was accepted: the spool is closed, which seals and lands."""
    await plane.parts.spool.close()
    lake = spool_root(plane.parts.settings).parent / "lake"
    land_all(spool_root(plane.parts.settings), Directory(lake), plane.parts.keyring)
    return landed(lake)


async def test_a_signed_batch_is_kept_priced_and_lands(either_plane):
    plane = either_plane
    owner = await plane.token(await plane.organization())
    project_id = await project(plane, owner)
    sender = await reporter(plane, owner, project_id=project_id)
    answer = await sender.report(event(plane, "r-1", user_id="ada"), event(plane, "r-2", cost_usd="0.5"))
    assert (answer.status_code, answer.json()) == (200, {"accepted": 2, "duplicates": 0})
    priced, stated = sorted(await in_the_lake(plane), key=lambda record: record.request_id)
    assert (priced.project_id, priced.key_id, priced.user_id) == (project_id, sender.id, "ada")
    # gpt-4o-mini: $0.15 and $0.60 per million tokens.
    assert (priced.cost_nanousd, priced.price_match, priced.provenance) == (210_000, "exact", "reported")
    assert (stated.cost_nanousd, stated.price_match) == (500_000_000, "stated")


async def test_lines_and_gzip_are_taken_as_an_array_is(plane, sender):
    one, two = (msgspec.json.encode(event(plane, id)) for id in ("a", "b"))
    assert (await sender.send(one + b"\n" + two + b"\n")).json() == {"accepted": 2, "duplicates": 0}
    packed = gzip.compress(b"[" + msgspec.json.encode(event(plane, "c")) + b"]")
    assert (await sender.send(packed, content_encoding="gzip")).json() == {"accepted": 1, "duplicates": 0}
    assert {record.request_id for record in await in_the_lake(plane)} == {"a", "b", "c"}


async def test_a_batch_that_is_sent_again_is_kept_once(plane, sender):
    body = msgspec.json.encode([event(plane, "a"), event(plane, "b"), event(plane, "a", route="again")])
    headers = sender.headers(body)
    first, second = [await plane.client.post(URL, content=body, headers=headers) for _ in range(2)]
    assert first.json() == {"accepted": 3, "duplicates": 1}
    assert second.json() == {"accepted": 3, "duplicates": 3}
    assert [(record.request_id, record.route) for record in await in_the_lake(plane)] == [("a", ""), ("b", "")]


async def test_an_id_is_an_organizations_own(plane, sender):
    owner = await plane.token(await plane.organization("Other"))
    other = await reporter(plane, owner, project_id=await project(plane, owner))
    assert (await sender.report(event(plane, "1"))).json()["duplicates"] == 0
    assert (await other.report(event(plane, "1"))).json()["duplicates"] == 0
    assert len(await in_the_lake(plane)) == 2


async def test_whoever_did_not_sign_is_nobody(plane, sender):
    body = msgspec.json.encode([event(plane)])
    good = sender.headers(body)
    late = sender.headers(body, at_s=plane.clock() // 1000 - 301)
    early = sender.headers(body, at_s=plane.clock() // 1000 + 301)
    for wrong in (
        {}, {**good, "x-lensai-key-id": "igk_" + "0" * 26}, {**good, "x-lensai-key-id": "' OR 1=1"},
        {**good, "x-lensai-signature": "v1=" + "0" * 64}, {**good, "x-lensai-signature": ""},
        {**good, "x-lensai-timestamp": "1790000001"}, sender.headers(body + b" "), late, early,
        sender.headers(body, secret=b"lis_another"), {"authorization": "Bearer " + sender.secret.decode()},
        {**good, "x-lensai-signature": good["x-lensai-signature"].removeprefix("v1=")},
    ):  # fmt: skip
        answer = await plane.client.post(URL, content=body, headers=wrong)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), wrong
        assert answer.headers["www-authenticate"] == "LensAI-Signature"
        assert answer.headers["content-type"] == "application/problem+json"
    twice = [*good.items(), ("x-lensai-key-id", sender.id)]
    assert (await plane.client.post(URL, content=body, headers=twice)).status_code == 401
    assert (await plane.client.post(URL, content=body, headers=good)).status_code == 200
    assert len(await in_the_lake(plane)) == 1


async def test_both_secrets_sign_while_a_rotation_overlaps(plane, owner, sender):
    rotated = await plane.client.post(f"/v1/ingest-keys/{sender.id}/rotate", json={"overlap_minutes": 1}, headers=owner)
    body = msgspec.json.encode([event(plane)])
    old, new = sender.headers(body), sender.headers(body, secret=rotated.json()["secret"].encode())
    for headers in (old, new, {**old, "x-lensai-signature": f"v1={'0' * 64}, {new['x-lensai-signature']}"}):
        assert (await plane.client.post(URL, content=body, headers=headers)).status_code == 200
    plane.clock.advance(61)
    body = msgspec.json.encode([event(plane, "r-2")])
    assert (await sender.send(body)).status_code == 401
    new = sender.headers(body, secret=rotated.json()["secret"].encode())
    assert (await plane.client.post(URL, content=body, headers=new)).status_code == 200


async def test_a_revoked_key_and_an_archived_project_stop_within_seconds(plane, owner, sender, project_id):
    assert (await sender.report(event(plane, "1"))).status_code == 200
    await plane.client.delete(f"/v1/projects/{project_id}", headers=owner)
    plane.clock.advance(TRUSTED_MS / 1000)
    archived = await sender.report(event(plane, "2"))
    assert (archived.status_code, archived.json()["errors"][0]["pointer"]) == (400, "body/0/project_id")
    await plane.client.delete(f"/v1/ingest-keys/{sender.id}", headers=owner)
    plane.clock.advance(TRUSTED_MS / 1000)
    assert (await sender.report(event(plane, "3"))).status_code == 401


async def test_a_key_of_all_projects_needs_the_events_to_say_which(plane, owner, sender, project_id):
    anywhere = await reporter(plane, owner)
    other_id = await project(plane, owner, "Other")
    assert (await anywhere.report(event(plane, "1", project_id=other_id))).status_code == 200
    for answer in (
        await anywhere.report(event(plane, "2")),
        await anywhere.report(event(plane, "2", project_id="prj_" + "0" * 26)),
        await sender.report(event(plane, "2", project_id=other_id)),
    ):
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "body/0/project_id")
    assert [record.project_id for record in await in_the_lake(plane)] == [other_id]


async def test_one_bad_event_keeps_the_whole_batch_out_and_each_is_named(plane, sender):
    answer = await sender.report(
        event(plane, "1"),
        event(plane, "2", prompt="Hello"),
        event(plane, "3", tokens_in="many"),
        event(plane, "4", tags=["a", 7]),
        {"request_id": "5"},
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert [(one["pointer"], one["message"]) for one in answer.json()["errors"]] == [
        ("body/1", "Object contains unknown field `prompt`"),
        ("body/2/tokens_in", "Expected `int | null`, got `str`"),
        ("body/3/tags/1", "Expected `str`, got `int`"),
        ("body/4", "Object missing required field `ts`"),
    ]
    many = await sender.report(*(event(plane, str(number), status=7) for number in range(150)))
    assert len(many.json()["errors"]) == 100
    assert await in_the_lake(plane) == []


async def test_what_is_too_large_is_refused_before_it_is_read_to_its_end(plane, sender):
    body = b"[" + b" " * batch.BODY_BYTES_MAX + b"]"
    answer = await sender.send(body)
    assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large")
    # A megabyte of nothing, in a kilobyte.
    bomb = await sender.send(gzip.compress(b"[" + b" " * batch.INFLATED_BYTES_MAX + b"]"), content_encoding="gzip")
    assert (bomb.status_code, bomb.json()["code"]) == (413, "content_too_large")
    assert (await sender.send(b"[]", content_encoding="zstd")).status_code == 415


async def test_a_key_that_reports_too_much_is_told_when_to_come_again(plane, owner, project_id):
    slow = await reporter(plane, owner, project_id=project_id, events_per_s=1)
    batch_of = [event(plane, str(number)) for number in range(1000)]
    assert (await slow.report(*batch_of)).status_code == 200
    refused = await slow.report(event(plane, "more"))
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    plane.clock.advance(int(refused.headers["retry-after"]))
    assert (await slow.report(event(plane, "more"))).status_code == 200


async def test_rules_hold_before_anything_is_written(plane, owner, sender, tmp_path, caplog):
    rules = {
        "hash": ["user_id"],
        "drop": ["metadata.name"],
        "detect": ["email"],
        "patterns": [{"pattern": "CUST-[0-9]+"}],
    }
    await plane.client.put("/v1/redaction", json=rules, headers=owner)
    metadata = {"name": "Ada", "note": "write ada@example.com", "id": "CUST-7"}
    assert (await sender.report(event(plane, user_id="ada@example.com", metadata=metadata))).status_code == 200
    (record,) = await in_the_lake(plane)
    assert record.user_id.startswith("h_")
    assert msgspec.json.decode(record.metadata) == {"note": "write [email]", "id": "[redacted]"}
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    for secret in ("ada@example.com", "CUST-7", "Ada"):
        assert secret.encode() not in written
        assert secret not in caplog.text


async def test_a_large_batch_is_read_beside_the_loop_and_is_the_same(plane, sender):
    events = [event(plane, str(number), metadata={"x": "y" * 100}) for number in range(400)]
    assert (await sender.report(*events)).json() == {"accepted": 400, "duplicates": 0}
    assert len(await in_the_lake(plane)) == 400


async def test_what_the_disk_does_not_take_is_not_acknowledged(plane, sender, tmp_path):
    root = spool_root(plane.parts.settings)
    root.write_text("a file where the directory should be")
    refused = await sender.report(event(plane))
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert refused.headers["retry-after"] == "1"
    root.unlink()
    assert (await sender.report(event(plane))).json() == {"accepted": 1, "duplicates": 0}
    assert len(await in_the_lake(plane)) == 1


async def test_the_throttle_of_people_does_not_count_reports(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/x.sqlite"
    async with control_plane(url, tmp_path, requests_per_minute=3) as plane:
        owner = await plane.token(await plane.organization())
        sender = await reporter(plane, owner, project_id=await project(plane, owner))
        answers = await asyncio.gather(*(sender.report(event(plane, str(number))) for number in range(20)))
        assert {answer.status_code for answer in answers} == {200}


async def test_the_same_is_answered_by_the_framework_where_the_path_is_spelled_otherwise(plane, sender):
    body = msgspec.json.encode([event(plane)])
    answer = await plane.client.post(URL + "/", content=body, headers=sender.headers(body))
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "duplicates": 0})
    assert (await plane.client.post(URL + "/", content=body)).status_code == 401
