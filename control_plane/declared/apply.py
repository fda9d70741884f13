"""Owns carrying out a plan against the API: what is there is read page by page, each step is one request.

Each creation has an Idempotency-Key of its own: a request that a proxy repeats makes one thing.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx
import msgspec

from control_plane.declared.document import COLLECTIONS
from control_plane.declared.plan import Found, Step

_PAGE = 200
_TIMEOUT_S = 30.0


class ApiProblem(Exception):
    """The API refused a step; the message is its own."""


class Api:
    """The API of one organization."""

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        headers = {"authorization": f"Bearer {token}"}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S, transport=transport)

    def found(self) -> list[Found]:
        """Everything a document may name. Raises ApiProblem."""
        projects = {one["id"]: one for one in self._listed("projects")}
        found = [Found("projects", one["name"], one["name"], one["id"], one) for one in projects.values()]
        for collection in COLLECTIONS.values():
            for one in self._listed(collection):
                project = projects.get(one.get("project_id") or "")
                if one.get("project_id") and project is None:
                    continue  # of an archived project
                name = project["name"] if project else ""
                found.append(Found(collection, name, one["name"], one["id"], one))
        return [one for one in found if one.name]

    def carry_out(self, steps: Sequence[Step], found: Sequence[Found], tell: Callable[[Step, Any], None]) -> None:
        """Each step in its turn; `tell` is given what was answered (a new key's secret is in it). Raises ApiProblem."""
        project_ids = {one.name: one.id for one in found if one.collection == "projects"}
        for step in steps:
            answer = self._step(step, project_ids)
            if step.collection == "projects" and step.verb == "create":
                project_ids[step.name] = answer["id"]
            tell(step, answer)

    def _step(self, step: Step, project_ids: dict[str, str]) -> Any:
        if step.verb == "create":
            body = {"name": step.name, **step.fields}
            if step.collection != "projects":
                body["project_id"] = project_ids[step.project] if step.project else None
            return self._ask("POST", f"/v1/{step.collection}", body, {"idempotency-key": secrets.token_hex(16)})
        headers = {"if-match": step.etag} if step.etag else {}
        address = f"/v1/{step.collection}/{step.id}"
        if step.verb == "delete":
            return self._ask("DELETE", address, None, headers)
        return self._ask("PATCH", address, step.fields, headers)

    def _listed(self, collection: str) -> Iterator[dict[str, Any]]:
        cursor = ""
        while True:
            page = self._ask("GET", f"/v1/{collection}?limit={_PAGE}{cursor and '&cursor=' + cursor}", None, {})
            yield from page["items"]
            cursor = page["next_cursor"] or ""
            if not cursor:
                return

    def _ask(self, method: str, address: str, body: Any, headers: dict[str, str]) -> Any:
        content = None if body is None else msgspec.json.encode(body)
        try:
            answer = self._client.request(
                method, address, content=content, headers={"content-type": "application/json", **headers}
            )
        except httpx.HTTPError as error:
            raise ApiProblem(
                f"{method} {address}: the control plane does not answer ({type(error).__name__})"
            ) from None
        if answer.is_success:
            return answer.json() if answer.content else None
        raise ApiProblem(f"{method} {address}: {_told(answer)}")


def _told(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        errors = [f"{one['pointer']}: {one['message']}" for one in problem.get("errors", [])]
        return "; ".join([problem["detail"], *errors])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
