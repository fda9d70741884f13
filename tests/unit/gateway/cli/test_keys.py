import hashlib
import io
from pathlib import Path

import pytest

from gateway.cli.keys import KeysError, add_key, mint, parse_expiry, revoke_key, run_keys
from gateway.policy_toml import compile_policy

NOW_S = 1_800_000_000  # 2027-01-15T08:00:00Z
SHA256 = "0" * 64
TEXT = f"""\
# who pays
[projects.web]

[[keys]]  # the first
id = "alice"  # and who calls
project_id = "web"
sha256 = "{SHA256}"
expires_at = 2027-01-01T00:00:00Z
prefix = "lk-aaaaa"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "lensai.toml"
    path.write_text(TEXT)
    return path


class Command:
    """What `lensai keys …` did: its exit code, and what it wrote where."""

    def __init__(self, config: Path, *words: str, randoms: str = "x") -> None:
        output, errors = io.StringIO(), io.StringIO()
        self.code = run_keys(
            words, config, NOW_S, output=output, errors=errors,
            random_text=lambda size_bytes: randoms * size_bytes,
        )  # fmt: skip
        self.output, self.errors = output.getvalue(), errors.getvalue()


def test_a_created_key_is_shown_once_and_only_its_hash_is_kept(config: Path):
    command = Command(config, "create", "--project", "web")
    token = "lk-" + "x" * 32
    sha256 = hashlib.sha256(token.encode()).hexdigest()
    assert (command.code, command.output) == (0, token + "\n")
    assert command.errors == f"key-{sha256[:8]} of project web; copy it now, only its hash is kept:\n"
    assert token not in command.errors
    text = config.read_text()
    assert text == TEXT + (
        f'\n[[keys]]\nid = "key-{sha256[:8]}"\nproject_id = "web"\nprefix = "lk-xxxxx"\nsha256 = "{sha256}"\n'
    )
    assert compile_policy(text, {}, source="x").keys[1].sha256 == sha256


def test_a_key_has_the_name_mode_and_end_it_was_given(config: Path):
    name = 'Bob\'s "CI" \\ naïve 🔑\x7f'
    words = ("create", "--project", "web", "--name", name, "--mode", "transparent", "--expires", "2d")
    assert Command(config, *words).code == 0
    key = compile_policy(config.read_text(), {}, source="x").keys[1]
    assert (key.name, key.mode, key.expires_at_s) == (name, "transparent", NOW_S + 2 * 86400)


def test_tokens_are_long_random_and_unlike():
    minted = [mint("web") for _ in range(50)]
    assert len({row.token for row in minted}) == len({row.key.id for row in minted}) == 50
    assert {len(row.token) for row in minted} == {3 + 43}
    assert all(row.token.startswith(row.key.prefix) and len(row.key.prefix) == 8 for row in minted)
    assert minted[0].token not in repr(minted[0])


def test_a_file_without_a_newline_at_its_end_is_added_to(config: Path):
    config.write_text(TEXT.rstrip())
    assert Command(config, "create", "--project", "web").code == 0
    assert len(compile_policy(config.read_text(), {}, source="x").keys) == 2


def test_an_unknown_project_is_refused_and_the_file_left_alone(config: Path):
    command = Command(config, "create", "--project", "wbe")
    assert (command.code, command.output) == (1, "")
    assert command.errors == (
        f"lensai keys: there is no project 'wbe' in {config}; add [projects.wbe], or use one of: web\n"
    )
    assert config.read_text() == TEXT


def test_the_same_key_is_not_added_twice(config: Path):
    minted = mint("web")
    add_key(config, minted)
    with pytest.raises(KeysError, match="is there already; run the command again"):
        add_key(config, minted)


def test_the_list_shows_what_people_know_a_key_by(config: Path):
    config.write_text(TEXT + f'[[keys]]\nid = "b"\nproject_id = "web"\nsha256 = "{SHA256}"\nname = "Bob"\n')
    assert Command(config, "list").output == (
        "ID     PROJECT  PREFIX    MODE     STATE                         NAME\n"
        "alice  web      lk-aaaaa  metered  expired 2027-01-01T00:00:00Z\n"
        "b      web                metered  active                        Bob\n"
    )


def test_the_list_needs_no_secret_of_the_file(config: Path):
    config.write_text('[credentials.openai]\nenv = "NOT_SET_IN_THIS_SHELL"\n' + TEXT)
    assert Command(config, "list").code == 0


def test_a_revoked_key_is_disabled_by_one_line_and_comments_stay(config: Path):
    command = Command(config, "revoke", "alice")
    assert (command.code, command.errors) == (0, "alice is revoked\n")
    assert config.read_text() == TEXT.replace("# the first\n", "# the first\ndisabled = true\n")
    assert Command(config, "revoke", "alice").errors == "alice was already revoked\n"
    assert "revoked" in Command(config, "list").output


def test_a_key_that_says_it_is_not_disabled_is_changed_in_place(config: Path):
    config.write_text(TEXT + 'disabled =  false  # = false\nname = "x"\n')
    assert revoke_key(config, "alice")
    assert config.read_text() == TEXT + 'disabled =  true  # = false\nname = "x"\n'


def test_the_right_one_of_many_is_revoked(config: Path):
    for randoms in "abc":
        Command(config, "create", "--project", "web", randoms=randoms)
    ids = [key.id for key in compile_policy(config.read_text(), {}, source="x").keys]
    assert revoke_key(config, ids[2])
    keys = compile_policy(config.read_text(), {}, source="x").keys
    assert [key.id for key in keys if key.disabled] == [ids[2]]


def test_line_ends_and_permissions_stay(config: Path):
    config.write_bytes(TEXT.replace("\n", "\r\n").encode())
    config.chmod(0o640)
    assert revoke_key(config, "alice")
    assert config.read_bytes().count(b"\n") == config.read_bytes().count(b"\r\n") == TEXT.count("\n") + 1
    assert config.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "words", [(), ("create",), ("revoke",), ("create", "--project", "web", "--mode", "unheard-of")]
)
def test_words_that_are_not_understood_end_the_command(
    config: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit):
        Command(config, *words)
    assert capsys.readouterr().err.startswith("usage: lensai keys")
    assert config.read_text() == TEXT


def test_what_cannot_be_edited_safely_is_left_to_a_person(config: Path):
    text = f'projects.web = {{}}\nkeys = [{{ id = "a", project_id = "web", sha256 = "{SHA256}" }}]\n'
    config.write_text(text)
    for command in (Command(config, "revoke", "a"), Command(config, "create", "--project", "web")):
        assert command.code == 1
        assert command.errors.endswith("are not [[keys]] tables this command can edit; edit the file by hand\n")
    assert config.read_text() == text


def test_an_unknown_key_and_a_missing_or_broken_file_say_what_to_do(config: Path):
    assert "`lensai keys list` shows them" in Command(config, "revoke", "bob").errors
    config.write_text(TEXT + "mode = 3\n")
    assert "lensai.toml line 10: keys[0].mode: must be one of" in Command(config, "list").errors
    config.write_bytes(b"\xff")
    assert "is not UTF-8 text" in Command(config, "list").errors
    config.unlink()
    assert "`lensai up` creates it" in Command(config, "list").errors


@pytest.mark.parametrize(
    ("text", "expires_at_s"),
    [
        ("12h", NOW_S + 43200),
        ("90d", NOW_S + 7776000),
        ("2027-01-31", 1801353600),
        ("2027-01-31T00:00:00Z", 1801353600),
        ("2027-01-31T01:00:00+01:00", 1801353600),
    ],
)
def test_an_end_is_a_duration_a_day_or_a_time(text: str, expires_at_s: int):
    assert parse_expiry(text, NOW_S) == expires_at_s


@pytest.mark.parametrize("text", ["soon", "0d", "5m", "-1d", "2026-01-01", "99999999d", "2027-13-01", ""])
def test_any_other_end_is_refused(text: str):
    with pytest.raises(KeysError, match="--expires"):
        parse_expiry(text, NOW_S)
