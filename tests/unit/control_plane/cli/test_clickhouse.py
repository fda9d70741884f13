from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from control_plane.cli.clickhouse import main
from control_plane.cli.seed import main as seed
from control_plane.lake.clickhouse.load import ROLLUPS
from control_plane.lake.clickhouse.server import Server
from tests.support.processes import free_port


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Of a lake with demo data of three days, and of no server yet."""
    monkeypatch.setenv("LENSAI_CONTROL_DATA_DIR", str(tmp_path))
    assert seed(["--rows", "1000", "--days", "3", "--org", "org_x"]) == 0
    return {"LENSAI_CONTROL_DATA_DIR": str(tmp_path)}


def test_days_of_the_lake_are_loaded_from_the_last_two_to_all_of_them(environ, clickhouse_url, capsys):
    environ["CLICKHOUSE_URL"] = clickhouse_url
    server = Server(clickhouse_url)
    for name in ("event", *ROLLUPS):
        server.execute(f"DROP TABLE IF EXISTS {name}_rows")
    assert main(["create"], environ) == 0
    assert main(["load"], environ) == 0
    assert capsys.readouterr().out.count("\n20") == 2
    first = (datetime.now(UTC).date() - timedelta(days=5)).isoformat()
    assert main(["load", "--from", first], environ) == 0
    assert f"1,000 calls of 6 days from {environ['LENSAI_CONTROL_DATA_DIR']}" in capsys.readouterr().out
    assert server.ask("SELECT sum(calls) AS calls FROM hourly_rows", {}).to_pylist() == [{"calls": 1000}]
    server.close()


def test_what_is_missing_or_wrong_is_told(environ, capsys):
    assert main(["load"], environ) == 2
    assert "set CLICKHOUSE_URL to http://" in capsys.readouterr().err
    assert main(["load"], environ | {"CLICKHOUSE_URL": "tcp://host"}) == 2
    assert "write http://user:password@host:8123/database" in capsys.readouterr().err
    assert main(["create"], environ | {"CLICKHOUSE_URL": f"http://127.0.0.1:{free_port()}"}) == 1
    assert "cannot be reached" in capsys.readouterr().err
