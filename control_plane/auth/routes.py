"""Owns the routes of signing in, of one's sessions, of an organization's people and of its service tokens."""

from functools import partial
from typing import Any

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from control_plane.api.etag import etag
from control_plane.api.paging import LIMIT_DEFAULT, Page, page
from control_plane.api.parameters import Cursor, IfMatch, InWork, Limit
from control_plane.api.problems import problem_spec
from control_plane.auth import invitations, links, members, organizations, service_tokens, sessions
from control_plane.auth.principal import COOKIE
from control_plane.auth.schema import (
    BrowserSessionOut,
    InvitationCreate,
    InvitationOut,
    LinkRequest,
    LinkRequested,
    MemberEdit,
    MemberOut,
    OrganizationChoice,
    OrganizationEdit,
    OrganizationOut,
    SessionOut,
    SignIn,
    TokenCreate,
    TokenMade,
    TokenOut,
)
from control_plane.auth.session_secret import drop_cookie, set_cookie
from control_plane.auth.tables import BrowserSession, Invitation, Membership, ServiceToken
from control_plane.db.engine import Database

# What says who somebody is, or signs them in, stays in no cache.
_UNKEPT = {"cache-control": "no-store"}


class SigningIn(Controller):
    path = "/auth"
    tags = ("Signing in",)

    @post("/links", public=True, status_code=202, summary="Ask for a sign-in link by e-mail")
    async def request_link(
        self, work: InWork, request: Request[Any, Any, Any], data: JSONBody[LinkRequest]
    ) -> LinkRequested:
        client = request.client.host if request.client else "unknown"
        await links.request(work, data.email, client)
        return LinkRequested()

    @post(
        "/sessions",
        public=True,
        summary="Sign in by the token of a link: sets the session's cookie",
        responses={401: problem_spec("The link was used, has expired or is none")},
    )
    async def sign_in(
        self, work: InWork, request: Request[Any, Any, Any], data: JSONBody[SignIn]
    ) -> Response[SessionOut]:
        former = request.cookies.get(COOKIE, "")
        opened = await sessions.sign_in(work, data.token, request.headers.get("user-agent", ""), former)
        return Response(opened.session, headers={**_UNKEPT, "set-cookie": set_cookie(work.settings, opened.secret)})


class OwnSession(Controller):
    path = "/session"
    tags = ("Signing in",)

    @get(needs="self", summary="Who I am, what I may do, and where else I am a member")
    async def get_session(self, work: InWork) -> Response[SessionOut]:
        return Response(await sessions.describe(work), headers=_UNKEPT)

    @delete(needs="self", status_code=204, summary="Sign out")
    async def sign_out(self, work: InWork) -> Response[None]:
        await sessions.sign_out(work)
        return Response(None, status_code=204, headers={"set-cookie": drop_cookie(work.settings)})

    # Its own transaction, which is the other organization's. An answer that was kept would name one that is left since.
    @post(
        "/organization",
        needs="self",
        own_transaction=True,
        repeatable=True,
        status_code=200,
        summary="Look at another organization of mine",
    )
    async def choose_organization(
        self, work: InWork, database: NamedDependency[Database], data: JSONBody[OrganizationChoice]
    ) -> Response[SessionOut]:
        told = await sessions.switch(work, database, data.org_id)
        return Response(told, status_code=200, headers=_UNKEPT)


