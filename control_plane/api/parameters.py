"""Owns the parameters that routes share."""

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import HeaderParameter, QueryParameter

from control_plane.api.paging import LIMIT_MAX
from control_plane.work import Work

IfMatch = Annotated[str | None, HeaderParameter(name="If-Match", description="The ETag as it was read; 412 if stale")]
Limit = Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX, description="Items of one page")]
Cursor = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before")]
# The transaction of the request, and who makes it: every handler of a feature takes it, as `work`.
InWork = NamedDependency[Work]
