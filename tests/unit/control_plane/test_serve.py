"""A process as an operator meets it: a first start, a stream that is open at SIGTERM, what keeps it from starting."""

import signal
import sys

import httpx

from tests.support.processes import free_port, running

PROGRAM = "import os; from control_plane.serve import serve; serve(os.environ)"
COMMAND = (sys.executable, "-c", PROGRAM)


def environment(tmp_path, port):
    return {
        "LENSAI_CONTROL_DATA_DIR": str(tmp_path / "data"),
        "LENSAI_CONTROL_LISTEN_PORT": str(port),
        "LENSAI_CONTROL_LOG_FORMAT": "json",
    }


def test_a_first_start_prints_a_link_once_and_ends_cleanly(tmp_path):
    port = free_port()
    with running(COMMAND, environment(tmp_path, port)) as first:
        first.wait_for_output('"event":"listening"')
        assert first.output().count("lml_") == 1
        assert httpx.get(f"http://127.0.0.1:{port}/readyz").text == "ok"
        assert "server" not in httpx.get(f"http://127.0.0.1:{port}/healthz").headers
        assert first.stop() == 0
        assert first.output().splitlines()[-1].endswith('"event":"stopped"}')
    files = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()}
    assert files == {"control-plane.keys": 0o600, "control-plane.sqlite": 0o600}
    with running(COMMAND, environment(tmp_path, port)) as second:
        second.wait_for_output('"event":"listening"')
        assert "lml_" not in second.output()
        second.send(signal.SIGHUP)
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").text == "ok"
        assert second.stop() == 0


def test_one_process_serves_a_sqlite_file(tmp_path):
    with running(COMMAND, environment(tmp_path, free_port())) as first:
        first.wait_for_output('"event":"listening"')
        with running(COMMAND, environment(tmp_path, free_port())) as second:
            assert second.wait() != 0
            assert "another control plane serves" in second.output()
            assert "LENSAI_CONTROL_DATABASE_URL" in second.output()
        first.kill()
        first.wait()
    with running(COMMAND, environment(tmp_path, free_port())) as third:
        third.wait_for_output('"event":"listening"')
        assert third.stop() == 0


def test_streams_do_not_hold_up_the_end(tmp_path):
    port = free_port()
    token = (sys.executable, "-c", _MAKE_TOKEN)
    with running(COMMAND, environment(tmp_path, port)) as child:
        child.wait_for_output('"event":"listening"')
        with running(token, environment(tmp_path, port)) as making:
            line = making.wait_for_output("LENSAI_CONTROL_PLANE_TOKEN=")
        headers = {"authorization": f"Bearer {line.partition('=')[2]}"}
        url = f"http://127.0.0.1:{port}/v1/gateway/policy/stream?since=0&nonce=0123456789abcdef"
        with httpx.stream("GET", url, headers=headers, timeout=30) as stream:
            lines = stream.iter_lines()
            assert '"complete":true' in next(lines)
            child.send(signal.SIGTERM)
            for _ in lines:
                pass
        assert child.wait() == 0
        assert "canary" not in child.output()


_MAKE_TOKEN = "from control_plane.cli.control_plane import main; main(['gateway-token', 'create', 'test'])"
