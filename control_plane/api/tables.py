"""Owns the table of answers that a repeated POST gets again."""

from sqlalchemy.orm import Mapped, mapped_column

from control_plane.db.base import Base


class IdempotentAnswer(Base):
    """What the first request with this key was answered, sealed: it may hold a secret that is shown once."""

    __tablename__ = "idempotent_answers"

    actor: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    status: Mapped[int]
    sealed: Mapped[str]
    created_at_ms: Mapped[int] = mapped_column(index=True)
