"""Owns what mails to people say, as text and as HTML. Pure; what people wrote is escaped."""

import html

import msgspec


class Letter(msgspec.Struct, frozen=True):
    """`to` empty: written like any other, for nobody."""

    to: str
    subject: str
    text: str
    html: str


def sign_in(to: str, url: str, minutes: int) -> Letter:
    """A link that somebody asked for."""
    return _letter(
        to,
        "Sign in to LensAI",
        "Open this link to sign in:",
        url,
        f"It works once, for {minutes} minutes. If you did not ask for it, do nothing.",
    )


def invitation(to: str, url: str, organization: str, inviter: str, days: int) -> Letter:
    """A link that makes somebody a member."""
    return _letter(
        to,
        f"Join {_one_line(organization)} on LensAI",
        f"{_one_line(inviter)} invites you to {_one_line(organization)}. Open this link to join:",
        url,
        f"It works once, for {days} days. If you do not know of it, do nothing.",
    )


def _letter(to: str, subject: str, before: str, url: str, after: str) -> Letter:
    shown, address = html.escape(before), html.escape(url, quote=True)
    body = f'<p>{shown}</p>\n<p><a href="{address}">{address}</a></p>\n<p>{html.escape(after)}</p>\n'
    return Letter(to, subject, f"{before}\n\n{url}\n\n{after}", f"<!doctype html>\n<html lang=en><body>\n{body}</body>")


def _one_line(text: str) -> str:
    return " ".join(text.split())
