"""Owns the parameters that every question shares: whose calls, of which time, narrowed by what."""

from dataclasses import dataclass, replace
from typing import Annotated
from zoneinfo import ZoneInfo

from litestar.params import QueryParameter

from control_plane.analytics.period import Period, period, rfc3339, zone_of
from control_plane.analytics.schema import About
from control_plane.api.parameters import InWork
from control_plane.api.problems import invalid
from control_plane.lake.query import Answer
from control_plane.lake.scope import FILTERS, Scope

# Values of one filter: what a person ticks in a list.
VALUES_MAX = 50
_CHARS_MAX = 256

ProjectId = Annotated[str | None, QueryParameter(max_length=_CHARS_MAX, description="One project; without it all")]
From = Annotated[
    str | None, QueryParameter(name="from", max_length=40, description="The first moment: a date in `tz`, or RFC 3339")
]
To = Annotated[
    str | None, QueryParameter(name="to", max_length=40, description="The moment after the last; without it now")
]
Range = Annotated[
    str | None,
    QueryParameter(
        name="range",
        max_length=20,
        description="Instead of from and to: `60m`, `24h`, `7d` (the default), `4w`, `today`, `month`, `last-month`",
    ),
]
Zone = Annotated[
    str, QueryParameter(max_length=64, description="IANA time zone of dates, days, weeks and months: `Europe/Berlin`")
]


def _values(description: str) -> object:
    return QueryParameter(description=f"{description}; may be repeated: any of them")


KeyIds = Annotated[list[str] | None, _values("A key's id")]
UserIds = Annotated[list[str] | None, _values("An end user")]
Teams = Annotated[list[str] | None, _values("A team")]
Tags = Annotated[list[str] | None, _values("A tag")]
Providers = Annotated[list[str] | None, _values("A provider, such as `openai`")]
Models = Annotated[list[str] | None, _values("A model, as answers name it")]
Routes = Annotated[list[str] | None, _values("A route: `x-lensai-route`, else the endpoint")]
Statuses = Annotated[list[str] | None, _values("A status that the client was sent, such as `429`")]
Outcomes = Annotated[list[str] | None, _values("`ok`, `refused`, `upstream_error`, `client_gone`, `cancelled` …")]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question is about."""

    scope: Scope
    period: Period
    now_s: int

    @property
    def before(self) -> "Asked":
        """The same of the period before."""
        return self.during(self.period.before)

    def during(self, other: Period) -> "Asked":
        return replace(self, period=other, scope=replace(self.scope, from_s=other.from_s, to_s=other.to_s))

    def about(self, answer: Answer, *others: Answer) -> About:
        """Of an answer, and of others that are told beside it."""
        zone, as_of_ms = self.period.zone, answer.as_of_ms
        return About(
            from_=rfc3339(self.period.from_s, zone),
            to=rfc3339(self.period.to_s, zone),
            from_ms=self.period.from_s * 1000,
            to_ms=self.period.to_s * 1000,
            tz=zone.key,
            project_id=self.scope.project_id,
            as_of=rfc3339(as_of_ms // 1000, ZoneInfo("UTC")),
            as_of_ms=as_of_ms,
            lake_version=answer.version,
            estimated=any(one.estimated for one in (answer, *others)),
        )


def asked(
    work: InWork,
    project_id: ProjectId = None,
    from_: From = None,
    to: To = None,
    range_: Range = None,
    tz: Zone = "UTC",
    key_id: KeyIds = None,
    user_id: UserIds = None,
    team: Teams = None,
    tag: Tags = None,
    provider: Providers = None,
    model: Models = None,
    route: Routes = None,
    status: Statuses = None,
    outcome: Outcomes = None,
) -> Asked:
    """Raises Problem 400."""
    given = (key_id, user_id, team, tag, provider, model, route, status, outcome)
    names = ("key_id", "user_id", "team", "tag", "provider", "model", "route", "status", "outcome")
    filters = {name: _bounded(name, values) for name, values in zip(names, given, strict=True) if values}
    assert filters.keys() <= set(FILTERS)
    during = period(from_, to, range_, zone_of(tz), work.now_s)
    return Asked(Scope(work.org_id, during.from_s, during.to_s, project_id, filters), during, work.now_s)


def _bounded(name: str, values: list[str]) -> tuple[str, ...]:
    if len(values) > VALUES_MAX or any(len(value) > _CHARS_MAX for value in values):
        raise invalid(f"query/{name}", f"send at most {VALUES_MAX} values of at most {_CHARS_MAX} characters")
    return tuple(dict.fromkeys(values))
