"""Owns the tables of people and of what they prove themselves with. Of every secret only a SHA-256 is stored."""

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from control_plane.auth.roles import Role
from control_plane.db.base import Base, Edited, OrgOwned


class Organization(Base, Edited):
    __tablename__ = "organizations"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at_ms: Mapped[int]


class User(Base):
    """A person, in as many organizations as invited them. `email` is lower case."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(default="")
    created_at_ms: Mapped[int]


class Membership(Base, OrgOwned, Edited):
    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("org_id", "user_id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[Role]
    created_at_ms: Mapped[int]
    user: Mapped[User] = relationship(lazy="raise")


class Invitation(Base, OrgOwned):
    """Somebody who may join; it becomes a membership when its link is opened."""

    __tablename__ = "invitations"

    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str]
    role: Mapped[Role]
    invited_by: Mapped[str]
    created_at_ms: Mapped[int]
    expires_at_ms: Mapped[int]
    accepted_at_ms: Mapped[int | None]


class MagicLink(Base):
    """A sign-in link that was asked for, also one that was sent to nobody. It works once. `client` is who asked."""

    __tablename__ = "magic_links"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(index=True)
    invitation_id: Mapped[str | None]
    client: Mapped[str] = mapped_column(default="", index=True)
    created_at_ms: Mapped[int]
    expires_at_ms: Mapped[int] = mapped_column(index=True)
    used_at_ms: Mapped[int | None]


class OutgoingMail(Base):
    """A mail on its way, sealed: it may hold a link that signs in. Gone when it was taken, or is of no use any more."""

    __tablename__ = "outgoing_mails"

    id: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[str]
    attempts: Mapped[int]
    next_try_ms: Mapped[int] = mapped_column(index=True)
    expires_at_ms: Mapped[int]


class BrowserSession(Base):
    """A browser that is signed in, and the organization it looks at. How its secret changes: `session_secret.py`."""

    __tablename__ = "browser_sessions"

    id: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    org_id: Mapped[str]
    created_at_ms: Mapped[int]
    seen_at_ms: Mapped[int]
    expires_at_ms: Mapped[int] = mapped_column(index=True)
    secret_at_ms: Mapped[int]
    previous_sha256: Mapped[str | None] = mapped_column(index=True)
    previous_until_ms: Mapped[int | None]
    user_agent: Mapped[str] = mapped_column(default="")


class ServiceToken(Base, OrgOwned):
    """What a program of an organization proves itself with: `lst_…`."""

    __tablename__ = "service_tokens"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    prefix: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    role: Mapped[Role]
    created_by: Mapped[str]
    created_at_ms: Mapped[int]
    expires_at_ms: Mapped[int | None]
    revoked_at_ms: Mapped[int | None]
    used_at_ms: Mapped[int | None]


class GatewayToken(Base):
    """What the gateways prove themselves with: `lgw_…`. They obey the policy of every organization."""

    __tablename__ = "gateway_tokens"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    prefix: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    created_at_ms: Mapped[int]
    revoked_at_ms: Mapped[int | None]
    used_at_ms: Mapped[int | None]
