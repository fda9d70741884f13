from control_plane.auth.principal import Principal
from control_plane.settings import Settings
from control_plane.work import Work
from tests.support.control_plane import ring

SOMEBODY = Principal("user", "usr_1", "a@b", "org_1", "owner")


def work(**settings):
    return Work(None, SOMEBODY, 12_345, ring("k"), Settings(**settings))  # type: ignore[arg-type]


def test_it_tells_whose_it_is_and_when():
    assert (work().org_id, work().now_s) == ("org_1", 12)


def test_the_lake_is_in_the_data_directory_unless_it_is_named():
    assert work(data_dir="/d").lake == "/d/lake"
    assert work(lake_url="s3://bucket/x").lake == "s3://bucket/x"
