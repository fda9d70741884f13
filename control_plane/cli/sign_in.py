"""Owns `lensai control-plane sign-in`: the operator's way in, and back in, without mail."""

from sqlalchemy import select

from control_plane.auth.first_start import sign_in_link
from control_plane.auth.tables import User
from control_plane.cli.operator import Operator, Refused
from control_plane.clock import now_ms


async def sign_in(operator: Operator, email: str) -> int:
    """Prints a link for a user. Raises Refused where nobody has that address."""
    address = email.strip().lower()
    async with operator.changing() as session:
        if (await session.execute(select(User.id).where(User.email == address))).first() is None:
            raise Refused(f"nobody has the address {address}; an owner invites people in the UI")
        link = await sign_in_link(session, operator.settings, address, now_ms())
        await operator.audited(session, "sign_in:link", f"user:{address}")
    print(f"Once, within {operator.settings.link_s // 60} minutes: {link}")
    return 0
