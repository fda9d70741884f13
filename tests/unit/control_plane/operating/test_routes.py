import pytest

from tests.support.control_plane import control_plane

TOKEN = "canary-of-a-scraper"


@pytest.fixture
async def scraped(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite"
    async with control_plane(url, tmp_path, metrics_token=TOKEN) as plane:
        yield plane


def bearer(token):
    return {"authorization": f"Bearer {token}"}


async def test_a_scraper_with_the_token_is_told_what_was_counted(scraped):
    headers = await scraped.token(await scraped.organization())
    assert (await scraped.client.get("/v1/projects", headers=headers)).status_code == 200
    assert (await scraped.client.get("/v1/projects/prj_none", headers=headers)).status_code == 404
    assert (await scraped.client.post("/v1/events", content=b"{}")).status_code == 401
    answer = await scraped.client.get("/metrics", headers=bearer(TOKEN))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    told = answer.text.splitlines()
    assert 'lensai_control_plane_requests_total{route="/v1/projects",status="2xx"} 1.0' in told
    assert 'lensai_control_plane_requests_total{route="/v1/events",status="4xx"} 1.0' in told
    assert any(line.endswith(',status="4xx"} 1.0') and "prj_none" not in line for line in told)
    assert any(line.startswith("lensai_control_plane_lake_files_waiting ") for line in told)
    assert TOKEN not in answer.text


@pytest.mark.parametrize("shown", [{}, bearer("wrong"), {"authorization": TOKEN}, bearer("é")])
async def test_without_the_token_it_is_nobodys(scraped, shown):
    encoded = {name: value.encode("latin-1") for name, value in shown.items()}
    answer = await scraped.client.get("/metrics", headers=encoded)
    assert answer.status_code == 401
    assert "lensai_control_plane" not in answer.text
    headers = await scraped.token(await scraped.organization())
    assert (await scraped.client.get("/metrics", headers=headers)).status_code == 401, "whatever the role"


async def test_where_no_token_was_set_there_is_no_such_page(plane):
    for shown in ({}, bearer("")):
        assert (await plane.client.get("/metrics", headers=shown)).status_code == 404
