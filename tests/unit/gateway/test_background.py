import asyncio
import json
import logging
from io import StringIO

import pytest

from gateway.background import Background
from gateway.logs import JsonFormatter


@pytest.fixture
def said() -> StringIO:
    return StringIO()


@pytest.fixture
def background(said: StringIO) -> Background:
    logger = logging.Logger("lensai")
    handler = logging.StreamHandler(said)
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)
    return Background(logger)


async def fail(secret: str) -> None:
    raise ValueError(f"cannot use {secret}")


async def test_a_failure_is_told_by_type_and_place_and_never_by_its_words(background: Background, said: StringIO):
    background.spawn(fail("sk-canary"), "connect")
    await background.join()

    line = json.loads(said.getvalue())
    assert (line["event"], line["task"], line["exception"]) == ("background_task_failed", "connect", "ValueError")
    assert line["at"][-1].startswith("gateway/test_background.py:")
    assert "canary" not in said.getvalue()


async def test_what_is_cancelled_has_not_failed(background: Background, said: StringIO):
    background.spawn(asyncio.Event().wait(), "endless").cancel()
    await background.join()
    assert said.getvalue() == ""


async def test_join_waits_for_tasks_and_for_those_that_they_spawn(background: Background):
    done: list[str] = []

    async def second() -> None:
        done.append("second")

    async def first() -> None:
        background.spawn(second(), "second")
        done.append("first")

    background.spawn(first(), "first")
    await background.join()
    assert done == ["first", "second"]


async def test_a_task_is_kept_until_it_ends(background: Background):
    may_end = asyncio.Event()
    task = background.spawn(may_end.wait(), "waiting")
    joining = asyncio.create_task(background.join())
    done, _ = await asyncio.wait({joining}, timeout=0)
    assert not done
    may_end.set()
    await joining
    assert task.done()


async def test_it_says_how_many_run():
    background = Background(logging.getLogger("test"))
    gate = asyncio.Event()
    background.spawn(gate.wait(), "waits")
    assert len(background) == 1
    gate.set()
    await background.join()
    assert len(background) == 0
