"""Owns edits of the policy file by commands: one table more or less, everything else of the file as it was.

An edit is made on the text, so that comments stay, and is written only if the edited text means exactly what was meant,
and obeys the rules of limits.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from gateway import private_file, toml_text
from gateway.cli.keys import KeysError, read_config
from gateway.policy_toml import read_limits

Value = str | int | datetime | Sequence[str] | Mapping[str, str]
Fields = Mapping[str, Value]
Document = dict[str, Any]


class EditError(Exception):
    """The edit cannot be made; the message says why and what to do."""


class Edit(NamedTuple):
    """Of one array of tables: the rows that go, by their positions, and the row that is added, if any."""

    table: str
    drops: Sequence[int] = ()
    adds: Fields | None = None


def read_text(config: Path) -> str:
    """The file's text with its line ends as they are. Raises `EditError` if there is none."""
    try:
        return read_config(config)
    except KeysError as fault:
        raise EditError(str(fault)) from None


def write(config: Path, text: str, edit: Edit) -> None:
    """Writes the edited text, whole or not at all.

    Raises `EditError` where the text is written in a way that such an edit does not fit, `PolicyError` where the edited
    limits must not be served, and OSError.
    """
    edited = text
    for index in sorted(edit.drops, reverse=True):
        edited = _without(edited, edit.table, index)
    if edit.adds is not None:
        edited += ("" if edited.endswith("\n") or not edited else "\n") + _block(edit.table, edit.adds)
    try:
        understood = toml_text.parse(edited) == _meant(toml_text.parse(text), edit)
    except toml_text.NotToml:
        understood = False
    if not understood:
        raise EditError(f"{edit.table} of {config} are not tables this command can edit; edit the file by hand")
    read_limits(edited, source=config.name)
    private_file.replace(config, edited.encode())


def _meant(document: Document, edit: Edit) -> Document:
    rows = [row for index, row in enumerate(document.get(edit.table, [])) if index not in edit.drops]
    if edit.adds is not None:
        rows.append(dict(edit.adds))
    rest = {name: value for name, value in document.items() if name != edit.table}
    return rest | ({edit.table: rows} if rows else {})


def _without(text: str, table: str, index: int) -> str:
    """The text without a table; comments and empty lines in front of what follows it stay with that."""
    rows = text.split("\n")
    begin, end = toml_text.Lines(text).span((table, index))
    while end > begin + 1 and (not rows[end - 2].strip() or rows[end - 2].lstrip().startswith("#")):
        end -= 1
    if begin > 1 and not rows[begin - 2].strip():
        begin -= 1
    return "\n".join(rows[: begin - 1] + rows[end - 1 :])


def _block(table: str, fields: Fields) -> str:
    return f"\n[[{table}]]\n" + "".join(f"{name} = {_toml(value)}\n" for name, value in fields.items())


def _toml(value: Value) -> str:
    match value:
        case str():
            return _quoted(value)
        case int():
            return str(value)
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case Mapping():
            return f"{{ {', '.join(f'{name} = {_quoted(item)}' for name, item in value.items())} }}"
        case _:
            return f"[{', '.join(map(_quoted, value))}]"


def _quoted(text: str) -> str:
    # A JSON string is a TOML string, but for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
