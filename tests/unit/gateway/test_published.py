from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gateway.contract.policy import (
    Credential,
    KillSwitch,
    Policy,
    PriceOverride,
    Project,
    Quota,
    QuotaOverride,
    Upstream,
)
from gateway.contract.publishing import ITEMS_MAX, Item
from gateway.published import ITEM_BYTES_MAX, Published
from tests.support.policy_server import item, key, project

FILE = Policy(
    version=7,
    projects=(Project("web"),),
    keys=(key("lk-file", "web"),),
    upstreams=(Upstream("openai", "openai", "https://api.openai.com", credential_id="openai"),),
    credentials=(Credential("openai", "sk-of-the-file"),),
    quotas=(Quota("all", "requests", 9),),
)


def published(*rows: Any, file: Policy = FILE) -> Published:
    made = Published(file)
    put(made, *rows)
    return made


def put(there: Published, *rows: Any) -> None:
    """Applies rows; one of a kind without an id comes with it, as a pair."""
    items = [item(row[1], 1, row[0]) if isinstance(row, tuple) else item(row, 1) for row in rows]
    assert there.apply(items) == []


def drop(there: Published, kind: Any, id: str) -> None:
    there.apply([Item(kind, id, 2)])


def keys(there: Published) -> set[str]:
    return {key.id for key in there.callers.by_digest.values()}


def upstream(name: str = "mine", org_id: str = "org_a", **fields: Any) -> Upstream:
    return Upstream(**{"name": name, "provider": "vllm", "origin": "http://vllm:8000", "org_id": org_id} | fields)


def test_the_files_rows_and_the_published_ones_are_served_together():
    there = published(project(), key("lk-alice"), Quota("bud", "usd", 5, scope={"org": "org_a"}), KillSwitch("stop"))
    policy = there.policy()
    assert keys(there) == {"lk-file", "lk-alice"}
    assert [quota.id for quota in policy.quotas] == ["all", "bud"]
    assert ([switch.id for switch in policy.kill_switches], policy.version) == (["stop"], 7)
    assert (there.is_published("bud"), there.is_published("all")) == (True, False)
    assert (there.has_key("lk-alice"), there.has_key("lk-file")) == (True, False)


def test_what_has_not_changed_is_the_same_object_after_a_change():
    there = published(project(), key("lk-alice"), Quota("bud", "usd", 5), ("up", upstream()))
    before, alice = there.policy(), next(iter(there.callers.by_digest.values()))
    put(there, key("lk-bob"))
    assert there.policy() is before
    put(there, KillSwitch("stop"))
    after = there.policy()
    assert after.kill_switches is not before.kill_switches
    assert after.quotas is before.quotas
    assert after.upstreams is before.upstreams
    put(there, Quota("bud", "usd", 6))
    assert there.policy().quotas is not before.quotas
    assert next(iter(there.callers.by_digest.values())) is alice


def test_a_key_waits_for_its_project_and_goes_with_it():
    there = published(key("lk-alice"))
    assert (keys(there), there.unserved) == ({"lk-file"}, 1)
    put(there, project())
    assert (keys(there), there.unserved) == ({"lk-file", "lk-alice"}, 0)
    drop(there, "project", "prj_a")
    assert (keys(there), there.unserved, "prj_a" in there.callers.projects) == ({"lk-file"}, 1, False)
    put(there, project())
    drop(there, "key", "lk-alice")
    assert keys(there) == {"lk-file"}


def test_a_project_that_moves_takes_its_keys_along():
    there = published(project(), key("lk-alice"))
    put(there, project("prj_a", "org_b"))
    assert set(there.callers.projects_using("openai", "org_b")) == {"prj_a"}
    assert set(there.callers.projects_using("openai", "org_a")) == set()
    put(there, Project("prj_a", "renamed", "org_b"))
    assert there.callers.projects["prj_a"].name == "renamed"
    assert keys(there) == {"lk-file", "lk-alice"}


def test_of_two_keys_with_one_digest_the_second_waits_until_the_first_gives_it_up():
    there = published(project(), key("lk-alice"))
    sha256 = key("lk-alice").sha256
    put(there, key("lk-bob", sha256=sha256))
    assert keys(there) == {"lk-file", "lk-alice"}
    put(there, key("lk-alice", sha256="1" * 64))
    assert keys(there) == {"lk-file", "lk-alice", "lk-bob"}
    put(there, key("lk-carol", sha256=sha256))
    drop(there, "key", "lk-carol")
    drop(there, "key", "lk-bob")
    assert keys(there) == {"lk-file", "lk-alice"}


