import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control_plane.lake import table
from control_plane.lake.curated import open_tables
from control_plane.lake.erase import order
from control_plane.retention.run import Retaining
from tests.support.control_plane import ControlPlane
from tests.support.lakes import call, calls, cost, cure, land, look, rolled, rows, seen

DAY_MS = 86_400_000


class Died(BaseException):
    """Stands for the end of a process."""


def real_ms(later_ms: int = 0) -> int:
    """The real time, or one after it: what is vacuumed is as old as it says."""
    return int(time.time() * 1000) + later_ms


def tomorrow() -> int:
    return real_ms(DAY_MS)


def retaining(plane: ControlPlane, lake: Path, retention: str = "") -> Retaining:
    settings = msgspec.structs.replace(plane.parts.settings, retention=retention)
    return Retaining(plane.parts.database, settings, plane.parts.keyring, open_tables(str(lake)), real_ms)


async def asked(plane: ControlPlane, headers: dict[str, str], user: str = "zoe") -> str:
    answer = await plane.client.post("/v1/retention/erasures", json={"user": user}, headers=headers)
    return answer.json()["id"]


async def shown(plane: ControlPlane, headers: dict[str, str], id: str) -> Any:
    return (await plane.client.get(f"/v1/retention/erasures/{id}", headers=headers)).json()


async def actions(plane: ControlPlane, headers: dict[str, str]) -> list[tuple[str, str]]:
    entries = (await plane.client.get("/v1/audit", headers=headers)).json()["items"]
    return [(entry["action"], entry["actor"]) for entry in entries if entry["actor"].startswith("system:")]


async def test_what_is_past_its_time_goes_and_the_audit_log_says_so(either_plane: ControlPlane, tmp_path: Path) -> None:
    plane, lake = either_plane, tmp_path / "lake"
    org_id = await plane.organization()
    headers = await plane.token(org_id)
    now_ms = real_ms()
    old = calls(range(10), org_id=org_id)
    land(lake, "a", [*old, call(20, now_ms // 1000, org_id=org_id)])
    cure(lake, now_ms)
    run = retaining(plane, lake, "default:30:0")
    assert (await run.run(dry_run=True)).deleted == {org_id: 10}
    assert await actions(plane, headers) == []
    assert (await run.run()).deleted == {org_id: 10}
    assert seen(look(lake)) == cost([call(20)])
    assert rolled(look(lake)) == cost([*old, call(20, org_id=org_id)])
    assert await actions(plane, headers) == [("retention:delete", "system:retention")]
    assert not (await run.run()).anything
    assert len(await actions(plane, headers)) == 1


async def test_an_erasure_goes_its_way_until_no_file_names_anybody(
    either_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane, lake = either_plane, tmp_path / "lake"
    org_id = await plane.organization()
    headers = await plane.token(org_id)
    now_ms = real_ms()
    land(lake, "a", calls(range(10), org_id=org_id, user_id="zoe"))
    cure(lake, now_ms)
    id = await asked(plane, headers)
    run = retaining(plane, lake)
    await run.run()
    assert (await shown(plane, headers, id))["status"] == "vacuuming"
    assert rows(look(lake).hourly_users, "SELECT DISTINCT user_id FROM rows") == [("(erased)",)]
    await replace(run, clock=tomorrow).run()
    assert (await shown(plane, headers, id))["status"] == "vacuuming", "the raw file and those of readers are there"

    monkeypatch.setattr(table, "VACUUM_AFTER_H", 0)
    cure(lake, now_ms + DAY_MS)
    await replace(run, clock=tomorrow).run()
    done = await shown(plane, headers, id)
    assert (done["status"], done["unsearched_files"]) == ("done", 0)
    assert now_ms + DAY_MS <= done["done_at_ms"] <= tomorrow()
    assert await actions(plane, headers) == [("erasure:finish", "system:retention")]
    assert rolled(look(lake)) == cost(calls(range(10), org_id=org_id))

    await replace(run, clock=tomorrow).run()
    late, later = calls([30], org_id=org_id, user_id="zoe"), call(31, now_ms // 1000 + 90_000, user_id="zoe")
    land(lake, "late", [*late, later])
    cure(lake, now_ms + 2 * DAY_MS)
    users = rows(look(lake).events, "SELECT request_id, user_id FROM rows WHERE user_id <> '(erased)'")
    assert users == [(later.request_id, "zoe")], "what somebody does afterwards is theirs again"


async def test_a_hold_that_comes_later_stops_an_erasure(plane: ControlPlane, tmp_path: Path) -> None:
    org_id = await plane.organization()
    headers = await plane.token(org_id)
    now_ms = real_ms()
    land(tmp_path / "lake", "a", calls(range(3), org_id=org_id, user_id="zoe"))
    cure(tmp_path / "lake", now_ms)
    id = await asked(plane, headers)
    hold = await plane.client.post("/v1/retention/holds", json={"reason": "Case"}, headers=headers)
    run = retaining(plane, tmp_path / "lake", "default:1:1")
    assert not (await run.run()).anything
    assert (await shown(plane, headers, id))["status"] == "pending"
    await plane.client.delete(f"/v1/retention/holds/{hold.json()['id']}", headers=headers)
    assert (await run.run()).deleted == {org_id: 3}
    assert (await shown(plane, headers, id))["status"] == "vacuuming"


async def test_a_run_that_dies_between_the_lake_and_the_database_is_ended_by_the_next(
    plane: ControlPlane, tmp_path: Path
) -> None:
    org_id = await plane.organization()
    headers = await plane.token(org_id)
    now_ms = real_ms()
    land(tmp_path / "lake", "a", calls(range(3), org_id=org_id, user_id="zoe"))
    cure(tmp_path / "lake", now_ms)
    id = await asked(plane, headers)
    for last in ("ordered", "committed erasure", "committed"):

        def die(step: str, last: str = last) -> None:
            if step == last:
                raise Died

        run = replace(retaining(plane, tmp_path / "lake"), step=die)
        with pytest.raises(Died):
            await run.run()
    await retaining(plane, tmp_path / "lake").run()
    assert (await shown(plane, headers, id))["status"] == "vacuuming"
    assert rows(look(tmp_path / "lake").hourly_users, "SELECT DISTINCT user_id FROM rows") == [("(erased)",)]


async def test_somebody_who_commits_first_is_waited_for(plane: ControlPlane, tmp_path: Path) -> None:
    now_ms = real_ms()
    land(tmp_path / "lake", "a", calls(range(3)))
    cure(tmp_path / "lake", now_ms)
    times: list[str] = []

    def meanwhile(step: str) -> None:
        times.append(step)
        if times.count("commit retention") == 1 and step == "commit retention":
            order(open_tables(str(tmp_path / "lake")), [], now_ms)
            land(tmp_path / "lake", "b", [call(9, now_ms // 1000)])
            cure(tmp_path / "lake", now_ms)

    run = replace(retaining(plane, tmp_path / "lake", "default:1:0"), step=meanwhile)
    assert (await run.run()).deleted.total() == 3
    assert times.count("commit retention") == 2
