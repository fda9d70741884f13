import asyncio
import shutil
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import func, select

from control_plane.alerts.tables import AlertRule
from control_plane.audit.reading import check
from control_plane.auth.principal import Principal
from control_plane.auth.tables import Membership
from control_plane.budgets import service as budgets
from control_plane.budgets.schema import StatusOut
from control_plane.budgets.status import status
from control_plane.budgets.tables import Budget, Quota
from control_plane.cli.operator import Operator
from control_plane.cli.seed import main
from control_plane.cli.seed_company import KILL_REASON
from control_plane.clock import now_ms
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.key_file import load_rings
from control_plane.keys.tables import ApiKey
from control_plane.kill_switch.tables import KillSwitch
from control_plane.lake.seed import landing
from control_plane.lake.seed.landing import Seeded
from control_plane.lake.seed.world import KEYS, PROJECTS
from control_plane.projects.tables import Project
from control_plane.providers.tables import PriceOverride
from control_plane.publish.tables import PolicyItem
from control_plane.settings import load_settings
from control_plane.work import Work
from gateway.lake.store import Directory

WORDS = ["--rows", "6000", "--days", "12", "--seed", "3"]


@pytest.fixture(scope="module")
def seeded_installation(installation: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: tests read it."""
    made = tmp_path_factory.mktemp("seeded")
    shutil.copytree(installation, made, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LENSAI_CONTROL_DATA_DIR", str(made))
        assert main(WORDS) == 0
    return made


@pytest.fixture
def operator(seeded_installation: Path):
    """Whoever looks at a seeded installation."""
    settings = load_settings({"LENSAI_CONTROL_DATA_DIR": str(seeded_installation)})
    return Operator(settings, load_rings(settings), Database(settings.database))


def seeded(operator: Operator) -> Seeded:
    found = landing.begun(Directory(Path(operator.settings.lake)))
    assert found is not None
    return found


def test_the_lake_is_of_the_projects_and_keys_that_the_database_has(operator):
    async def look() -> None:
        async with operator.database.reading(EVERY_ORG) as session:
            projects = {row.id: row.name for row in (await session.execute(select(Project))).scalars()}
            keys = {row.id for row in (await session.execute(select(ApiKey))).scalars()}
            published = (await session.execute(select(func.count()).where(PolicyItem.kind == "key"))).scalar_one()
        await operator.database.close()
        events = f"read_parquet('{operator.settings.lake}/landing/*/*.parquet')"
        with duckdb.connect() as lake:
            in_lake = lake.sql(f"SELECT DISTINCT project_id, key_id FROM {events}").fetchall()
        assert {project for project, _ in in_lake} == projects.keys()
        assert {key for _, key in in_lake} <= keys
        assert set(projects.values()) == set(PROJECTS.values())
        assert published == len(keys) == len(KEYS)

    asyncio.run(look())


def test_budgets_stand_as_the_events_say_and_one_is_spent(operator):
    async def look() -> tuple[dict[str, StatusOut], dict[str, Budget]]:
        places = seeded(operator).places
        async with operator.database.reading(places.org_id) as session:
            principal = Principal("system", "test", "test", places.org_id, "owner")
            work = Work(session, principal, now_ms(), operator.rings.secrets, operator.settings)
            rows = list((await session.execute(budgets.listed(None))).scalars())
            found = {row.name: await status(work, row) for row in rows}
        await operator.database.close()
        return found, {row.name: row for row in rows}

    stands, rows = asyncio.run(look())
    assert len(stands) == len(PROJECTS)
    places = seeded(operator).places
    begin = datetime.fromtimestamp(seeded(operator).plan.now_s, UTC).replace(day=1, hour=0, minute=0, second=0)
    for handle, name in PROJECTS.items():
        one = stands[f"{name}, monthly"]
        events = f"read_parquet('{operator.settings.lake}/landing/*/*.parquet')"
        with duckdb.connect() as lake:
            query = f"SELECT sum(cost_usd) FROM {events} WHERE project_id = $1 AND ts >= $2"
            ((spent,),) = lake.execute(query, [places.projects[handle], begin]).fetchall()
        assert one.spent is not None
        assert float(one.spent) == float(spent or 0)
        assert rows[f"{name}, monthly"].limit_nanousd > 0


def test_what_happened_is_in_the_database_too_and_the_audit_chain_holds(operator):
    async def look() -> None:
        places = seeded(operator).places
        async with operator.database.reading(places.org_id) as session:
            switch = (await session.execute(select(KillSwitch))).scalar_one()
            assert (switch.reason, switch.active) == (KILL_REASON, False)
            assert switch.released_at_ms is not None
            assert switch.released_at_ms - switch.activated_at_ms == 42 * 60_000
            rules = (await session.execute(select(AlertRule.trigger).order_by(AlertRule.trigger))).scalars().all()
            assert rules == ["anomaly", "threshold"]
            assert (await session.execute(select(func.count(Quota.id)))).scalar_one() == 3
            assert (await session.execute(select(PriceOverride.model))).scalars().all() == ["qwen3-coder-30b"]
            assert (await session.execute(select(func.count(Membership.id)))).scalar_one() == 6
            found = await check(session, places.org_id)
            assert found.broken is None
            assert found.entries > 50
        await operator.database.close()

    asyncio.run(look())
