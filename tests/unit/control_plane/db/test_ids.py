import re

from control_plane.db.ids import new_id


def test_ids_say_what_they_are_of_and_sort_by_age():
    older, newer = new_id("prj", 1_790_000_000_000), new_id("prj", 1_790_000_000_001)
    assert re.fullmatch(r"prj_[0-9a-z]{26}", older)
    assert older < newer
    assert new_id("prj", 1) != new_id("prj", 1)
