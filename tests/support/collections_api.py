"""Owns the API's collections in memory, for the client that applies documents: it keeps what it is sent."""

import httpx
import msgspec


class Server:
    """The API's collections in memory, in pages of two."""

    def __init__(self) -> None:
        self.things: dict[str, list[dict]] = {
            name: [] for name in ("projects", "keys", "budgets", "quotas", "alert-rules")
        }
        self.requests: list[httpx.Request] = []
        self.busy = 0  # requests that are to come again later

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.headers["authorization"] != "Bearer lst_x":
            return httpx.Response(401, json={"detail": "Send a service token"})
        collection, *id = request.url.path.removeprefix("/v1/").split("/")
        there = self.things[collection]
        if self.busy:
            self.busy -= 1
            return httpx.Response(429, json={"detail": "Too many"}, headers={"retry-after": "7"})
        if request.method == "GET" and id:
            one = next(one for one in there if one["id"] == id[0])
            return httpx.Response(200, json=one, headers={"etag": f'"{len(one)}"'})
        if request.method == "GET":
            start = int(request.url.params.get("cursor", 0))
            following = str(start + 2) if len(there) > start + 2 else None
            return httpx.Response(200, json={"items": there[start : start + 2], "next_cursor": following})
        body = msgspec.json.decode(request.content) if request.content else {}
        if request.method == "POST":
            if body["name"] == "refused":
                errors = [{"pointer": "body/limit_usd", "message": "too low"}]
                return httpx.Response(400, json={"detail": "It is not as described", "errors": errors})
            there.append({"id": f"{collection}-{len(there)}", **body})
            return httpx.Response(201, json={**there[-1], "secret": "lk-1"})
        one = next(one for one in there if one["id"] == id[0])
        if request.method == "DELETE":
            there.remove(one)
            return httpx.Response(204)
        one.update(body)
        return httpx.Response(200, json=one)


DOCUMENT = """
projects:
  - name: A
    budgets: [{name: x, limit_usd: 1}, {name: y, limit_usd: 2}, {name: z, limit_usd: 3}]
quotas: [{name: q, limit: 5}]
"""