class OwnSessions(Controller):
    path = "/sessions"
    tags = ("Signing in",)

    @get(needs="self", summary="List the browsers in which I am signed in")
    async def list_sessions(
        self, work: InWork, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[BrowserSessionOut]:
        shown = partial(sessions.render, work)
        return await page(work.session, sessions.listed(work), BrowserSession.id, cursor, limit, shown)

    @delete(needs="self", summary="Sign out all my other browsers")
    async def revoke_other_sessions(self, work: InWork) -> None:
        await sessions.revoke_others(work)

    @delete("/{session_id:str}", needs="self", summary="Sign out one of my browsers")
    async def revoke_session(self, work: InWork, session_id: FromPath[str]) -> None:
        await sessions.revoke(work, session_id)


class OwnOrganization(Controller):
    path = "/organization"
    tags = ("People",)

    @get(needs="organization:read", summary="The organization")
    async def get_organization(self, work: InWork) -> Response[OrganizationOut]:
        organization = await organizations.own(work)
        return Response(organizations.render(organization), headers=etag(organization))

    @patch(needs="organization:write", summary="Rename the organization")
    async def edit_organization(
        self, work: InWork, data: JSONBody[OrganizationEdit], if_match: IfMatch = None
    ) -> Response[OrganizationOut]:
        organization = await organizations.change(work, data, if_match)
        return Response(organizations.render(organization), headers=etag(organization))


class Members(Controller):
    path = "/members"
    tags = ("People",)

    @get(needs="members:read", summary="List members")
    async def list_members(self, work: InWork, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT) -> Page[MemberOut]:
        return await page(work.session, members.listed(), Membership.id, cursor, limit, members.render)

    @get("/{member_id:str}", needs="members:read", summary="One member")
    async def get_member(self, work: InWork, member_id: FromPath[str]) -> Response[MemberOut]:
        member = await members.find(work, member_id)
        return Response(members.render(member), headers=etag(member))

    @patch("/{member_id:str}", needs="members:write", summary="Change a member's role")
    async def edit_member(
        self, work: InWork, member_id: FromPath[str], data: JSONBody[MemberEdit], if_match: IfMatch = None
    ) -> Response[MemberOut]:
        member = await members.change(work, member_id, data, if_match)
        return Response(members.render(member), headers=etag(member))

    @delete("/{member_id:str}", needs="members:write", summary="Remove a member, whose sessions here end at once")
    async def remove_member(self, work: InWork, member_id: FromPath[str], if_match: IfMatch = None) -> None:
        await members.remove(work, member_id, if_match)


class Invitations(Controller):
    path = "/invitations"
    tags = ("People",)

    @get(needs="members:read", summary="List invitations that nobody accepted yet")
    async def list_invitations(
        self, work: InWork, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[InvitationOut]:
        return await page(work.session, invitations.listed(), Invitation.id, cursor, limit, invitations.render)

    @post(needs="members:write", summary="Invite somebody by e-mail")
    async def create_invitation(self, work: InWork, data: JSONBody[InvitationCreate]) -> InvitationOut:
        return invitations.render(await invitations.create(work, data))

    @post("/{invitation_id:str}/resend", needs="members:write", status_code=200, summary="Mail a new link")
    async def resend_invitation(self, work: InWork, invitation_id: FromPath[str]) -> InvitationOut:
        return invitations.render(await invitations.resend(work, invitation_id))

    @delete("/{invitation_id:str}", needs="members:write", summary="Withdraw an invitation: its link works no more")
    async def withdraw_invitation(self, work: InWork, invitation_id: FromPath[str]) -> None:
        await invitations.withdraw(work, invitation_id)


class Tokens(Controller):
    path = "/tokens"
    tags = ("Service tokens",)

    @get(needs="tokens:read", summary="List service tokens")
    async def list_tokens(
        self, work: InWork, revoked: FromQuery[bool] = False, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[TokenOut]:
        query = service_tokens.listed(revoked=revoked)
        return await page(work.session, query, ServiceToken.id, cursor, limit, service_tokens.render)

    @post(needs="tokens:write", summary="Create a service token: its secret is shown this once")
    async def create_token(self, work: InWork, data: JSONBody[TokenCreate]) -> Response[TokenMade]:
        return Response(await service_tokens.create(work, data), headers=_UNKEPT)

    @delete("/{token_id:str}", needs="tokens:write", summary="Revoke a service token, at once")
    async def revoke_token(self, work: InWork, token_id: FromPath[str]) -> None:
        await service_tokens.revoke(work, token_id)
