"""Owns background tasks: every one is kept until it ends, and what it raises is logged, never lost."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any


class Background:
    """Spawns tasks and waits for them at the end. One per process."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def __len__(self) -> int:
        """How many run now."""
        return len(self._tasks)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._logger.error("background_task_failed", exc_info=error, extra={"task": task.get_name()})

    async def join(self) -> None:
        """Waits for every task that is left."""
        while self._tasks:
            await asyncio.wait(self._tasks)
