import hashlib

from gateway.callers import Callers
from gateway.contract.policy import Key, Project

PROJECTS = (Project("web", org_id="a"), Project("app", org_id="a"), Project("shop", org_id="b"))


def key(id: str, project_id: str, upstreams: tuple[str, ...] | None = None) -> Key:
    return Key(id, project_id, hashlib.sha256(id.encode()).hexdigest(), upstreams=upstreams)


def found(callers: Callers, id: str) -> Key | None:
    return callers.by_digest.get(hashlib.sha256(id.encode()).digest())


def test_keys_come_and_go_one_by_one():
    alice, bob = key("alice", "web"), key("bob", "shop")
    callers = Callers(PROJECTS, (alice,))
    callers.add(bob)
    assert (found(callers, "alice"), found(callers, "bob")) == (alice, bob)
    callers.drop(alice)
    assert (found(callers, "alice"), found(callers, "bob")) == (None, bob)


def test_who_may_use_a_name_is_counted_by_organization_and_project():
    first, second, third = key("1", "web"), key("2", "web", ("openai", "groq")), key("3", "app", ("openai",))
    callers = Callers(PROJECTS, (first, second, third, key("4", "shop")))
    assert set(callers.orgs()) == {"a", "b"}
    assert set(callers.projects_using("openai", "a")) == {"web", "app"}
    assert set(callers.projects_using("groq", "a")) == {"web"}
    assert set(callers.projects_using("openai", "b")) == {"shop"}
    callers.drop(first)
    assert set(callers.projects_using("mistral", "a")) == set()
    assert set(callers.projects_using("groq", "a")) == {"web"}
    for gone in (second, third):
        callers.drop(gone)
    assert (set(callers.orgs()), set(callers.projects_using("openai", "a"))) == ({"b"}, set())


def test_a_name_that_a_key_lists_twice_counts_once():
    callers = Callers(PROJECTS)
    twice = key("1", "web", ("openai", "openai"))
    callers.add(twice)
    callers.drop(twice)
    assert set(callers.orgs()) == set()


def test_a_copy_goes_its_own_way():
    alice, bob = key("alice", "web"), key("bob", "app", ("openai",))
    callers = Callers(PROJECTS, (alice, bob))
    other = callers.copy()
    for one in (alice, bob):
        other.drop(one)
    del other.projects["web"]
    assert (found(callers, "alice"), callers.projects["web"].org_id) == (alice, "a")
    assert set(callers.projects_using("openai", "a")) == {"web", "app"}
