import pytest

from control_plane.api.etag import edit, etag
from control_plane.api.problems import Problem
from control_plane.projects.tables import Project


@pytest.mark.parametrize("if_match", [None, "*", '"1"', 'W/"1"'])
def test_an_edit_of_what_was_seen_is_counted(if_match):
    row = Project(id="prj_1")
    assert etag(row) == {"etag": '"1"'}
    edit(row, if_match, 9)
    assert (etag(row), row.updated_at_ms) == ({"etag": '"2"'}, 9)


@pytest.mark.parametrize(("if_match", "status"), [('"2"', 412), ("1", 400), ('"x"', 400), ("", 400), ('"1","2"', 400)])
def test_another_edit_is_refused_and_changes_nothing(if_match, status):
    row = Project(id="prj_1")
    with pytest.raises(Problem) as fault:
        edit(row, if_match, 9)
    assert (fault.value.status, row.version, row.updated_at_ms) == (status, 1, 0)