def test_nothing_published_takes_the_place_of_what_is_the_files():
    there = published(
        project("web", "org_mallory"),
        key("lk-mallory", "web"),
        project(),
        key("lk-thief", sha256=key("lk-file").sha256),
        Credential("openai", "sk-of-mallory"),
        Quota("all", "requests", 10**9),
        ("ovr", QuotaOverride("all", 2**40)),
        ("up_1", upstream("openai", org_id="")),
        ("up_2", upstream("steal", origin="http://mallory:1", credential_id="openai")),
    )
    policy = there.policy()
    assert keys(there) == {"lk-file"}
    assert there.callers.projects["web"].org_id == "default"
    assert (policy.credentials, policy.quotas, policy.quota_overrides) == (FILE.credentials, FILE.quotas, ())
    assert policy.upstreams == FILE.upstreams
    assert set(there.waiting["upstream"]) == {"up_1", "up_2"}
    assert there.unserved == 2 + 1 + 1 + 1 + 1 + 2


def test_an_upstream_waits_for_its_credential_and_its_name_is_its_organizations_alone():
    there = published(("up_1", upstream(credential_id="crd")), ("up_2", upstream(org_id="org_b")))
    assert [row.org_id for row in there.policy().upstreams if row.name == "mine"] == ["org_b"]
    assert there.waiting["upstream"] == {"up_1": "credential_id: there is no such credential"}
    put(there, Credential("crd", "sk-secret"))
    assert [row.org_id for row in there.policy().upstreams if row.name == "mine"] == ["org_a", "org_b"]
    put(there, ("up_3", upstream()))
    there.policy()
    assert there.waiting["upstream"] == {"up_3": "another upstream has the same name"}
    drop(there, "upstream", "up_1")
    there.policy()
    assert there.waiting["upstream"] == {}


def test_an_override_waits_for_its_quota_and_there_is_one_for_each():
    there = published(("o1", QuotaOverride("bud", 10)), ("o2", QuotaOverride("bud", 20)))
    assert there.policy().quota_overrides == ()
    put(there, Quota("bud", "usd", 5))
    assert [row.until_s for row in there.policy().quota_overrides] == [10]
    drop(there, "quota_override", "o1")
    assert [row.until_s for row in there.policy().quota_overrides] == [20]


