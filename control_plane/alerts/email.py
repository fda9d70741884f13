"""Owns alerts as mail: subject, text and HTML of a notice. The sending itself is control_plane/mail.py's."""

from html import escape

from control_plane.alerts.notice import Notice
from control_plane.alerts.schema import EmailTarget, Outcome
from control_plane.mail import Mailer, MailError

_SUBJECT_CHARS_MAX = 150


async def send_email(mailer: Mailer, target: EmailTarget, notice: Notice, id: str) -> Outcome:
    try:
        await mailer.send(target.address, subject(notice), text(notice, id), html(notice, id))
    except MailError as error:
        return Outcome(False, str(error), is_final=error.permanent)
    return Outcome(True)


def subject(notice: Notice) -> str:
    """One line, whatever a project is called."""
    return " ".join(f"[LensAI] {notice.title}: {notice.facts[0][1]}".split())[:_SUBJECT_CHARS_MAX]


def text(notice: Notice, id: str) -> str:
    return "\n".join((notice.title, "", *(f"{label}: {value}" for label, value in _lines(notice)), "", notice.url, id))


def html(notice: Notice, id: str) -> str:
    """Without images, scripts or styles from elsewhere."""
    rows = "".join(
        f"<tr><td>{escape(label)}</td><td><b>{escape(value)}</b></td></tr>" for label, value in _lines(notice)
    )
    return (
        f"<h2>{escape(notice.title)}</h2><table cellpadding=4>{rows}</table>"
        f'<p><a href="{escape(notice.url)}">Open in LensAI</a></p><p><small>{escape(id)}</small></p>'
    )


def _lines(notice: Notice) -> list[tuple[str, str]]:
    return [*notice.facts, *([("Top models", notice.models)] if notice.models else [])]
