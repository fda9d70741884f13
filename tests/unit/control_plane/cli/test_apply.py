import http.server
import threading
from collections.abc import Iterator

import httpx
import pytest

from control_plane.cli.apply import main
from tests.support.collections_api import DOCUMENT, Server


@pytest.fixture
def api() -> Iterator[str]:
    """The collections over real HTTP."""
    server = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            request = httpx.Request(
                self.command, f"http://api.test{self.path}", headers=dict(self.headers), content=content
            )
            answer = server(request)
            self.send_response(answer.status_code)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PATCH = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listener.server_port}"
        listener.shutdown()
        thread.join()


@pytest.fixture
def document(tmp_path) -> str:
    (tmp_path / "lensai.yaml").write_text(DOCUMENT)
    return str(tmp_path / "lensai.yaml")


def test_a_plan_is_shown_and_nothing_done(api, document, capsys):
    environ = {"LENSAI_API_URL": api, "LENSAI_API_TOKEN": "lst_x"}
    assert main(["-f", document, "--plan"], environ) == 0
    assert "+ budgets A/x" in capsys.readouterr().out
    assert main(["-f", document, "--plan"], environ) == 0
    assert "+ budgets A/x" in capsys.readouterr().out


def test_it_is_applied_and_then_there_is_nothing_to_do(api, document, capsys):
    environ = {"LENSAI_API_URL": api, "LENSAI_API_TOKEN": "lst_x"}
    assert main(["-f", document, "--yes"], environ) == 0
    assert "+ budgets A/x: done" in capsys.readouterr().out
    assert main(["-f", document, "--yes"], environ) == 0
    assert capsys.readouterr().out == "Nothing to do: all 5 declared things are there as they should be.\n"


def test_nobody_who_could_be_asked_changes_nothing(api, document, capsys):
    environ = {"LENSAI_API_URL": api, "LENSAI_API_TOKEN": "lst_x"}
    assert main(["-f", document], environ) == 1
    assert "add --yes" in capsys.readouterr().err


def test_what_is_missing_is_named(api, document, tmp_path, capsys):
    assert main(["-f", document], {"LENSAI_API_URL": api}) == 2
    assert "set LENSAI_API_TOKEN to a service token" in capsys.readouterr().err
    assert main(["-f", str(tmp_path / "none.yaml")], {"LENSAI_API_TOKEN": "lst_x"}) == 2
    assert main(["-f", document], {"LENSAI_API_URL": api, "LENSAI_API_TOKEN": "lst_wrong"}) == 1
