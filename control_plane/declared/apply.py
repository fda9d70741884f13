"""Owns carrying out a plan against the API: what is there is read page by page, each step is one change.

Each creation has an Idempotency-Key of its own: a request that a proxy repeats makes one thing. What is to be changed
or removed is read again first, and left alone where somebody else changed it since the plan.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import httpx
import msgspec

from control_plane.declared.document import COLLECTIONS
from control_plane.declared.plan import Found, Step

# Where the API is, and who asks: in the environment.
URL, TOKEN = "LENSAI_API_URL", "LENSAI_API_TOKEN"

_PAGE = 200
_TIMEOUT_S = 30.0
# The API counts requests by the minute; whoever was refused in three of them is not alone.
_TOO_MANY, _WAITS_MAX, _WAIT_S_MAX = 429, 3, 60
# What changes without anybody's edit.
_NOT_EDITED = frozenset({"used_at_s"})


class ApiProblem(Exception):
    """The API refused a step; the message is its own."""


class Api:
    """The API of one organization."""

    def __init__(
        self,
        url: str,
        token: str,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises ApiProblem for what is no URL."""
        headers = {"authorization": f"Bearer {token}"}
        try:
            self._client = httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S, transport=transport)
        except httpx.InvalidURL:
            raise ApiProblem("the API's address is no URL; write http[s]://host[:port]") from None
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def found(self) -> list[Found]:
        """Everything a document may name. Raises ApiProblem."""
        projects = {one["id"]: one for one in self._listed("projects")}
        found = [Found("projects", one["name"], one["name"], one["id"], one) for one in projects.values()]
        for collection in COLLECTIONS.values():
            for one in self._listed(collection):
                project = projects.get(one.get("project_id") or "")
                if (one.get("project_id") and project is None) or one.get("replaced_by"):
                    continue  # of an archived project, or a key that lives on until its successor is everywhere
                name = project["name"] if project else ""
                found.append(Found(collection, name, one["name"], one["id"], one))
        return [one for one in found if one.name]

    def carry_out(self, steps: Sequence[Step], found: Sequence[Found], tell: Callable[[Step, Any], None]) -> None:
        """Each step in its turn; `tell` is given what was answered (a new key's secret is in it). Raises ApiProblem."""
        project_ids = {one.name: one.id for one in found if one.collection == "projects"}
        planned = {one.id: one.fields for one in found}
        for step in steps:
            answer = self._create(step, project_ids) if step.verb == "create" else self._edit(step, planned[step.id])
            if step.collection == "projects" and step.verb == "create":
                project_ids[step.name] = answer["id"]
            tell(step, answer)

    def _create(self, step: Step, project_ids: Mapping[str, str]) -> Any:
        body = {"name": step.name, **step.fields}
        if step.collection != "projects":
            body["project_id"] = project_ids[step.project] if step.project else None
        headers = {"idempotency-key": secrets.token_hex(16)}
        return self._ask("POST", f"/v1/{step.collection}", body, headers).json()

    def _edit(self, step: Step, planned: Mapping[str, Any]) -> Any:
        address = f"/v1/{step.collection}/{step.id}"
        now = self._ask("GET", address)
        if _edited(now.json()) != _edited(planned):
            raise ApiProblem(f"{step.label}: somebody else changed it meanwhile")
        headers = {"if-match": now.headers["etag"]}
        if step.verb == "delete":
            self._ask("DELETE", address, headers=headers)
            return None
        return self._ask("PATCH", address, step.fields, headers).json()

    def _listed(self, collection: str) -> Iterator[dict[str, Any]]:
        cursor = ""
        while True:
            page = self._ask("GET", f"/v1/{collection}?limit={_PAGE}{cursor and '&cursor=' + cursor}").json()
            yield from page["items"]
            cursor = page["next_cursor"] or ""
            if not cursor:
                return

    def _ask(
        self, method: str, address: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        content = None if body is None else msgspec.json.encode(body)
        sent = {"content-type": "application/json", **(headers or {})}
        answer = self._send(method, address, content, sent)
        for _ in range(_WAITS_MAX):
            if answer.status_code != _TOO_MANY:
                break
            self._sleep(_wait_s(answer))
            answer = self._send(method, address, content, sent)
        if answer.is_success:
            return answer
        raise ApiProblem(f"{method} {address}: {_told(answer)}")

    def _send(self, method: str, address: str, content: bytes | None, headers: Mapping[str, str]) -> httpx.Response:
        try:
            return self._client.request(method, address, content=content, headers=headers)
        except httpx.HTTPError as error:
            fault = type(error).__name__
            where = f"the control plane at {self._client.base_url} ({URL})"
            raise ApiProblem(f"{method} {address}: {where} does not answer: {fault}") from None


def _edited(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What somebody's edit would change."""
    return {name: value for name, value in fields.items() if name not in _NOT_EDITED}


def _wait_s(answer: httpx.Response) -> int:
    said = answer.headers.get("retry-after", "")
    return min(int(said), _WAIT_S_MAX) if said.isdecimal() else 1


def _told(answer: httpx.Response) -> str:
    if answer.status_code == 401:
        return f"the token in {TOKEN} is unknown, revoked or expired; make one under POST /v1/tokens"
    try:
        problem = answer.json()
        errors = [f"{one['pointer']}: {one['message']}" for one in problem.get("errors", [])]
        return "; ".join([problem["detail"], *errors])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
