"""Owns what an error looks like: RFC 9457 problem details, one form for everything that can go wrong.

`type` is `urn:lensai:problem:<code>`; the codes are stable, the sentences are for people.
"""

import logging
from http import HTTPStatus
from typing import Any, cast

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi import ResponseSpec
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

CONTENT_TYPE = "application/problem+json"
# Of PostgreSQL: a deadlock, a serialization failure, a lock or a statement that took too long. Nothing was done.
_GAVE_WAY = frozenset({"40P01", "40001", "55P03", "57014"})

_log = logging.getLogger("lensai.control_plane")


class FieldProblem(msgspec.Struct, frozen=True):
    """Where in the request, and what is wrong there."""

    pointer: str
    message: str


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457. `code` repeats the last part of `type`, for programs."""

    type: str
    title: str
    status: int
    code: str = ""
    detail: str = ""
    errors: tuple[FieldProblem, ...] = ()


class Problem(Exception):
    """An answer that is not the one that was asked for."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: tuple[FieldProblem, ...] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.errors = status, code, detail, errors
        self.headers = headers or {}


def not_found(what: str) -> Problem:
    """Said too of what belongs to somebody else: whether it exists is theirs to know."""
    return Problem(404, "not_found", f"There is no such {what} here; list them to see which there are")


def conflict(detail: str) -> Problem:
    return Problem(409, "conflict", detail)


def forbidden(detail: str) -> Problem:
    return Problem(403, "forbidden", detail)


def invalid(pointer: str, message: str) -> Problem:
    """400: one field is wrong; the message says what it should be."""
    return Problem(400, "invalid", f"{pointer}: {message}", errors=(FieldProblem(pointer, message),))


def problem_spec(meaning: str) -> ResponseSpec:
    """How the API describes an error."""
    return ResponseSpec(ProblemDetails, generate_examples=False, description=meaning, media_type=CONTENT_TYPE)


def details(problem: Problem) -> ProblemDetails:
    """The body of the answer."""
    return ProblemDetails(
        type=f"urn:lensai:problem:{problem.code}",
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        code=problem.code,
        detail=problem.detail,
        errors=problem.errors,
    )


def render(problem: Problem) -> Response[ProblemDetails]:
    body = details(problem)
    return Response(body, status_code=problem.status, media_type=CONTENT_TYPE, headers=problem.headers)


def answer(_request: Request[Any, Any, Any], error: Exception) -> Response[ProblemDetails]:
    """The answer to any exception. What is our own fault says nothing of its inside."""
    return render(as_problem(error))


def as_problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationException):
        return Problem(400, "invalid", "The request is not as described; see errors", errors=_fields(error))
    if isinstance(error, HTTPException):
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_").replace("-", "_")
        return Problem(error.status_code, code, str(error.detail), headers=dict(error.headers or {}))
    if isinstance(error, IntegrityError):
        return conflict("Something with this name or id is there already, or what it refers to is gone")
    _log.error("request_failed", exc_info=error)
    gave_way = isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", "") in _GAVE_WAY
    if gave_way or isinstance(error, OperationalError | InterfaceError | NoConnectionFree | OSError):
        return Problem(503, "unavailable", "The database does not answer: try again", headers={"retry-after": "1"})
    return Problem(500, "internal", "Something went wrong here; it is in the log of the control plane")


def _fields(error: ValidationException) -> tuple[FieldProblem, ...]:
    entries = cast(list[dict[str, Any]], error.extra if isinstance(error.extra, list) else [])
    return tuple(_field(entry) for entry in entries)


def _field(entry: dict[str, Any]) -> FieldProblem:
    parts = (str(entry.get(part, "") or "") for part in ("source", "key"))
    return FieldProblem("/".join(filter(None, parts)), str(entry.get("message", "")))
