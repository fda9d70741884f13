"""Owns the TOML form of a Policy: its tables, its defaults, and errors that name the line.

The fields are those of gateway/contract/policy.py, with spellings made for people: times are TOML date-times
(`expires_at` for `expires_at_s`), headers are a table, prices may be numbers, limits of money are `limit_usd`.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

import msgspec

from gateway import policy_rules, quota_rules, quota_toml, tls_files, toml_text
from gateway.contract.policy import (
    Credential,
    Key,
    KillSwitch,
    Policy,
    PriceOverride,
    Project,
    Quota,
    QuotaOverride,
    Unit,
    Upstream,
)
from gateway.providers import PROVIDERS, Provider

# The provider of an upstream whose name is no provider's.
GENERIC_PROVIDER = "openai-compatible"
# Where AWS's SDKs look for a region, and where theirs is if nobody says.
_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_REGION_DEFAULT = "us-east-1"

_TABLES = (
    "settings", "projects", "upstreams", "credentials", "keys", "price_overrides",
    "quotas", "quota_overrides", "kill_switches",
)  # fmt: skip
_SECRET_SOURCES = ("env", "file", "secret")
# Fields of an upstream that name files, relative to that of the policy.
_TLS_FILES = ("ca_file", "client_cert_file", "client_key_file", "proxy_ca_file")

_Row = TypeVar("_Row", bound=msgspec.Struct)
_Table = dict[str, Any]


class PolicyError(ValueError):
    """A policy that must not be served; `problems` has one line each: where, what is wrong, what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def compile_policy(
    text: str,
    environ: Mapping[str, str],
    *,
    source: str,
    directory: Path = Path(),
    before: Iterable[Quota] = (),
) -> Policy:
    """The policy a TOML text describes, at version 0. Relative `file` secrets are read from the directory.

    `before`: the quotas whose place it takes. Raises `PolicyError` with every problem of the text, in the order of its
    lines.
    """
    tables = _Tables(text, source)
    policy = _Compiler(tables, environ, directory).policy()
    found = (*policy_rules.problems(policy), *quota_rules.changed_units(before, policy.quotas))
    tables.raise_problems(also=_judged(found, tables))
    return policy


def read_callers(text: str, *, source: str) -> tuple[tuple[Project, ...], tuple[Key, ...]]:
    """The projects and keys of a TOML text; reads no secret, and does not judge what they refer to.

    Raises `PolicyError` if they cannot be read.
    """
    tables = _Tables(text, source)
    callers = _projects(tables), _keys(tables)
    tables.raise_problems()
    return callers


def read_limits(text: str, *, source: str) -> Policy:
    """Of a TOML text, who may spend what: quotas, overrides, kill switches, and the names they refer to.

    Reads no secret: of upstreams there are the names alone, and no credentials. Raises `PolicyError` if the limits
    must not be served.
    """
    tables = _Tables(text, source)
    names = {row.name for row in PROVIDERS.values() if row.origin} | {name for name, _ in tables.named("upstreams")}
    upstreams = tuple(Upstream(name, "", "") for name in sorted(names))
    policy = Policy(source=source, projects=_projects(tables), keys=_keys(tables), upstreams=upstreams)
    policy = msgspec.structs.replace(policy, **_limits(tables))
    tables.raise_problems(also=_judged(quota_rules.problems(policy), tables))
    return policy


def _judged(found: Iterable[policy_rules.Problem], tables: "_Tables") -> Iterator[policy_rules.Problem]:
    """The broken rules, as the text spells their places; neither a place that was unread nor what holds one."""
    unread = [path for path, _ in tables.problems]
    for path, message in found:
        spelled = tables.spelled.get(path) or (*path[:2], *(_spelling(str(field)) for field in path[2:]))
        if not any(place[: len(spelled)] == spelled for place in unread):
            yield spelled, message


