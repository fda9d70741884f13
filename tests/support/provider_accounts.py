"""Owns a simulated admin API of OpenAI and of Anthropic: pages of a day each, strict about keys, queries and pace."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

DAY_S = 86_400
KEY = "sk-admin-of-the-tests-0123456789"


class Accounts:
    """What the provider answers: results by path and day, and how often it refuses first."""

    def __init__(self) -> None:
        self.results: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.refuse_first = 0
        self.status_first = 429
        self.asked: list[str] = []
        self.url = ""

    def answer(self, path: str, query: dict[str, list[str]], headers: Any) -> tuple[int, Any]:
        if self.refuse_first:
            self.refuse_first -= 1
            return self.status_first, {"error": "slow down"}
        openai = path.startswith("/v1/organization/")
        shown = headers.get("authorization") == f"Bearer {KEY}" if openai else headers.get("x-api-key") == KEY
        if not shown:
            return 401, {"error": "no admin key"}
        if not openai and headers.get("anthropic-version") != "2023-06-01":
            return 400, {"error": "anthropic-version"}
        if query.get("bucket_width") != ["1d"]:
            return 400, {"error": "bucket_width"}
        return self._page(path, query, openai)

    def _page(self, path: str, query: dict[str, list[str]], openai: bool) -> tuple[int, Any]:
        groups = {"/v1/organization/costs": "line_item", "/v1/organizations/cost_report": "description"}
        wanted = groups.get(path, "model")
        if query.get("group_by" if openai else "group_by[]") != [wanted]:
            return 400, {"error": "group_by"}
        if openai:
            first, last = int(query["start_time"][0]), int(query["end_time"][0])
        else:
            first, last = (_seconds(query[name][0]) for name in ("starting_at", "ending_at"))
        start = int(query["page"][0].removeprefix("at-")) if "page" in query else first
        day = datetime.fromtimestamp(start, UTC).date().isoformat()
        bucket = {"results": self.results.get((path, day), [])}
        bucket |= (
            {"object": "bucket", "start_time": start, "end_time": start + DAY_S}
            if openai
            else {"starting_at": _text(start), "ending_at": _text(start + DAY_S)}
        )
        more = start + DAY_S < last
        return 200, {"data": [bucket], "has_more": more, "next_page": f"at-{start + DAY_S}" if more else None}


@contextmanager
def accounts() -> Iterator[Accounts]:
    told = Accounts()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            split = urlsplit(self.path)
            told.asked.append(split.path)
            status, body = told.answer(split.path, parse_qs(split.query), self.headers)
            encoded = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(encoded)))
            if status == 429:
                self.send_header("retry-after", "7")
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
