"""Owns Settings: how a control-plane process runs. Environment only, `LENSAI_CONTROL_<NAME>`.

`python -m control_plane.settings` prints docs/reference/control-plane-settings.md.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from control_plane.keyring import KeyringError, read_ring
from gateway.declared import MIB, Declared, says

PREFIX = "LENSAI_CONTROL_"
# Those of a gateway that obeys a control plane; both may run in one environment.
_GATEWAYS = PREFIX + "PLANE_"

_Text = Annotated[str, Meta(min_length=1)]
_Port = Annotated[int, Meta(ge=0, le=65535)]
_Count = Annotated[int, Meta(ge=1, le=1_000_000)]
_Seconds = Annotated[int, Meta(ge=1, le=366 * 86_400)]
_SecondsOrNever = Annotated[int, Meta(ge=0, le=86_400)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a control plane needs to know before it starts."""

    data_dir: Annotated[_Text, says("Directory of the SQLite database and of the keys that a first start makes.")] = (
        ".lensai"
    )
    database_url: Annotated[
        str, says("`postgresql+asyncpg://user:password@host/name`; empty is SQLite in `data_dir`, for one process.")
    ] = ""
    listen_host: Annotated[_Text, says("Address of the API and the UI; loopback, until TLS stands before it.")] = (
        "127.0.0.1"
    )
    listen_port: Annotated[_Port, says("Port of the API and the UI; 0 takes a free one.")] = 8000
    public_url: Annotated[
        str, says("What people open in a browser, for links in messages; empty is `http://` with host and port.")
    ] = ""
    gateway_url: Annotated[
        str,
        says(
            "Where applications reach the gateways, for what people copy into them; empty is the host of this page and"
            " the gateways' usual port. `lensai up` sets it."
        ),
    ] = ""
    trusted_proxies: Annotated[
        str,
        says(
            "Addresses of proxies, with commas between, whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed;"
            " empty believes nobody."
        ),
    ] = ""
    secret_keys: Annotated[
        str,
        says(
            "Seals provider credentials and signs exports: `id:secret,…`, the first is current (`lensai secrets new`)."
            " Empty, with SQLite: a file in `data_dir`."
        ),
    ] = ""
    policy_keys: Annotated[
        str, says("Signs the policy; the same `id:secret,…` as every gateway's `policy_keys`. Empty as above.")
    ] = ""
    owner_email: Annotated[
        str, says("Who owns the organization that a first start makes; a sign-in link is printed.")
    ] = "owner@localhost"
    smtp_url: Annotated[
        str, says("`smtp://user:password@host:587` or `smtps://…`; empty writes mails to the log, for development.")
    ] = ""
    mail_from: Annotated[_Text, says("The sender of mails.")] = "lensai@localhost"
    slack_api_url: Annotated[_Text, says("Where `chat.postMessage` is; another one for tests.")] = (
        "https://slack.com/api/"
    )
    openai_url: Annotated[_Text, says("Where OpenAI's usage and costs are fetched from; another one for tests.")] = (
        "https://api.openai.com"
    )
    anthropic_url: Annotated[_Text, says("The same of Anthropic's usage and cost reports.")] = (
        "https://api.anthropic.com"
    )
    lake_url: Annotated[str, says("The gateways' `lake_url`; empty is `lake` in `data_dir`.")] = ""
    lake_curate_s: Annotated[
        _SecondsOrNever,
        says("Seconds between rounds of curation, in one control plane of all; 0 leaves it to `lensai lake curate`."),
    ] = 30
    retention: Annotated[
        str,
        says(
            "How long calls are kept, by plan: `plan:days of calls:days of their sums:one of`, with commas between;"
            " 0 days is for ever, one of N calls is kept of days that are over (1 is all, and may be left out). The"
            " plan `default` is of whoever has no other. Empty keeps everything."
        ),
    ] = ""
    lake_retain_s: Annotated[
        _SecondsOrNever,
        says("Seconds between runs of retention and erasure, as above; 0 leaves it to `lensai lake retain`."),
    ] = 3_600
    private_targets: Annotated[
        Literal["refuse", "allow"],
        says("Whether webhooks may go to private addresses; `allow` is for a network you trust and for tests."),
    ] = "refuse"
    session_s: Annotated[_Seconds, says("How long a browser stays signed in without a request.")] = 14 * 86_400
    link_s: Annotated[_Seconds, says("How long a sign-in link works; once, in any case.")] = 900
    body_bytes_max: Annotated[_Count, says("Bytes of one request to the API.")] = MIB // 2
    requests_per_minute: Annotated[
        _Count, says("Requests a minute of one person or token, and of all at an address who are nobody; then 429.")
    ] = 1200
    metrics_token: Annotated[
        str, says("What a scraper of `/metrics` sends as `Authorization: Bearer …`; empty: there is no such page.")
    ] = ""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], says("The least severe log line that is written.")
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "text"], says("Form of log lines; `auto` is text on a terminal and JSON elsewhere.")
    ] = "auto"

    @property
    def database(self) -> str:
        """The URL of the database, the default one too."""
        return self.database_url or f"sqlite+aiosqlite:///{Path(self.data_dir).absolute() / 'control-plane.sqlite'}"

    @property
    def lake(self) -> str:
        """Where the gateways' Parquet files are: a URL or a directory."""
        return self.lake_url or str(Path(self.data_dir) / "lake")

    @property
    def url(self) -> str:
        """What people open, without a slash at the end."""
        return (self.public_url or f"http://{self.listen_host}:{self.listen_port}").rstrip("/")

    def __repr__(self) -> str:
        return f"Settings(data_dir={self.data_dir!r}, listen_port={self.listen_port}, …)"


