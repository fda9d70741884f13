import hashlib
import logging
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from gateway.contract.policy import Credential, Upstream, decode_policy, encode_policy
from gateway.contract.publishing import Item, Part
from gateway.policy import KEPT_NAME, PolicyHolder, PolicyView
from gateway.policy_toml import PolicyError, compile_policy
from gateway.published_file import PublishedFile
from tests.support.policy_server import item, key, project

TOKEN = "lk-token"
DIGEST = hashlib.sha256(TOKEN.encode()).digest()
TEXT = f"""
[projects.web]
[credentials.openai]
secret = "sk-canary"
[[keys]]
id = "alice"
project_id = "web"
sha256 = "{DIGEST.hex()}"
"""
DISABLED = TEXT + "disabled = true\n"
BAD = TEXT + "mode = 3\n"


class Node:
    """One gateway's files, and what a person does to them."""

    def __init__(self, directory: Path) -> None:
        self.config = directory / "lensai.toml"
        self.data_dir = directory / "data"

    def start(self) -> PolicyHolder:
        return PolicyHolder(self.config, self.data_dir, {}, poll_ms=1000)

    def write(self, text: str) -> None:
        draft = self.config.with_suffix(".draft")
        draft.write_text(text)
        draft.replace(self.config)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(tmp_path)
    node.write(TEXT)
    return node


def disabled(holder: PolicyHolder) -> bool:
    key = holder.current.find_key(DIGEST)
    assert key is not None
    return key.disabled


def test_a_view_finds_by_digest_and_by_name():
    view = PolicyView(compile_policy(TEXT, {}, source="x"))
    key = view.find_key(DIGEST)
    assert key is not None
    assert (key.id, view.project(key.project_id).id) == ("alice", "web")
    assert view.upstreams["groq"].base_path == "/openai"
    assert view.credentials["openai"].secret == "sk-canary"


@pytest.mark.parametrize("digest", [b"", DIGEST[:-1], DIGEST + b"\0", bytes(32), DIGEST.hex().encode()])
def test_a_view_finds_nothing_else(digest: bytes):
    assert PolicyView(compile_policy(TEXT, {}, source="x")).find_key(digest) is None


