"""Owns Work: one change or one question of somebody, in one transaction. What every service of a feature is given."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.auth.principal import Principal
from control_plane.keyring import Keyring
from control_plane.settings import Settings


@dataclass(frozen=True, slots=True)
class Work:
    """`session` sees the principal's organization alone; it commits when the request has succeeded."""

    session: AsyncSession
    principal: Principal
    now_ms: int
    keyring: Keyring
    settings: Settings
    request_id: str = ""

    @property
    def org_id(self) -> str:
        return self.principal.org_id

    @property
    def now_s(self) -> int:
        return self.now_ms // 1000

    @property
    def lake(self) -> str:
        """Where the gateways' Parquet files are: a URL or a directory."""
        return self.settings.lake
