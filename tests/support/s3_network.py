"""Owns a network before an S3 server that fails in the ways networks do."""

import contextlib
import http.client
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Network(ThreadingHTTPServer):
    """Stands between a client and the S3 server, and treats each request as the next word of its script says.

    pass (also when the script has ended) · lost: never forwarded · unanswered: forwarded, its answer lost ·
    a number: answered with that status instead.
    """

    daemon_threads = True

    def __init__(self, s3_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Hop)
        self.s3_port = s3_port
        self.script: list[str] = []
        self.seen: list[str] = []


class _Hop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Heads and bodies are written one after the other: held back, each answer would take 40 ms.
    disable_nagle_algorithm = True
    server: Network

    def _hop(self) -> None:
        word = self.server.script.pop(0) if self.server.script else "pass"
        self.server.seen.append(f"{self.command} {word}")
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            # SeaweedFS answers 200 to a head whose body never comes, and has an empty object from then on.
            self.close_connection = True
        elif word.isdigit():
            self._answer(int(word), {}, b"<Error><Code>SlowDown</Code></Error>")
        elif word == "lost":
            self.close_connection = True
        else:
            status, headers, answer = self._forward(body)
            if word == "pass":
                self._answer(status, headers, answer)
            self.close_connection = word == "unanswered"

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.s3_port, timeout=30)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():  # the host too: the signature covers it
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.headers), content

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_GET = do_HEAD = do_DELETE = do_POST = _hop

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def network_to(s3_port: int) -> Generator[Network]:
    with Network(s3_port) as network:
        thread = threading.Thread(target=network.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield network
        finally:
            network.shutdown()
            thread.join()
