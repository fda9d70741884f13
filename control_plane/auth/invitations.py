"""Owns invitations: mailed, mailed again, withdrawn, accepted by opening the link."""

from dataclasses import replace

from sqlalchemy import Select, select

from control_plane.api.find import find_one
from control_plane.api.problems import conflict
from control_plane.audit.service import record
from control_plane.auth import letters, links, organizations
from control_plane.auth.members import may_hand_out
from control_plane.auth.postman import post
from control_plane.auth.principal import Principal
from control_plane.auth.schema import InvitationCreate, InvitationOut
from control_plane.auth.tables import Invitation, MagicLink, Membership, User
from control_plane.db.ids import new_id
from control_plane.work import Work

VALID_DAYS = 7
_VALID_MS = VALID_DAYS * 86_400_000


def listed() -> Select[Invitation]:
    """Those that nobody accepted yet."""
    return select(Invitation).where(Invitation.accepted_at_ms.is_(None))


async def find(work: Work, invitation_id: str) -> Invitation:
    """Raises Problem 404, also for one that was accepted."""
    query = listed().where(Invitation.id == invitation_id)
    return await find_one(work.session, query, "invitation", to_change=True)


async def create(work: Work, wanted: InvitationCreate) -> Invitation:
    """Raises Problem 403 for a role above one's own, 409 for a member or a second invitation, 429."""
    may_hand_out(work, wanted.role)
    email = wanted.email.lower()
    await links.admit_invitation(work, email)
    await _is_new_here(work, email)
    invitation = Invitation(
        id=new_id("inv", work.now_ms),
        org_id=work.org_id,
        email=email,
        role=wanted.role,
        invited_by=work.principal.actor,
        created_at_ms=work.now_ms,
        expires_at_ms=work.now_ms + _VALID_MS,
        accepted_at_ms=None,
    )
    work.session.add(invitation)
    await _mail(work, invitation)
    await record(work, "invitation:create", f"invitation:{invitation.id}", after=render(invitation))
    return invitation


async def resend(work: Work, invitation_id: str) -> Invitation:
    """A new link for seven more days; the former works no more. Raises Problem 403, 404, 429."""
    invitation = await find(work, invitation_id)
    may_hand_out(work, invitation.role)
    await links.admit_invitation(work, invitation.email)
    before = render(invitation)
    await links.withdraw(work, invitation.id)
    invitation.expires_at_ms = work.now_ms + _VALID_MS
    await _mail(work, invitation)
    await record(work, "invitation:resend", f"invitation:{invitation.id}", before=before, after=render(invitation))
    return invitation


async def withdraw(work: Work, invitation_id: str) -> None:
    """Its link works no more. Raises Problem 404."""
    invitation = await find(work, invitation_id)
    await links.withdraw(work, invitation.id)
    await work.session.delete(invitation)
    await record(work, "invitation:delete", f"invitation:{invitation.id}", before=render(invitation))


async def accept(work: Work, link: MagicLink) -> Membership:
    """The membership that a link's invitation makes, and the user where there is none. Raises Problem 401."""
    found = await work.session.execute(listed().where(Invitation.id == link.invitation_id).with_for_update())
    invitation = found.scalar_one_or_none()
    if invitation is None or invitation.expires_at_ms <= work.now_ms:
        raise links.refused()
    invitation.accepted_at_ms = work.now_ms
    user = await _user(work, invitation.email)
    here = select(Membership).where(Membership.user_id == user.id, Membership.org_id == invitation.org_id)
    member = (await work.session.execute(here)).scalar_one_or_none()
    if member is None:
        member = _membership(work, invitation, user)
        work.session.add(member)
    principal = Principal("user", user.id, user.email, member.org_id, member.role)
    await record(
        replace(work, principal=principal),
        "invitation:accept",
        f"invitation:{invitation.id}",
        after=render(invitation),
    )
    return member


def render(invitation: Invitation) -> InvitationOut:
    return InvitationOut(
        id=invitation.id,
        email=invitation.email,
        role=invitation.role,
        invited_by=invitation.invited_by,
        created_at_ms=invitation.created_at_ms,
        expires_at_ms=invitation.expires_at_ms,
        accepted_at_ms=invitation.accepted_at_ms,
    )


async def _is_new_here(work: Work, email: str) -> None:
    member = select(Membership.id).join(User, User.id == Membership.user_id).where(User.email == email)
    if (await work.session.execute(member)).first() is not None:
        raise conflict("This person is a member already; change the role there")
    invited = listed().where(Invitation.email == email)
    if (await work.session.execute(invited)).first() is not None:
        raise conflict("This person is invited already; send that invitation again, or withdraw it")


async def _mail(work: Work, invitation: Invitation) -> None:
    organization = await organizations.own(work)
    url = links.add(
        work.session,
        work.settings,
        invitation.email,
        work.now_ms,
        invitation.expires_at_ms,
        invitation_id=invitation.id,
    )
    letter = letters.invitation(invitation.email, url, organization.name, work.principal.name, VALID_DAYS)
    post(work, letter, invitation.expires_at_ms)


async def _user(work: Work, email: str) -> User:
    user = (await work.session.execute(select(User).where(User.email == email))).scalar_one_or_none()
    if user is None:
        user = User(id=new_id("usr", work.now_ms), email=email, name="", created_at_ms=work.now_ms)
        work.session.add(user)
        await work.session.flush()
    return user


def _membership(work: Work, invitation: Invitation, user: User) -> Membership:
    return Membership(
        id=new_id("mem", work.now_ms),
        org_id=invitation.org_id,
        user_id=user.id,
        role=invitation.role,
        created_at_ms=work.now_ms,
        updated_at_ms=work.now_ms,
        version=1,
    )
