"""Owns a ClickHouse for tests: the engine that PyPI has (chdb), behind as much of the HTTP interface as is used.

It reads statements, parameters and rows as a server does; it is the real engine that answers.
"""

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"

    def do_POST(self) -> None:
        given = {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query, True).items()}
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            self._answer(200, self.server.execute(given, body))
        except RuntimeError as error:
            self._answer(400, str(error).encode())

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is written."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, session: Any, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._session, self._directory = session, directory
        self._turn = threading.Lock()

    def execute(self, given: dict[str, str], body: bytes) -> bytes:
        """Raises RuntimeError with the engine's words."""
        parameters = {name.removeprefix("param_"): value for name, value in given.items() if name.startswith("param_")}
        with self._turn:
            if "query" in given:
                return self._insert(given["query"], body)
            for name, value in given.items():
                if name != "database" and not name.startswith("param_"):
                    self._session.query(f"SET {name} = {value}")
            return self._session.query(body.decode(), "Null", params=parameters).bytes()

    def _insert(self, statement: str, rows: bytes) -> bytes:
        file = self._directory / "rows.parquet"
        file.write_bytes(rows)
        into = statement.removesuffix(" FORMAT Parquet")
        return self._session.query(f"{into} SELECT * FROM file('{file}', 'Parquet')", "Null").bytes()


@contextlib.contextmanager
def clickhouse() -> Iterator[str]:
    """The URL of an empty database."""
    from chdb.session import Session

    with tempfile.TemporaryDirectory(prefix="lensai-clickhouse-") as directory:
        (Path(directory) / "data").mkdir()
        session = Session(f"{directory}/data")
        server = _Server(session, Path(directory))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/default"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            session.close()
