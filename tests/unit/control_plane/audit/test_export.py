import msgspec
import pytest

from control_plane.audit.chain import GENESIS
from control_plane.audit.export import Manifest, Untrusted, check_file, lines, seal
from tests.support.control_plane import ring

RING = ring("seal1")


@pytest.fixture
async def exported(plane):
    """The lines of an export of three entries, and its last."""
    org_id = await plane.organization()
    headers = await plane.token(org_id)
    for name in "abc":
        await plane.client.post("/v1/projects", json={"name": name}, headers=headers)
    whole = b"".join([line async for line in lines(plane.parts.database, RING, org_id, 7)])
    return whole.splitlines(keepends=True)


def test_a_file_as_it_was_exported_holds(exported):
    manifest = check_file(exported, RING)
    assert (len(exported), manifest.count, manifest.exported_at_ms) == (4, 3, 7)
    assert manifest.last_hash == msgspec.json.decode(exported[2])["hash"]


def test_an_empty_log_is_exported_too():
    manifest = Manifest("org_1", 0, GENESIS, 7)
    assert check_file([seal(manifest, RING)], RING) == manifest


def test_whatever_is_changed_is_found(exported):
    first, second, third, last = exported
    forged = seal(Manifest("org_1", 2, msgspec.json.decode(second)["hash"], 7), ring("other"))
    cases = {
        "entry 2: it was changed": [first, second.replace(b'"project:create"', b'"project:delete"'), third, last],
        "entry 2: entry 2 is missing: the next is 3": [first, third, last],
        "entry 3 is missing: the manifest names 3": [first, second, last],
        "the file ends after entry 3": [first, second, third],
        "the signature is wrong": [first, second, forged],
        "something follows": [*exported, first],
        "line 2 is not an entry": [first, b"x\n", last],
        "the last line is not a manifest": [first, b'{"manifest":1}\n'],
    }
    for said, file in cases.items():
        with pytest.raises(Untrusted, match=said):
            check_file(file, RING)


def test_the_signature_is_of_a_key_that_is_known(exported):
    with pytest.raises(Untrusted, match="the signature is wrong"):
        check_file(exported, ring("other"))
