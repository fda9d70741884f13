import pytest
from litestar import Litestar, post
from litestar.params import JSONBody
from litestar.testing import AsyncTestClient

from control_plane.api import problems
from control_plane.api.body import ApiRequest


@pytest.mark.parametrize(
    "body", [b'{"name":"\xff"}', b'{"a":' * 50_000, b"[" * 100_000, b"{", b"\x00", b'{"name":"\\ud800"}']
)
async def test_a_body_that_cannot_be_read_is_the_callers_fault_and_in_no_log(plane, caplog, body):
    headers = await plane.token(await plane.organization())
    answer = await plane.client.post("/v1/projects", content=body, headers=headers)
    assert answer.status_code == 400
    assert "request_failed" not in caplog.text


def endless(depth: int = 0) -> int:
    return endless(depth + 1) + 1


FAULTS = {"recursion": endless, "bytes": lambda: b"\xff".decode()}


@post("/")
async def faulty(data: JSONBody[dict[str, str]]) -> None:
    FAULTS[data["fault"]]()


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_same_errors_elsewhere_are_ours_and_in_the_log(caplog, fault):
    answers = {Exception: problems.answer}
    app = Litestar([faulty], request_class=ApiRequest, exception_handlers=answers, logging_config=None)
    async with AsyncTestClient(app, raise_server_exceptions=False) as client:
        answer = await client.post("/", json={"fault": fault})
        assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "request_failed" in caplog.text
