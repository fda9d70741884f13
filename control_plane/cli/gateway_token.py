"""Owns `lensai control-plane gateway-token`: what gateways prove themselves with."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.auth.tables import GatewayToken
from control_plane.auth.tokens import new_token
from control_plane.cli.operator import Operator, Refused
from control_plane.clock import now_ms
from control_plane.db.ids import new_id
from control_plane.key_file import ring_texts
from control_plane.settings import Settings


async def create(operator: Operator, name: str) -> int:
    """Prints the token and the variables of a gateway. Raises Refused where the name is taken."""
    async with operator.changing() as session:
        secret = await add(session, name)
        await operator.audited(session, "gateway_token:create", f"gateway_token:{name}")
    print("A gateway obeys this control plane with these variables. The token is shown this once.\n")
    print("\n".join(f"{variable}={value}" for variable, value in variables(operator.settings, secret).items()))
    return 0


async def show(operator: Operator, _name: str) -> int:
    async with operator.changing() as session:
        tokens = (await session.execute(select(GatewayToken).order_by(GatewayToken.id))).scalars().all()
    for token in tokens:
        state = "in use" if token.revoked_at_ms is None else f"revoked {_day(token.revoked_at_ms)}"
        print(f"{token.name:<24} {token.prefix}…  made {_day(token.created_at_ms)}  {state}")
    return 0


async def revoke(operator: Operator, name: str) -> int:
    """Raises Refused where no such token is in use."""
    async with operator.changing() as session:
        token = await _in_use(session, name)
        if token is None:
            raise Refused(f"no token {name!r} is in use; `lensai control-plane gateway-token list` names them")
        token.revoked_at_ms = now_ms()
        await operator.audited(session, "gateway_token:revoke", f"gateway_token:{name}")
    print(f"Revoked {name}. Gateways with it are told nothing more; what they know they go on with.")
    return 0


async def add(session: AsyncSession, name: str) -> str:
    """A new token's secret. Raises Refused where the name is taken."""
    if await _in_use(session, name) is not None:
        raise Refused(f"there is a token {name!r} already; revoke it, or take another name")
    token, made_ms = new_token("lgw_"), now_ms()
    session.add(
        GatewayToken(
            id=new_id("gwt", made_ms), name=name, prefix=token.prefix, sha256=token.sha256, created_at_ms=made_ms
        )
    )
    return token.secret


def variables(settings: Settings, secret: str) -> dict[str, str]:
    """What a gateway must know."""
    return {
        "LENSAI_CONTROL_PLANE_URL": settings.url,
        "LENSAI_CONTROL_PLANE_TOKEN": secret,
        "LENSAI_POLICY_KEYS": ring_texts(settings)["policy_keys"],
    }


async def _in_use(session: AsyncSession, name: str) -> GatewayToken | None:
    query = select(GatewayToken).where(GatewayToken.name == name, GatewayToken.revoked_at_ms.is_(None))
    return (await session.execute(query)).scalars().first()


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()


ACTIONS: Mapping[str, Callable[[Operator, str], Coroutine[Any, Any, int]]] = {
    "create": create,
    "list": show,
    "revoke": revoke,
}
