"""Owns `lensai keys`: makes, lists and revokes callers' keys in the TOML file, and leaves the rest of it alone.

A running gateway sees the change within two polls of the file. A key is shown once, when it is made: the
file holds its SHA-256.
"""

import argparse
import hashlib
import json
import re
import secrets
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TextIO, get_args

from msgspec.structs import replace

from gateway import private_file, toml_text
from gateway.contract.policy import Key, Mode, Project
from gateway.policy_toml import PolicyError, read_callers

TOKEN_PREFIX = "lk-"  # noqa: S105 - what every key begins with
# 256 bits: no search finds one, so an unsalted SHA-256 is enough to keep of it.
TOKEN_BYTES = 32
# What people recognise a key by afterwards: `lk-` and 30 of its 256 bits.
SHOWN_CHARS = 8

_HOUR_S = 3600
_UNITS_S = {"h": _HOUR_S, "d": 24 * _HOUR_S}
_DURATION = re.compile(r"([1-9][0-9]{0,4})([hd])")
_EXPIRY_FORMS = "90d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z"

RandomText = Callable[[int], str]


class KeysError(Exception):
    """The command cannot be done; the message says why and what to do."""


class Minted(NamedTuple):
    """A new key, and the token that opens with it: show it once, keep it nowhere."""

    token: str
    key: Key

    def __repr__(self) -> str:
        return f"Minted(token=…, key={self.key!r})"


def mint(
    project_id: str,
    *,
    name: str = "",
    mode: Mode = "metered",
    expires_at_s: int | None = None,
    random_text: RandomText = secrets.token_urlsafe,
) -> Minted:
    """A key that is in no file yet. Its id is taken from its hash, so it needs no register."""
    token = TOKEN_PREFIX + random_text(TOKEN_BYTES)
    sha256 = hashlib.sha256(token.encode()).hexdigest()
    key = Key(f"key-{sha256[:8]}", project_id, sha256, token[:SHOWN_CHARS], name, mode, expires_at_s=expires_at_s)
    return Minted(token, key)


def toml_block(key: Key) -> str:
    """The `[[keys]]` table of a minted key, an empty line before it."""
    lines = [f"id = {_quoted(key.id)}"]
    if key.name:
        lines.append(f"name = {_quoted(key.name)}")
    lines += [f"project_id = {_quoted(key.project_id)}", f"prefix = {_quoted(key.prefix)}", f'sha256 = "{key.sha256}"']
    if key.mode != "metered":
        lines.append(f'mode = "{key.mode}"')
    if key.expires_at_s is not None:
        lines.append(f"expires_at = {_iso(key.expires_at_s)}")
    return "\n[[keys]]\n" + "\n".join(lines) + "\n"


def read_config(config: Path) -> str:
    """The file's text with its line ends as they are. Raises `KeysError` if there is none."""
    try:
        return config.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise KeysError(f"there is no {config}; `lensai up` creates it, or set LENSAI_CONFIG_FILE") from None
    except UnicodeDecodeError:
        raise KeysError(f"{config} is not UTF-8 text; save it as such") from None
    except OSError as fault:
        raise KeysError(f"cannot read {config}: {fault.strerror}") from None


def add_key(config: Path, minted: Minted) -> None:
    """Appends the key to the file. Raises `KeysError` if its project is unknown or the file cannot take it."""
    text = read_config(config)
    projects, keys = _callers(text, config)
    if minted.key.project_id not in (known := [project.id for project in projects]):
        raise KeysError(
            f"there is no project {minted.key.project_id!r} in {config}; add [projects.{minted.key.project_id}],"
            f" or use one of: {', '.join(known) or 'none so far'}"
        )
    if minted.key.id in (key.id for key in keys):
        # Ids are 32 bits of the hash: among 1,000 keys one new key in four million meets this.
        raise KeysError(f"a key {minted.key.id} is there already; run the command again for another")
    block = ("" if text.endswith("\n") or not text else "\n") + toml_block(minted.key)
    _confirm(text + block, projects, (*keys, minted.key), config)
    private_file.append(config, block.encode())


def revoke_key(config: Path, key_id: str) -> bool:
    """Sets `disabled = true` on the key; False if it was already. Raises `KeysError` if the file has no such key."""
    text = read_config(config)
    projects, keys = _callers(text, config)
    index = next((index for index, key in enumerate(keys) if key.id == key_id), None)
    if index is None:
        raise KeysError(f"there is no key {key_id!r} in {config}; `lensai keys list` shows them")
    if keys[index].disabled:
        return False
    edited = _disable(text, index)
    _confirm(edited, projects, (*keys[:index], replace(keys[index], disabled=True), *keys[index + 1 :]), config)
    private_file.replace(config, edited.encode())
    return True


