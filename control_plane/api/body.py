"""Owns reading a request's body as JSON: the one place where text that cannot be decoded is the caller's fault."""

from typing import Any

from litestar import Request

from control_plane.api.problems import Problem


class ApiRequest(Request[Any, Any, Any]):
    """Litestar's own knows msgspec's errors; bytes that are no UTF-8 and endless nesting raise Python's."""

    async def json(self) -> Any:
        """Raises Problem 400, and Litestar's SerializationException, which is answered as one."""
        await self.body()
        try:
            return await super().json()
        except (UnicodeDecodeError, RecursionError):
            raise Problem(400, "invalid", "The body is no JSON in UTF-8, or is nested too deeply") from None
