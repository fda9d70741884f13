import pytest
from sqlalchemy import select

from control_plane.api.paging import opaque, page, plain
from control_plane.api.problems import Problem
from control_plane.auth.tables import User
from control_plane.db.engine import EVERY_ORG
from control_plane.db.ids import new_id


async def test_pages_end_exactly_at_the_last_item(plane):
    async with plane.parts.database.writing(EVERY_ORG) as session:
        ids = [new_id("usr", at_ms) for at_ms in range(4)]
        session.add_all(User(id=id, email=id, created_at_ms=1) for id in ids)
        await session.flush()
        first = await page(session, select(User), User.id, None, 2, lambda user: user.id)
        second = await page(session, select(User), User.id, first.next_cursor, 2, lambda user: user.id)
    assert (first.items + second.items, second.next_cursor) == (ids[::-1], None)


def test_a_cursor_holds_its_text():
    assert plain(opaque("usr_1")) == "usr_1"


@pytest.mark.parametrize("cursor", ["", "x", "é", "usr_1", opaque("usr_1"), opaque("' or 1=1"), "a" * 10_000])
async def test_a_cursor_that_nobody_made_is_refused(plane, cursor):
    async with plane.parts.database.reading(EVERY_ORG) as session:
        with pytest.raises(Problem) as fault:
            await page(session, select(User), User.id, cursor, 2, lambda user: user.id)
    assert fault.value.status == 400
