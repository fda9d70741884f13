"""Owns edits that do not overwrite each other's: the ETag is the row's version, If-Match is checked and counted up."""

import re

from control_plane.api.problems import Problem
from control_plane.db.base import Edited

_ETAG = re.compile(r'(?:W/)?"(\d{1,18})"')


def etag(row: Edited) -> dict[str, str]:
    """The response header of a row."""
    return {"etag": f'"{row.version}"'}


def edit(row: Edited, if_match: str | None, now_ms: int) -> None:
    """Counts an edit, or refuses it (412) where the row is no longer what the editor saw. No If-Match: no check."""
    if if_match is not None and if_match != "*":
        seen = _ETAG.fullmatch(if_match)
        if seen is None:
            raise Problem(400, "invalid", 'If-Match must be an ETag as it was sent, such as "3"')
        if int(seen[1]) != row.version:
            raise Problem(412, "changed_meanwhile", "Somebody else changed this: read it again, then change it")
    row.version += 1
    row.updated_at_ms = now_ms