class _Tables:
    """A text's tables as structs; a field that cannot be read keeps its default and is a problem."""

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        self.problems: list[policy_rules.Problem] = []
        self.spelled: dict[policy_rules.Path, policy_rules.Path] = {}  # where a field goes by a name of its own here
        self._text = text
        try:
            self._document = toml_text.parse(text)
        except toml_text.NotToml as fault:
            raise PolicyError([f"{source}: {fault}"]) from None
        for name in self._document.keys() - set(_TABLES):
            self.report((name,), f"no such table; use one of {', '.join(_TABLES)}")

    def raise_problems(self, also: Iterable[policy_rules.Problem] = ()) -> None:
        """Raises `PolicyError` if there is any."""
        if problems := [*self.problems, *also]:
            lines = toml_text.Lines(self._text)
            problems.sort(key=lambda problem: lines[problem[0]])
            raise PolicyError([f"{self.source} line {lines[path]}: {_dotted(path)}: {text}" for path, text in problems])

    def named(self, table: str) -> Iterator[tuple[str, _Table]]:
        rows = toml_text.table(self._document.get(table, {}))
        if rows is None:
            self.report((table,), f"must be tables; write [{table}.<name>]")
        for name, row in (rows or {}).items():
            if (fields := toml_text.table(row)) is not None:
                yield name, fields
            else:
                self.report((table, name), f"must be a table; write [{table}.{name}]")

    def listed(self, table: str) -> Iterator[tuple[policy_rules.Path, _Table]]:
        rows: object = self._document.get(table, [])
        if not isinstance(rows, list):
            self.report((table,), f"must be a list of tables; write [[{table}]]")
            return
        for index, row in enumerate(cast("list[object]", rows)):
            if (fields := toml_text.table(row)) is not None:
                yield (table, index), fields
            else:
                self.report((table, index), f"must be a table; write [[{table}]]")

    def row(self, kind: type[_Row], path: policy_rules.Path, table: _Table, **given: Any) -> _Row:
        fields = {spelling: field for spelling, field in _FIELDS[kind].items() if field.name not in given}
        values = dict(given)
        for spelling, value in table.items():
            if spelling not in fields:
                self.report((*path, spelling), _no_field(spelling, fields))
                continue
            field = fields[spelling]
            if spelling != field.name:
                self.spelled[(*path, field.name)] = (*path, spelling)
            try:
                values[field.name] = _value(spelling, value, field.type)
            except (ValueError, msgspec.ValidationError) as fault:
                self.report((*path, spelling), str(fault))
        for spelling, field in fields.items():
            if field.required and field.name not in values:
                values[field.name] = _stand_in(field.type)
                if not any(fields[other].name == field.name for other in table if other in fields):
                    self.report((*path, spelling), _MISSING.get(spelling, "is missing; add it"))
        return kind(**values)

    def report(self, path: policy_rules.Path, message: str) -> None:
        self.problems.append((path, message))

    def report_all(self, path: policy_rules.Path, faults: Iterable[tuple[str, str]]) -> None:
        for field, message in faults:
            self.report((*path, field), message)


def _projects(tables: _Tables) -> tuple[Project, ...]:
    return tuple(tables.row(Project, ("projects", name), table, id=name) for name, table in tables.named("projects"))


def _keys(tables: _Tables) -> tuple[Key, ...]:
    return tuple(tables.row(Key, path, table) for path, table in tables.listed("keys"))


def _prices(tables: _Tables) -> tuple[PriceOverride, ...]:
    return tuple(tables.row(PriceOverride, path, table) for path, table in tables.listed("price_overrides"))


def _limits(tables: _Tables) -> dict[str, Any]:
    """The policy's fields of quotas, overrides and kill switches."""
    quotas = tuple(_quota(tables, path, table) for path, table in tables.listed("quotas"))
    units = {quota.id: quota.unit for quota in quotas}
    overrides: list[QuotaOverride] = []
    for path, table in tables.listed("quota_overrides"):
        overrides.append(row := tables.row(QuotaOverride, path, table))
        if row.quota_id in units:
            tables.report_all(path, quota_toml.limit_faults(table, units[row.quota_id]))
    switches = tuple(tables.row(KillSwitch, path, table) for path, table in tables.listed("kill_switches"))
    return {"quotas": quotas, "quota_overrides": tuple(overrides), "kill_switches": switches}