def parse_expiry(text: str, now_s: int) -> int:
    """UTC seconds for `90d`, `12h`, `2027-01-31` (its midnight, UTC) or a time with its zone.

    Raises `KeysError` for anything else, and for the past.
    """
    if duration := _DURATION.fullmatch(text):
        return now_s + int(duration[1]) * _UNITS_S[duration[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise KeysError(
            f"--expires {text!r} is not understood; write 90d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z"
        ) from None
    expires_at_s = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    if expires_at_s <= now_s:
        raise KeysError(f"--expires {text} is in the past; write a later one")
    return expires_at_s


def run_keys(
    argv: Sequence[str],
    config: Path,
    now_s: int,
    *,
    output: TextIO = sys.stdout,
    errors: TextIO = sys.stderr,
    random_text: RandomText = secrets.token_urlsafe,
) -> int:
    """Does what the words after `lensai keys` say; the exit code.

    What a script wants (the token, the list) goes to `output`, the rest to `errors`. Raises SystemExit for
    words that are not understood, and for --help.
    """
    arguments = _parser().parse_args(argv)
    try:
        match arguments.command:
            case "create":
                minted = _create(arguments, config, now_s, random_text)
                errors.write(
                    f"{minted.key.id} of project {minted.key.project_id}; copy it now, only its hash is kept:\n"
                )
                output.write(f"{minted.token}\n")
            case "list":
                output.write(_table(_callers(read_config(config), config)[1], now_s))
            case _:
                revoked = revoke_key(config, arguments.id)
                errors.write(f"{arguments.id} {'is' if revoked else 'was already'} revoked\n")
    except (KeysError, PolicyError) as fault:
        errors.write(f"lensai keys: {fault}\n")
        return 1
    except OSError as fault:
        errors.write(f"lensai keys: cannot write {config}: {fault.strerror}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lensai keys", description="Make, list and revoke callers' keys.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    create = commands.add_parser("create", help="make a key and show it once")
    create.add_argument("--project", required=True, help="id of the project that pays, as in [projects.<id>]")
    create.add_argument("--name", default="", help="what people call it")
    create.add_argument("--mode", default="metered", choices=get_args(Mode))
    create.add_argument("--expires", default="", help=f"{_EXPIRY_FORMS}; default never")
    commands.add_parser("list", help="show every key, without its token")
    revoke = commands.add_parser("revoke", help="refuse a key from now on")
    revoke.add_argument("id", help="as `lensai keys list` shows it")
    return parser


def _create(arguments: argparse.Namespace, config: Path, now_s: int, random_text: RandomText) -> Minted:
    expires_at_s = parse_expiry(arguments.expires, now_s) if arguments.expires else None
    minted = mint(
        arguments.project,
        name=arguments.name,
        mode=arguments.mode,
        expires_at_s=expires_at_s,
        random_text=random_text,
    )
    add_key(config, minted)
    return minted


def _callers(text: str, config: Path) -> tuple[tuple[Project, ...], tuple[Key, ...]]:
    return read_callers(text, source=config.name)


def _confirm(text: str, projects: tuple[Project, ...], keys: tuple[Key, ...], config: Path) -> None:
    """An edit of text must mean exactly what was asked for before it is written."""
    try:
        if _callers(text, config) == (projects, keys):
            return
    except PolicyError:
        pass  # as below: the text was good before, so it is the edit that does not fit
    raise KeysError(f"the keys of {config} are not [[keys]] tables this command can edit; edit the file by hand")


def _disable(text: str, index: int) -> str:
    lines, rows = toml_text.Lines(text), text.split("\n")
    if ("keys", index, "disabled") in lines:
        at = lines["keys", index, "disabled"] - 1
        rows[at] = re.sub(r"(=\s*)false", r"\1true", rows[at], count=1)
    else:
        at = lines["keys", index]
        rows.insert(at, "disabled = true" + ("\r" if rows[at - 1].endswith("\r") else ""))
    return "\n".join(rows)


def _table(keys: Iterable[Key], now_s: int) -> str:
    head = ("ID", "PROJECT", "PREFIX", "MODE", "STATE", "NAME")
    rows = [head, *((key.id, key.project_id, key.prefix, key.mode, _state(key, now_s), key.name) for key in keys)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join("  ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows)


def _state(key: Key, now_s: int) -> str:
    if key.disabled:
        return "revoked"
    if key.expires_at_s is None:
        return "active"
    return f"{'expired' if now_s >= key.expires_at_s else 'until'} {_iso(key.expires_at_s)}"


def _iso(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _quoted(text: str) -> str:
    # A JSON string is a TOML string, but for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
