"""Owns `lensai control-plane prepare`: for `lensai up`, which runs a gateway beside a control plane on one machine.

Prints one line of JSON: where it will be, its owner, their sign-in link if it was just made, a gateway's variables.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace
from sqlalchemy import select

from control_plane.auth.tables import GatewayToken
from control_plane.auth.tokens import digest
from control_plane.cli.gateway_token import add, variables
from control_plane.cli.operator import told
from control_plane.clock import now_ms
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.serve import CannotStart, listen, make_ready
from control_plane.settings import Settings, SettingsError, load_settings
from gateway import private_file

TOKEN_FILE = "control-plane.gateway-token"  # noqa: S105 - the name of the file
_NAME = "this machine"


class Prepared(msgspec.Struct, frozen=True):
    """`environ` is for the gateway and the control plane alike."""

    url: str
    owner: str
    sign_in: str | None
    environ: dict[str, str]


def prepare(environ: Mapping[str, str]) -> int:
    try:
        settings = _with_port(load_settings(environ))
        prepared = asyncio.run(_prepared(settings))
    except (SettingsError, CannotStart) as fault:
        return told("control-plane", fault)
    print(msgspec.json.encode(prepared).decode(), flush=True)
    return 0


async def _prepared(settings: Settings) -> Prepared:
    ready = await make_ready(settings)
    token = await _token(settings)
    port = {"LENSAI_CONTROL_LISTEN_PORT": str(settings.listen_port)}
    return Prepared(settings.url, settings.owner_email, ready.sign_in, {**variables(settings, token), **port})


async def _token(settings: Settings) -> str:
    """The token in its private file; a new one where there is none, or where it was revoked."""
    file = Path(settings.data_dir) / TOKEN_FILE
    kept = file.read_text("ascii").strip() if file.exists() else ""
    database = Database(settings.database)
    try:
        async with database.writing(EVERY_ORG) as session:
            query = select(GatewayToken).where(GatewayToken.name == _NAME, GatewayToken.revoked_at_ms.is_(None))
            for row in (await session.execute(query)).scalars():
                if row.sha256 == digest(kept):
                    return kept
                row.revoked_at_ms = now_ms()
            await session.flush()
            secret = await add(session, _NAME)
            private_file.replace(file, f"{secret}\n".encode())
            return secret
    finally:
        await database.close()


def _with_port(settings: Settings) -> Settings:
    """Settings with a port that can be told before it is listened on; one that is taken is told now."""
    with listen(settings) as probe:
        return replace(settings, listen_port=probe.getsockname()[1])
