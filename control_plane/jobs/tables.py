"""Owns the table of jobs: who runs each, and until when nobody else does."""

from sqlalchemy.orm import Mapped, mapped_column

from control_plane.db.base import Base


class JobLease(Base):
    __tablename__ = "job_leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    until_ms: Mapped[int]
    ran_at_ms: Mapped[int]