def test_a_start_serves_the_file_and_keeps_it_for_its_owners_eyes(node: Node):
    holder = node.start()
    assert (holder.current.policy.version, holder.current.policy.source, holder.problem) == (1, "lensai.toml", "")
    kept = node.data_dir / KEPT_NAME
    assert decode_policy(kept.read_bytes()) == holder.current.policy
    assert (kept.stat().st_mode & 0o777, node.data_dir.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_changed_file_is_read_at_the_second_poll_that_sees_it(node: Node):
    holder = node.start()
    before = holder.current
    node.write(DISABLED)
    assert not holder.reload_if_changed(10.0)  # changed, perhaps still being written
    assert not holder.reload_if_changed(10.9)  # not due
    assert holder.reload_if_changed(11.0)
    assert disabled(holder)
    assert (before.policy.version, holder.current.policy.version) == (1, 2)
    assert not holder.reload_if_changed(12.0)


def test_a_file_that_keeps_changing_is_left_alone_until_it_rests(node: Node):
    holder = node.start()
    for now_s in range(3):
        node.write(DISABLED + "#" * now_s)
        assert not holder.reload_if_changed(now_s)
    assert holder.reload_if_changed(3)


def test_a_touched_file_is_not_a_new_version(node: Node):
    holder = node.start()
    os.utime(node.config, ns=(1, 1))
    assert [holder.reload_if_changed(now_s) for now_s in (1, 2, 3)] == [False] * 3
    assert holder.current.policy.version == 1


def test_a_bad_file_never_replaces_a_good_policy_and_is_reported_once(node: Node, caplog: pytest.LogCaptureFixture):
    holder = node.start()
    node.write(BAD)
    assert [holder.reload_if_changed(now_s) for now_s in (1, 2, 3, 4)] == [False] * 4
    assert (holder.current.policy.version, disabled(holder)) == (1, False)
    assert holder.problem == "lensai.toml line 9: keys[0].mode: must be one of transparent, metered, guaranteed"
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert (record.getMessage(), vars(record)["version_in_force"]) == ("policy_refused", 1)
    assert vars(record)["problems"] == (holder.problem,)
    node.write(DISABLED)
    assert [holder.reload_if_changed(now_s) for now_s in (5, 6)] == [False, True]
    assert (holder.problem, disabled(holder)) == ("", True)


def test_a_file_that_is_put_back_as_it_was_is_said_to_be_in_force(node: Node, caplog: pytest.LogCaptureFixture):
    holder = node.start()
    with caplog.at_level(logging.INFO, "lensai"):
        node.write(BAD)
        assert not holder.reload()
        node.write(TEXT)
        assert not holder.reload()
        assert not holder.reload()
    said = [record.getMessage() for record in caplog.records]
    assert (said, holder.problem) == (["policy_refused", "policy_in_force"], "")


def test_a_file_that_cannot_be_read_is_not_said_to_be_missing(node: Node):
    holder = node.start()
    node.config.unlink()
    node.config.mkdir()
    assert not holder.reload()
    assert holder.problem.endswith("lensai.toml: Is a directory")


def test_a_file_that_disappears_or_is_no_text_leaves_the_policy_as_it_is(node: Node):
    holder = node.start()
    node.config.unlink()
    assert not holder.reload()
    assert holder.problem.endswith("lensai.toml: No such file or directory; `lensai up` creates one")
    node.config.write_bytes(b"\xff")
    assert not holder.reload()
    assert holder.problem.endswith("lensai.toml: not UTF-8 text; save it as such")
    assert holder.current.policy.version == 1


def test_a_quota_does_not_become_one_of_another_unit(node: Node):
    """Its counter would go on, and what it holds in nano-USD would be millions of tokens."""
    money = TEXT + '[[quotas]]\nid = "web"\nunit = "usd"\nlimit_usd = 5\n'
    tokens = TEXT + '[[quotas]]\nid = "web"\nunit = "tokens"\nlimit = 1000\n'
    node.write(money)
    holder = node.start()
    node.write(tokens)
    for there in (holder, node.start()):
        assert not there.reload()
        assert there.problem == (
            "lensai.toml line 11: quotas[0].unit: was usd until now, as what is counted under this id; write another id"
        )
        assert [quota.unit for quota in there.current.policy.quotas] == ["usd"]
    node.write(tokens.replace('"web"\nunit', '"web-tokens"\nunit'))
    assert holder.reload()


def test_a_signal_reads_at_once(node: Node):
    holder = node.start()
    node.write(DISABLED)
    assert holder.reload()
    assert not holder.reload()
    assert not holder.reload_if_changed(1)


def test_a_restart_with_a_broken_file_serves_the_last_good_policy_loudly(node: Node, caplog: pytest.LogCaptureFixture):
    served = node.start().current.policy
    node.write(BAD)
    caplog.clear()
    holder = node.start()
    assert holder.current.policy == served
    (record,) = caplog.records
    assert (record.levelname, record.getMessage(), vars(record)["version_in_force"]) == ("ERROR", "policy_refused", 1)
    assert "sk-canary" not in str(vars(record))
    node.write(DISABLED)
    assert holder.reload()
    assert holder.current.policy.version == 2


def test_a_restart_with_the_same_file_is_the_same_version(node: Node):
    assert [node.start().current.policy.version for _ in range(3)] == [1, 1, 1]


def test_a_first_start_needs_a_good_file(node: Node):
    node.write(BAD)
    with pytest.raises(PolicyError, match="line 9"):
        node.start()
    node.config.unlink()
    with pytest.raises(PolicyError, match="No such file"):
        node.start()


def reloaded(holder: PolicyHolder) -> bool:
    swapped = holder.reload()
    holder.keep_file()
    return swapped


def test_a_policy_is_in_force_before_the_disk_knows_it(node: Node):
    holder = node.start()
    node.write(DISABLED)
    assert holder.reload()
    kept = node.data_dir / KEPT_NAME
    assert disabled(holder)
    assert decode_policy(kept.read_bytes()).version == 1
    holder.keep_file()
    assert decode_policy(kept.read_bytes()) == holder.current.policy
    assert not holder.unkept


def test_workers_give_one_content_one_version(node: Node):
    workers = [node.start(), node.start()]
    for text, version in ((DISABLED, 2), (TEXT, 3), (DISABLED, 4)):
        node.write(text)
        assert [reloaded(worker) for worker in workers] == [True, True]
        assert [worker.current.policy.version for worker in workers] == [version] * 2


def test_a_worker_that_missed_a_change_catches_up(node: Node):
    prompt, late = node.start(), node.start()
    for text in (DISABLED, TEXT):
        node.write(text)
        assert reloaded(prompt)
    assert late.reload()
    assert late.current.policy == prompt.current.policy


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x80" * 9])
def test_a_kept_policy_that_cannot_be_read_is_as_good_as_none(node: Node, content: bytes):
    node.start()
    (node.data_dir / KEPT_NAME).write_bytes(content)
    assert node.start().current.policy.version == 1
    (node.data_dir / KEPT_NAME).write_bytes(content)
    node.write(BAD)
    with pytest.raises(PolicyError):
        node.start()


def test_a_kept_policy_must_obey_the_rules_too(node: Node):
    policy = node.start().current.policy
    (node.data_dir / KEPT_NAME).write_bytes(encode_policy(replace(policy, credentials=(Credential("openai", ""),))))
    node.write(BAD)
    with pytest.raises(PolicyError):
        node.start()


def test_a_policy_that_cannot_be_kept_is_served_and_kept_later(node: Node, caplog: pytest.LogCaptureFixture):
    node.data_dir.write_text("a file where the directory should be")
    holder = node.start()
    assert holder.current.policy.version == 1
    assert "policy_not_kept" in caplog.text
    node.data_dir.unlink()
    assert not reloaded(holder)
    assert decode_policy((node.data_dir / KEPT_NAME).read_bytes()) == holder.current.policy


class Obeying(Node):
    """A gateway that has a control plane too."""

    def start(self) -> PolicyHolder:
        self.file = PublishedFile(self.data_dir, 0)
        return PolicyHolder(self.config, self.data_dir, {}, poll_ms=1000, published=self.file)


def keys(holder: PolicyHolder) -> set[str]:
    return {key.id for key in holder.current.callers.by_digest.values()}


def part(version: int, *rows: Any, **fields: Any) -> Part:
    return Part("", 0, version, items=tuple(item(row, version) for row in rows), **fields)


def test_what_is_published_is_served_beside_the_file_and_kept(tmp_path: Path):
    node = Obeying(tmp_path)
    node.write(TEXT)
    holder = node.start()
    assert (holder.source, holder.published, holder.published_version) == ("file", None, 0)
    said = part(7, project(), key("bob"))
    assert holder.take(said)
    holder.keep(said)
    assert (keys(holder), holder.source, holder.published_version) == ({"alice", "bob"}, "control_plane", 7)
    assert (holder.current.policy.version, holder.current.policy.source) == (1, "lensai.toml")
    node.file.close()
    again = node.start()
    assert (keys(again), again.source, again.published_version) == ({"alice", "bob"}, "disk", 7)


def test_parts_take_effect_together_and_a_reset_is_the_whole(tmp_path: Path):
    node = Obeying(tmp_path)
    node.write(TEXT)
    holder = node.start()
    holder.take(part(1, project(), key("bob")))
    before = holder.current
    assert not holder.take(part(2, key("carol"), complete=False))
    assert holder.current is before
    assert keys(holder) == {"alice", "bob"}
    holder.drop_staged()
    assert holder.take(part(2, key("dave")))
    assert keys(holder) == {"alice", "bob", "dave"}
    assert not holder.take(part(1, project(), reset=True, complete=False))
    assert holder.take(part(1, key("erin")))
    assert (keys(holder), holder.published_version) == ({"alice", "erin"}, 1)


def test_a_heartbeat_makes_no_view(tmp_path: Path):
    node = Obeying(tmp_path)
    node.write(TEXT)
    holder = node.start()
    holder.take(part(1, project()))
    before = holder.current
    assert holder.take(part(1))
    assert holder.current is before


def test_a_change_of_the_file_leaves_what_is_published(tmp_path: Path):
    node = Obeying(tmp_path)
    node.write(TEXT)
    holder = node.start()
    holder.take(part(1, project(), key("bob")))
    node.write(DISABLED)
    assert holder.reload()
    assert (keys(holder), disabled(holder), holder.current.policy.version) == ({"alice", "bob"}, True, 2)
    node.write(BAD)
    assert not holder.reload()
    assert keys(holder) == {"alice", "bob"}


def test_there_need_be_no_file_where_there_is_a_control_plane(tmp_path: Path):
    holder = Obeying(tmp_path).start()
    assert (holder.problem, keys(holder)) == ("", set())
    assert "openai" in holder.current.upstreams
    with pytest.raises(PolicyError):
        Node(tmp_path / "another").start()


def test_what_cannot_be_served_is_told_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    node = Obeying(tmp_path)
    node.write(TEXT)
    holder = node.start()
    bad = [Item("key", f"k{number}", 1, msgspec.Raw(b'{"secret":"sk-canary"}')) for number in range(12)]
    holder.take(Part("", 0, 1, items=tuple(bad)))
    lonely = Upstream("mine", "vllm", "http://x", credential_id="crd_1")
    holder.take(Part("", 1, 2, items=(item(lonely, 2, "ups_1"),)))
    holder.take(part(3, project()))
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == ["policy_item_refused"] * 10 + ["policy_items_refused", "policy_item_waits"]
    assert holder.items_refused == 12
    assert "sk-canary" not in caplog.text


def test_views_share_what_is_alike():
    policy = compile_policy(TEXT, {}, source="x")
    before = PolicyView(policy)
    after = PolicyView(replace(policy, quotas=()), before.callers, before)
    assert after.callers is before.callers
    assert after.upstreams is before.upstreams
    assert after.credentials is before.credentials
