"""Owns `lensai audit`: checking the chain in the database or in an exported file, and exporting it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select

from control_plane.audit.export import Untrusted, check_file, lines
from control_plane.audit.reading import check
from control_plane.auth.tables import Organization
from control_plane.cli.operator import Operator, Refused, run
from control_plane.clock import now_ms
from control_plane.db.engine import EVERY_ORG

# A chain that does not hold, or a file that cannot be believed.
BROKEN = 1


def main(words: Sequence[str]) -> int:
    arguments = _parser().parse_args(words)
    if arguments.action == "export":
        return run("audit export", lambda operator: export(operator, arguments.org))
    if arguments.file is not None:
        return run("audit verify", lambda operator: verify_file(operator, arguments.file))
    return run("audit verify", lambda operator: verify(operator, arguments.org))


async def verify(operator: Operator, org_id: str | None) -> int:
    """One organization's chain, or everybody's; BROKEN where one does not hold."""
    broken = False
    async with operator.database.reading(EVERY_ORG) as session:
        for id, name in await _organizations(operator, org_id):
            found = await check(session, id)
            said = f"{found.entries} entries hold" if found.broken is None else f"broken at entry {found.broken.number}"
            reason = "" if found.broken is None else f": {found.broken.reason}"
            print(f"{id} {name!a}: {said}{reason}")
            broken = broken or found.broken is not None
    return BROKEN if broken else 0


async def verify_file(operator: Operator, file: Path) -> int:
    try:
        with file.open("rb") as opened:
            manifest = check_file(opened, operator.rings.secrets)
    except Untrusted as fault:
        print(f"{file}: {fault}")
        return BROKEN
    print(f"{file}: {manifest.count} entries of {manifest.org_id} hold, and the signature is right")
    return 0


async def export(operator: Operator, org_id: str | None) -> int:
    """Writes one organization's log to standard output. Raises Refused where it is not clear whose."""
    organizations = await _organizations(operator, org_id)
    if len(organizations) != 1:
        raise Refused(f"say whose: --org {' or --org '.join(id for id, _ in organizations)}")
    id = organizations[0][0]
    async with operator.changing() as session:
        await operator.audited(session, "audit:export", f"organization:{id}", org_id=id)
    async for line in lines(operator.database, operator.rings.secrets, id, now_ms()):
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
    return 0


async def _organizations(operator: Operator, org_id: str | None) -> Sequence[tuple[str, str]]:
    """Ids and names. Raises Refused where there is none."""
    query = select(Organization.id, Organization.name).order_by(Organization.id)
    if org_id is not None:
        query = query.where(Organization.id == org_id)
    async with operator.database.reading(EVERY_ORG) as session:
        found = [(row.id, row.name) for row in (await session.execute(query)).all()]
    if not found:
        raise Refused(f"there is no organization {org_id}" if org_id else "there is no organization yet")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lensai audit", description="The audit log: a chain of hashes.")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    verify = actions.add_parser("verify", help="name the first broken link")
    verify.add_argument("--org", metavar="ID", help="this organization only")
    verify.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a signed export instead of the database")
    export = actions.add_parser("export", help="print the log as lines of JSON, the last one signed")
    export.add_argument("--org", metavar="ID", help="whose; needed where there are several")
    return parser