def _quota(tables: _Tables, path: policy_rules.Path, table: _Table) -> Quota:
    if table.get("unit") == "concurrent":
        table = {"window": "total"} | table  # the usual month would be none of theirs
    quota = tables.row(Quota, path, table)
    if table.get("unit") in get_args(Unit):
        tables.report_all(path, quota_toml.limit_faults(table, quota.unit))
    return quota


class _Compiler:
    """Joins the tables with what the environment and the table of providers add: credentials, built-in upstreams."""

    def __init__(self, tables: _Tables, environ: Mapping[str, str], directory: Path) -> None:
        self._tables = tables
        self._environ = environ
        self._directory = directory
        self._own = {name: self._credential(name, table) for name, table in tables.named("credentials")}
        self._from_environment = {
            row.name: Credential(row.name, secret)
            for row in PROVIDERS.values()
            if row.name not in self._own and (secret := environ.get(row.credential_env, "").strip())
        }

    def policy(self) -> Policy:
        tables: dict[str, _Table] = {row.name: {} for row in PROVIDERS.values() if row.origin}
        tables |= self._tables.named("upstreams")
        upstreams = tuple(self._upstream(name, table) for name, table in tables.items())
        used = {upstream.credential_id for upstream in upstreams}
        return Policy(
            source=self._tables.source,
            projects=_projects(self._tables),
            keys=_keys(self._tables),
            upstreams=upstreams,
            credentials=(*self._own.values(), *(row for row in self._from_environment.values() if row.id in used)),
            price_overrides=_prices(self._tables),
            **_limits(self._tables),
        )

    def _credential(self, name: str, table: _Table) -> Credential:
        path = ("credentials", name)
        for field in table.keys() - set(_SECRET_SOURCES):
            self._tables.report((*path, field), _no_field(field, _SECRET_SOURCES))
        sources = [field for field in _SECRET_SOURCES if field in table]
        try:
            return Credential(name, self._secret(sources, table))
        except ValueError as fault:
            self._tables.report((*path, *sources[:1]), str(fault))
            # A stand-in, so that the rules do not judge what could not be read.
            return Credential(name, "unread:unread")

    def _secret(self, sources: list[str], table: _Table) -> str:
        value = table[sources[0]] if len(sources) == 1 else None
        if not isinstance(value, str):
            raise ValueError("needs exactly one of env, file and secret, as a string")  # noqa: TRY004
        if "secret" in sources:
            return value
        if "env" in sources:
            if secret := self._environ.get(value, "").strip():
                return secret
            raise ValueError(f"the environment has no {value}; export it, or use file or secret")
        try:
            return (self._directory / value).read_text("utf-8").strip()
        except UnicodeDecodeError:
            raise ValueError(f"{value} is not text; put the secret alone into it") from None
        except OSError as fault:
            raise ValueError(f"cannot read {value}: {fault.strerror}; correct the path or its permissions") from None

    def _upstream(self, name: str, table: _Table) -> Upstream:
        provider = table.get("provider", name if name in PROVIDERS else GENERIC_PROVIDER)
        row = PROVIDERS.get(provider) if isinstance(provider, str) else None
        defaults: _Table = {"provider": provider, "origin": row.origin, "base_path": row.base_path} if row else {}
        if row and "{region}" in row.origin:
            region = table.get("region", self._region())
            defaults |= {"region": region, "origin": row.origin.replace("{region}", str(region))}
        fields = defaults | table
        is_own_origin = bool(row) and fields["origin"] == defaults["origin"]
        fields.setdefault("credential_id", self._credential_id(name, fields, row if is_own_origin else None))
        if "{resource}" in str(fields.get("origin")) and not fields["credential_id"]:
            # Without a credential of ours nothing of ours can leak, whatever resource a caller names.
            fields.setdefault("resources", ["*"])
        for field in _TLS_FILES:
            if isinstance(file := fields.get(field, ""), str) and file:
                fields[field] = str((self._directory / file).absolute())
        sha256 = tls_files.digest(file for field in _TLS_FILES if isinstance(file := fields.get(field), str))
        upstream = self._tables.row(Upstream, ("upstreams", name), fields, name=name, files_sha256=sha256)
        for field, fault in _tls_faults(upstream):
            self._tables.report(("upstreams", name, field), fault)
        return upstream

    def _region(self) -> str:
        return next((self._environ[name] for name in _REGION_VARIABLES if self._environ.get(name)), _REGION_DEFAULT)

    def _credential_id(self, name: str, fields: _Table, row: Provider | None) -> str:
        """The credential of an upstream that names none: a secret goes where its name says, and nowhere else.

        `row` is None where the upstream is not at its provider's own origin.
        """
        if name in self._own:
            return name
        if row is None:
            return ""
        # Which resource a key of the environment belongs to is not known until the file lists it.
        listed = "{resource}" not in row.origin or "resources" in fields
        return row.name if row.name in self._own or (listed and row.name in self._from_environment) else ""


