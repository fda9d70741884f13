import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.cli.policy_edit import Edit, EditError, read_text, write
from gateway.policy_toml import PolicyError, read_limits

TEXT = """\
# who pays
[projects.web]

[[kill_switches]]  # the first
id = "a"
scope = { project = "web" }  # all of it
allow = [
  "models",  # free
]

[[kill_switches]]
id = "b"

# prices
[[price_overrides]]
upstream = "openai"
model = "*"
multiplier = 0.5
"""
ADDED = '\n[[kill_switches]]\nid = "c"\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "lensai.toml"
    path.write_text(TEXT)
    return path


def switches(config: Path) -> list[str]:
    return [switch.id for switch in read_limits(config.read_text(), source="x").kill_switches]


def edit(config: Path, *drops: int, **adds: str) -> str:
    write(config, read_text(config), Edit("kill_switches", drops, adds or None))  # type: ignore[arg-type]
    return config.read_text()


def test_a_table_is_added_at_the_end(config: Path):
    assert edit(config, id="c") == TEXT + ADDED


def test_a_text_without_a_last_newline_or_of_nothing_takes_a_table(config: Path):
    config.write_text(TEXT.rstrip("\n"))
    assert edit(config, id="c") == TEXT + ADDED
    config.write_text("")
    assert edit(config, id="c") == ADDED


def test_a_table_goes_with_its_own_lines_and_comments_of_the_next_stay(config: Path):
    assert edit(config, 1) == TEXT.replace('\n[[kill_switches]]\nid = "b"\n', "")
    assert switches(config) == ["a"]
    assert edit(config, 0) == TEXT[: TEXT.index("\n[[kill")] + TEXT[TEXT.index("\n# prices") :]


def test_several_go_at_once_and_the_last_one_to_the_end_of_the_file(config: Path):
    edit(config, id="c")
    assert edit(config, 0, 2) == TEXT[: TEXT.index("\n[[kill")] + TEXT[TEXT.index('\n[[kill_switches]]\nid = "b"') :]
    assert switches(config) == ["b"]


def test_a_table_of_a_table_goes_with_it(config: Path):
    config.write_text('[[kill_switches]]\nid = "a"\n[kill_switches.scope]\nuser = "zoe"\n[projects.web]\n')
    assert edit(config, 0) == "[projects.web]\n"


def test_line_ends_of_windows_stay(config: Path):
    config.write_bytes(TEXT.replace("\n", "\r\n").encode())
    write(config, read_text(config), Edit("kill_switches", (1,)))
    assert config.read_bytes() == TEXT.replace('\n[[kill_switches]]\nid = "b"\n', "").replace("\n", "\r\n").encode()


def test_every_kind_of_value_means_what_it_meant(config: Path):
    quota = '[[quotas]]\nid = "q"\nunit = "tokens"\nlimit = 1\n'
    config.write_text(quota)
    at = datetime(2027, 1, 1, 12, tzinfo=UTC)
    write(config, read_text(config), Edit("quota_overrides", (), {"quota": "q", "until": at, "limit": 7}))
    assert config.read_text() == quota + '\n[[quota_overrides]]\nquota = "q"\nuntil = 2027-01-01T12:00:00Z\nlimit = 7\n'
    odd = {"id": "x", "scope": {"user": 'a"\\\x7fé'}, "allow": ["b", "c"]}
    write(config, read_text(config), Edit("kill_switches", (), odd | {"scope": {"user": 'a"\\é'}}))
    (switch,) = read_limits(config.read_text(), source="x").kill_switches
    assert (switch.scope, switch.allow) == ({"user": 'a"\\é'}, ("b", "c"))


def test_what_this_cannot_edit_is_left_alone(config: Path):
    config.write_text(text := 'kill_switches = [{ id = "a" }, { id = "b" }]\n')
    with pytest.raises(EditError, match="edit the file by hand"):
        edit(config, 0)
    with pytest.raises(EditError, match="edit the file by hand"):
        edit(config, id="c")
    assert config.read_text() == text


def test_what_must_not_be_served_is_not_written(config: Path):
    with pytest.raises(PolicyError, match="another row of kill_switches has the same"):
        edit(config, id="a")
    assert config.read_text() == TEXT


def test_a_file_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(EditError, match="`lensai up` creates it"):
        read_text(tmp_path / "none.toml")


def test_a_file_keeps_its_permissions(config: Path):
    config.chmod(0o640)
    edit(config, id="c")
    assert oct(os.stat(config).st_mode & 0o777) == "0o640"