BAD: dict[str, tuple[Any, str, bytes]] = {
    "no JSON": ("key", "k", b"{"),
    "another structure": ("key", "k", b'{"id":"k"}'),
    "a field of a later version": ("project", "prj_a", b'{"id":"prj_a","new":1}'),
    "no UTF-8": ("project", "prj_a", b'{"id":"prj_a","name":"\xff"}'),
    "another id": ("project", "prj_b", b'{"id":"prj_a"}'),
    "a digest that is none": ("key", "k", b'{"id":"k","project_id":"p","sha256":"sk-a-secret"}'),
    "a secret no header can carry": ("credential", "c", b'{"id":"c","secret":"sk-a\\nsecret"}'),
    "an origin that is none": ("upstream", "u", b'{"name":"u","provider":"vllm","origin":"file:///etc/passwd"}'),
    "a file of the machine": (
        "upstream", "u", b'{"name":"u","provider":"vllm","origin":"https://x","client_cert_file":"/etc/key.pem"}',
    ),
    "a price that is none": ("price_override", "p", b'{"upstream":"*","model":"*","multiplier":"-1"}'),
    "a limit below zero": ("quota", "q", b'{"id":"q","unit":"usd","limit":-1}'),
    "a switch for each": ("kill_switch", "s", b'{"id":"s","scope":{"org":"*"}}'),
    "a switch of no provider": ("kill_switch", "s", b'{"id":"s","scope":{"provider":"nobody"}}'),
    "too large": ("project", "prj_a", b'{"id":"prj_a","name":"' + b"x" * ITEM_BYTES_MAX + b'"}'),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_item_is_refused_alone_and_is_never_quoted_where_it_may_be_secret(fault: str):
    kind, id, body = BAD[fault]
    there = Published(FILE)
    refused = there.apply([Item(kind, id, 1, msgspec.Raw(body)), item(project("prj_c"), 1)])
    assert [(one.item.kind, one.item.id) for one in refused] == [(kind, id)]
    assert refused[0].reason
    assert "sk-a" not in refused[0].reason
    assert "prj_c" in there.callers.projects


def test_what_was_known_of_a_bad_item_stays_until_a_good_one_comes_or_it_is_gone():
    there = published(project(), key("lk-alice"))
    assert there.apply([Item("key", "lk-alice", 2, msgspec.Raw(b'{"disabled":true}'))])
    assert (keys(there), len(there.refused)) == ({"lk-file", "lk-alice"}, 1)
    put(there, key("lk-alice", disabled=True))
    assert len(there.refused) == 0
    there.apply([Item("key", "lk-alice", 3, msgspec.Raw(b"{}"))])
    drop(there, "key", "lk-alice")
    assert (keys(there), len(there.refused)) == ({"lk-file"}, 0)


def test_a_scope_that_names_nobody_is_served_and_touches_nobody():
    there = published(KillSwitch("stop", {"project": "prj_of_tomorrow", "upstream": "none"}))
    assert [row.id for row in there.policy().kill_switches] == ["stop"]


def test_another_file_takes_over_what_it_names_and_leaves_it_again():
    there = published(project(), key("lk-alice"), project("prj_b"), key("lk-bob", "prj_b"), Quota("bud", "usd", 5))
    claims = Policy(
        projects=(Project("prj_b"), Project("web")),
        keys=(key("lk-other", "web", sha256=key("lk-alice").sha256),),
        quotas=(Quota("bud", "requests", 1),),
    )
    there.follow(claims)
    assert keys(there) == {"lk-other"}
    assert there.callers.projects["prj_b"].org_id == "default"
    assert there.policy().quotas == claims.quotas
    there.follow(FILE)
    assert keys(there) == {"lk-file", "lk-alice", "lk-bob"}
    assert there.callers.projects["prj_b"].org_id == "org_a"
    assert [row.id for row in there.policy().quotas] == ["all", "bud"]
    there.follow(Policy())
    assert keys(there) == {"lk-alice", "lk-bob"}


def test_a_copy_goes_its_own_way():
    there = published(project(), key("lk-alice"), Quota("bud", "usd", 5))
    other = there.copy()
    put(other, key("lk-bob"), Quota("bud", "usd", 6), KillSwitch("stop"))
    drop(other, "key", "lk-alice")
    assert (keys(there), keys(other)) == ({"lk-file", "lk-alice"}, {"lk-file", "lk-bob"})
    assert [row.limit for row in there.policy().quotas] == [9, 5]
    assert there.policy().kill_switches == ()


def everything() -> Iterator[Any]:
    yield from (project(), key("lk-alice"), Credential("crd", "sk-1"), Quota("bud", "usd", 5), KillSwitch("stop"))
    yield ("up", upstream(credential_id="crd"))
    yield ("pri", PriceOverride("mine", "*", multiplier="0.5", org_id="org_a"))
    yield ("ovr", QuotaOverride("bud", 10))


def test_its_rows_say_all_of_it_again_refused_items_too():
    there = published(*everything(), *(key(f"lk-{number}") for number in range(2 * ITEMS_MAX)))
    there.apply([Item("key", "lk-alice", 2, msgspec.Raw(b'{"of":"tomorrow"}'))])
    there.version = 17
    parts = list(there.rows().parts())
    assert [part.complete for part in parts] == [False] * (len(parts) - 1) + [True]
    assert [part.reset for part in parts] == [True] + [False] * (len(parts) - 1)
    assert all(len(part.items) <= ITEMS_MAX and part.version == 17 for part in parts)
    again = Published(FILE)
    refused = [one for part in parts for one in again.apply(part.items)]
    assert [one.item.id for one in refused] == ["lk-alice"]
    assert (again.policy(), again.callers.by_digest) == (there.policy(), there.callers.by_digest)
    assert again.known == there.known == 8 + 2 * ITEMS_MAX


def test_nothing_is_one_part_that_says_so():
    [part] = Published(FILE).rows().parts()
    assert (part.reset, part.complete, part.items) == (True, True, ())