class SettingsError(ValueError):
    """The settings cannot be used; one line for each problem: where, what, and what to do."""


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Raises SettingsError naming every unknown name and bad value at once."""
    problems: list[str] = []
    values: dict[str, Any] = {}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable.startswith(_GATEWAYS):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if problem := _DECLARED.problem(name, environ[variable], prefix=PREFIX):
            problems.append(f"{variable}: {problem}")
        else:
            values[name] = _DECLARED.convert(name, environ[variable])
    settings = Settings(**values)
    problems.extend(_conflicts(settings))
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def reference() -> str:
    """The Markdown of docs/reference/control-plane-settings.md."""
    return _PAGE + _DECLARED.rows()


# Of a plan of `retention`: days of calls, days of sums, one of how many.
_PLAN = re.compile(r"[A-Za-z0-9_.-]{1,64}:(\d{1,5}):(\d{1,5})(?::([1-9]\d{0,3}))?")

_SECRET = frozenset({"metrics_token", "secret_keys", "policy_keys", "database_url", "smtp_url"})
_DECLARED = Declared(Settings, secret=_SECRET)

_PAGE = f"""<!-- Generated by `python -m control_plane.settings`; edit control_plane/settings.py instead. -->
# Settings of the control plane

How one control-plane process runs. Each setting is an environment variable, `{PREFIX}` and the name in capitals
(`{PREFIX}LISTEN_PORT=8000`). An unknown name or a bad value stops the start with a message that says what to change.
The gateways' settings are [here](settings.md).

| Setting | Default | Accepts | What it is |
|---|---|---|---|
"""


def _conflicts(settings: Settings) -> Iterator[str]:
    if settings.retention:
        for part in settings.retention.split(","):
            found = _PLAN.fullmatch(part)
            if found is None:
                yield f"{PREFIX}RETENTION: {part!r}: write plan:days:days:one_of, such as free:30:400:10"
            elif int(found[2]) and (not int(found[1]) or int(found[1]) > int(found[2])):
                yield f"{PREFIX}RETENTION: {part!r}: sums must be kept as long as the calls, or longer"
    url = settings.database_url
    if url and not url.startswith(("sqlite+aiosqlite:///", "postgresql+asyncpg://")):
        yield f"{PREFIX}DATABASE_URL: write sqlite+aiosqlite:///path or postgresql+asyncpg://user:password@host/name"
    for name in ("secret_keys", "policy_keys"):
        try:
            ring = read_ring(getattr(settings, name))
        except KeyringError as fault:
            yield f"{PREFIX}{name.upper()}: {fault}"
            continue
        if not ring and url.startswith("postgresql"):
            yield f"{PREFIX}{name.upper()}: must be set with PostgreSQL, alike in every process (`lensai secrets new`)"
    for name in ("public_url", "gateway_url"):
        named: str = getattr(settings, name)
        if named and urlsplit(named).scheme not in ("http", "https"):
            yield f"{PREFIX}{name.upper()}: write http://… or https://…"
    if settings.smtp_url and urlsplit(settings.smtp_url).scheme not in ("smtp", "smtps"):
        yield f"{PREFIX}SMTP_URL: write smtp://user:password@host:587 or smtps://…"


if __name__ == "__main__":
    sys.stdout.write(reference())
