"""Owns `lensai control-plane republish`: after a backup was restored, what gateways know may be of a lost future."""

from sqlalchemy import select

from control_plane.cli.operator import Operator
from control_plane.clock import now_ms
from control_plane.publish.tables import PolicyVersion


async def republish(operator: Operator) -> int:
    """Every gateway that knows an older version is told the whole policy anew, at once."""
    async with operator.changing() as session:
        row = (await session.execute(select(PolicyVersion).with_for_update())).scalar_one()
        # Higher than any that a lost future can have reached: no installation makes a thousand changes a second.
        row.version = row.pruned = max(row.version + 1, now_ms())
        await operator.audited(session, "policy:republish", f"policy:{row.version}")
    print(f"The policy is at version {row.version}; every gateway takes the whole of it.")
    return 0
