import logging

import pytest
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException, ValidationException
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from control_plane.api.problems import FieldProblem, as_problem, conflict, invalid, not_found, render


class GaveWay(Exception):
    sqlstate = "40P01"  # of PostgreSQL, a deadlock


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (not_found("key"), 404, "not_found"),
        (conflict("x"), 409, "conflict"),
        (NotFoundException(), 404, "not_found"),
        (MethodNotAllowedException(), 405, "method_not_allowed"),
        (HTTPException(status_code=429, headers={"retry-after": "3"}), 429, "too_many_requests"),
        (IntegrityError("INSERT", {}, Exception("canary")), 409, "conflict"),
        (OperationalError("SELECT", {}, Exception("canary")), 503, "unavailable"),
        (InterfaceError("SELECT", {}, Exception("canary")), 503, "unavailable"),
        (DBAPIError("SELECT", {}, GaveWay("canary")), 503, "unavailable"),
        (DBAPIError("SELECT", {}, Exception("canary")), 500, "internal"),
        (ConnectionRefusedError("canary"), 503, "unavailable"),
        (ZeroDivisionError("canary"), 500, "internal"),
        (UnicodeDecodeError("utf-8", b"canary", 0, 1, "canary"), 500, "internal"),
        (RecursionError("canary"), 500, "internal"),
    ],
)
def test_whatever_goes_wrong_has_one_form(error, status, code, caplog):
    with caplog.at_level(logging.CRITICAL):
        problem = as_problem(error)
    assert (problem.status, problem.code) == (status, code)
    answer = render(problem)
    assert answer.media_type == "application/problem+json"
    assert (answer.content.type, answer.content.status) == (f"urn:lensai:problem:{code}", status)
    assert "canary" not in answer.content.detail


def test_headers_of_an_exception_are_kept():
    assert as_problem(HTTPException(status_code=429, headers={"retry-after": "3"})).headers == {"retry-after": "3"}
    assert as_problem(OSError()).headers == {"retry-after": "1"}


def test_a_wrong_field_is_pointed_at():
    assert invalid("data/name", "write one").errors == (FieldProblem("data/name", "write one"),)
    fault = ValidationException(extra=[{"source": "query", "key": "limit", "message": "too big"}])
    assert as_problem(fault).errors == (FieldProblem("query/limit", "too big"),)


async def test_the_api_answers_so_too(plane):
    answer = await plane.client.get("/v1/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["type"] == "urn:lensai:problem:not_found"