def _tls_faults(upstream: Upstream) -> Iterator[tuple[str, str]]:
    """A field, and why its file cannot be used."""
    for field, file in (("ca_file", upstream.ca_file), ("proxy_ca_file", upstream.proxy_ca_file)):
        if file and (fault := tls_files.authorities_fault(file)):
            yield field, fault
    cert_file, key_file = upstream.client_cert_file, upstream.client_key_file
    if cert_file and (fault := tls_files.pair_fault(cert_file, key_file)):
        yield "client_cert_file", fault


def _value(spelling: str, value: object, hint: Any) -> Any:
    if get_origin(hint) is Literal and value not in get_args(hint):
        raise ValueError(f"must be one of {', '.join(get_args(hint))}")
    read = _READERS.get(spelling)
    return msgspec.convert(read(value) if read else value, hint)


def _stand_in(hint: Any) -> object:
    """What a field without a default is while it cannot be read, so that the rules can judge the rest."""
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    return "" if hint is str else None


def _instant(value: object) -> object:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("must be a time with its zone, unquoted, such as 2027-01-31T00:00:00Z")
    return int(value.timestamp())


def _pairs(value: object) -> object:
    return value if (table := toml_text.table(value)) is None else tuple(table.items())


def _decimal(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        return value
    return format(Decimal(value), "f")


def _rates(value: object) -> object:
    return (
        value if (table := toml_text.table(value)) is None else {name: _decimal(rate) for name, rate in table.items()}
    )


# Where TOML says it better than the struct does.
_READERS: dict[str, Callable[[object], object]] = {
    "expires_at": _instant,
    "starts_at": _instant,
    "ends_at": _instant,
    "headers": _pairs,
    "rates": _rates,
    "multiplier": _decimal,
    "until": _instant,
    "limit": quota_toml.read_limit,
    "limit_usd": quota_toml.read_limit_usd,
    "ceiling_usd": quota_toml.read_usd,
    "scope": quota_toml.read_scope,
}

# Where they have another name than the struct's; the first is the one to suggest.
_SPELLINGS: Mapping[type[msgspec.Struct], Mapping[str, tuple[str, ...]]] = {
    Quota: {"limit": ("limit_usd", "limit"), "ceiling": ("ceiling_usd",)},
    QuotaOverride: {"limit": ("limit_usd", "limit"), "quota_id": ("quota",), "until_s": ("until",)},
}
_MISSING = {"limit_usd": quota_toml.MISSING_LIMIT}


def _spelling(field: str) -> str:
    """The TOML name of a field: a time is a date-time there, so it has no unit."""
    return field.removesuffix("_s") if field.endswith("_at_s") else field


# By TOML name. Asking msgspec for each row would take most of the time a large file takes.
_FIELDS: Mapping[type[msgspec.Struct], Mapping[str, msgspec.structs.FieldInfo]] = {
    kind: {
        spelling: field
        for field in msgspec.structs.fields(kind)
        for spelling in _SPELLINGS.get(kind, {}).get(field.name, (_spelling(field.name),))
    }
    for kind in (Project, Key, Upstream, PriceOverride, Quota, QuotaOverride, KillSwitch)
}


def _dotted(path: policy_rules.Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _no_field(name: str, names: Iterable[str]) -> str:
    """What to write in place of a field that is none: the one that looks like it, or any."""
    nearest = difflib.get_close_matches(name, names, n=1)
    return f"no such field; the nearest is {nearest[0]}" if nearest else f"no such field; there are {', '.join(names)}"
