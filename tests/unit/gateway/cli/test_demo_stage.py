import os
import stat
from http.client import HTTPConnection
from pathlib import Path

from gateway.cli.demo_stage import HOST, stage


def get(port: int, path: str, **headers: str) -> int:
    connection = HTTPConnection(HOST, port, timeout=10)
    connection.request("GET", path, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_stage_serves_its_key_and_nobody_elses_settings(tmp_path: Path) -> None:
    elsewhere = {"LENSAI_LISTEN_PORT": "1", "LENSAI_NO_SUCH_SETTING": "1"}
    with stage(tmp_path, os.environ | elsewhere) as running:
        assert get(running.sandbox_port, "/_sandbox/bill") == 200
        assert get(running.port, "/openai/v1/models", Authorization=f"Bearer {running.token}") == 200
        assert get(running.port, "/openai/v1/models", Authorization="Bearer lk-other") == 401
        assert running.token not in repr(running)
        assert stat.S_IMODE(running.data_dir.stat().st_mode) == 0o700

    assert running.token not in "".join(log.read_text() for log in tmp_path.glob("*.log"))
