"""Owns Settings: how one gateway process runs. Whom it serves, and at what price, is the policy's (policy.py).

Two sources: the environment (`LENSAI_<NAME>`), over the `[settings]` table of one TOML file.
`python -m gateway.settings` prints docs/reference/settings.md.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway import proxy, toml_text
from gateway.contract.rings import RingError, read_ring
from gateway.declared import KIB, MIB, Declared, says

PREFIX = "LENSAI_"
CONFIG_NAME = "lensai.toml"
# What Kubernetes puts into every container of a namespace that has a service named lensai or lensai-…:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_KUBERNETES = (
    rf"{PREFIX}(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)=.*|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?=.*|=(tcp|udp|sctp)://.*))"
)
# Variables that are not a gateway's: the platform's, the control plane's own and its clients', which may be set too.
_OTHERS = re.compile(rf"{_KUBERNETES}|{PREFIX}(CONTROL_(?!PLANE_)\w+|API_(URL|TOKEN))=.*", re.DOTALL)

# RFC 3986, without a user, a query or a fragment.
_CONTROL_PLANE = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")

# The bounds keep a slip of the finger (a unit too many, a zero that would mean "never") from being obeyed.
_Host = Annotated[str, Meta(min_length=1)]
_Port = Annotated[int, Meta(ge=0, le=65535)]
_Count = Annotated[int, Meta(ge=1, le=1_000_000)]
_Bytes = Annotated[int, Meta(ge=1, le=1 << 40)]
_Ms = Annotated[int, Meta(ge=1, le=86_400_000)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a process needs to know before it starts; each field says its unit, its default and why."""

    data_dir: Annotated[_Host, says("Directory of the journal, the last good policy and the default files.")] = (
        ".lensai"
    )
    config_file: Annotated[
        str, says("The TOML file of settings and policy; empty is `lensai.toml` in `data_dir`. Environment only.")
    ] = ""
    listen_host: Annotated[
        _Host, says("Address that callers connect to; loopback, so that nobody is served before you mean it.")
    ] = "127.0.0.1"
    listen_port: Annotated[_Port, says("Port that callers connect to; 0 takes a free one.")] = 8080
    admin_host: Annotated[
        _Host, says("Address of `/healthz`, `/readyz` and `/metrics`, which ask for no key; hence loopback.")
    ] = "127.0.0.1"
    admin_port: Annotated[
        _Port, says("Port of the first worker's admin listener; worker n uses this port + n; 0 takes free ones.")
    ] = 8081
    workers: Annotated[
        int,
        Meta(ge=1, le=256),
        says("Processes that share the listening port; one serves thousands of streams, so one until a core is full."),
    ] = 1
    tls_cert_file: Annotated[
        str, says("PEM certificate chain for callers; empty serves plain HTTP. Needs `tls_key_file`.")
    ] = ""
    tls_key_file: Annotated[str, says("PEM private key of `tls_cert_file`.")] = ""

    header_bytes_max: Annotated[
        _Bytes,
        says("Bytes of a request's head, and of what is pipelined behind one; most servers stop at 8 to 32 KiB."),
    ] = 64 * KIB
    header_count_max: Annotated[_Count, says("Header lines of one request; the official SDKs send about 20.")] = 128
    body_bytes_max: Annotated[_Bytes, says("Bytes of one request body; twice the 32 MB that Anthropic takes.")] = (
        64 * MIB
    )
    body_buffer_bytes_max: Annotated[
        _Bytes, says("Bytes of all request bodies held at once: eight of the largest, which bounds the memory.")
    ] = 512 * MIB
    connections_max: Annotated[
        _Count, says("Client connections open at once in a worker; twice `inflight_max`, because half sit idle.")
    ] = 10_000
    inflight_max: Annotated[
        _Count, says("Requests in flight at once in a worker; the next is refused with 503 rather than queued.")
    ] = 5_000

    header_timeout_ms: Annotated[
        _Ms,
        says("Time from a request's first byte to the end of its headers; a slow mobile link needs a few seconds."),
    ] = 15_000
    body_timeout_ms: Annotated[_Ms, says("Time for the whole request body; `body_bytes_max` at 9 Mbit/s.")] = 60_000
    idle_timeout_ms: Annotated[
        _Ms, says("Time a client connection may stay open without a request; above the usual 60 s of load balancers.")
    ] = 75_000
    write_timeout_ms: Annotated[
        _Ms, says("Time a client may take nothing of an answer that waits for it; a paused laptop gets two minutes.")
    ] = 120_000
    connect_timeout_ms: Annotated[
        _Ms, says("Time to connect to a provider, TLS included; a lost SYN is sent again after 1 s and 3 s.")
    ] = 5_000
    first_byte_timeout_ms: Annotated[
        _Ms, says("Time to a provider's first response byte; the official SDKs wait 10 minutes, so no less.")
    ] = 600_000
    total_timeout_ms: Annotated[
        _Ms, says("Time for one whole call; an hour, far beyond the longest answers of reasoning models.")
    ] = 3_600_000
    websocket_idle_timeout_ms: Annotated[
        _Ms, says("Time a WebSocket may be silent both ways, pings too; most libraries send one every 20 s.")
    ] = 600_000
    upstream_idle_timeout_ms: Annotated[
        _Ms, says("Time an unused provider connection is kept; below the 60 s at which load balancers hang up.")
    ] = 30_000
    upstream_connections_max: Annotated[
        _Count,
        says(
            "Connections to one provider origin in a worker; as many as `inflight_max`, so that slow readers, who keep"
            " theirs, leave some for everybody else."
        ),
    ] = 5_000
    upstream_connection_age_ms: Annotated[
        _Ms,
        says("Time after which a provider connection is not used again, so that calls follow a changed DNS record."),
    ] = 600_000
    outbound_proxy: Annotated[
        str,
        says(
            "Proxy to every upstream that names none, as `http://host:port` or `https://host:port`;"
            " see [upstreams](../guides/upstreams.md)."
        ),
    ] = ""
    outbound_proxy_credential_file: Annotated[
        str, says("File that holds `user:password` for `outbound_proxy`; read again on SIGHUP.")
    ] = ""
    outbound_proxy_ca_file: Annotated[
        str, says("PEM certificates to trust for an https `outbound_proxy`; empty trusts the system's.")
    ] = ""
    no_proxy: Annotated[
        str,
        says(
            "Hosts that `outbound_proxy` is not for: names (with all below them), addresses, networks such as"
            " `10.0.0.0/8`, or `*`, with commas between. This machine's own are never proxied."
        ),
    ] = ""
    drain_timeout_ms: Annotated[
        _Ms, says("Time to read on, for an exact usage, after the client left; most answers end within two minutes.")
    ] = 120_000
    drain_bytes_max: Annotated[
        _Bytes, says("Bytes to read on after the client left; as much as the copy that is kept for metering.")
    ] = 64 * MIB
    shutdown_timeout_ms: Annotated[
        _Ms, says("Time that SIGTERM leaves running streams; the grace period of Kubernetes is 30 s.")
    ] = 30_000

    response_copy_bytes_max: Annotated[
        _Bytes, says("Bytes kept of one JSON answer, decoded, to read its usage; beyond it the usage is estimated.")
    ] = 64 * MIB
    estimate_copy_bytes_max: Annotated[
        _Bytes, says("Bytes of text kept of one call to estimate tokens from; about 60,000 tokens, then it scales up.")
    ] = 256 * KIB
    event_bytes_max: Annotated[
        _Bytes, says("Bytes of one stream event that is read for usage; the largest carry a whole image in base64.")
    ] = 16 * MIB

    journal_sync_ms: Annotated[
        _Ms, says("Time between `fdatasync` calls: what a power cut can lose; a crash of the process loses nothing.")
    ] = 200
    segment_bytes_max: Annotated[
        _Bytes, says("Bytes after which a journal segment is closed; about 100,000 records, one small Parquet file.")
    ] = 64 * MIB
    segment_age_ms: Annotated[
        _Ms, says("Age at which a journal segment is closed; half of the 2 s in which a call must be in Parquet.")
    ] = 1_000
    lake_url: Annotated[
        str, says("Where Parquet files go, such as `s3://bucket/prefix`; empty is the directory `lake` in `data_dir`.")
    ] = ""
    lake_poll_ms: Annotated[_Ms, says("Time between looks for closed segments; small beside `segment_age_ms`.")] = 250

    ledger_url: Annotated[
        str,
        says(
            "Redis or Valkey that lends budgets to several workers and nodes: `redis://host:6379/0`, `rediss://…`. "
            "Empty keeps them in this process, which must then be the only one."
        ),
    ] = ""
    ledger_replicas: Annotated[
        int,
        Meta(ge=0, le=8),
        says("Replicas that must have a grant before it is spent; 0 where there are none and all is written to disk."),
    ] = 0
    ledger_nodes_min: Annotated[
        int,
        Meta(ge=1, le=10_000),
        says("Workers, of all nodes, that must report what they hold before an empty store lends anything."),
    ] = 1

    control_plane_url: Annotated[
        str,
        says(
            "Control plane whose policy is obeyed beside that of the TOML file, and that is told what was spent: "
            "`https://host[:port][/path]`; see [the guide](../guides/control-plane.md). Empty: the file alone."
        ),
    ] = ""
    control_plane_token: Annotated[
        str, says("Gateway token (`lgw_…`) that the control plane knows this gateway by. Secret.")
    ] = ""
    control_plane_token_file: Annotated[
        str, says("File that holds the token alone, instead; read again at every connection, so that it can change.")
    ] = ""
    policy_keys: Annotated[
        str,
        says(
            "Secrets that the control plane signs the policy with, as `id:secret,id2:secret` in hex or base64; every "
            "one listed is believed, so that one can take over from another. Secret."
        ),
    ] = ""
    policy_keys_file: Annotated[str, says("File that holds those alone, instead; read again at every connection.")] = ""
    control_plane_ca_file: Annotated[
        str, says("PEM certificates to trust for an https `control_plane_url`; empty trusts the system's.")
    ] = ""

    policy_poll_ms: Annotated[
        _Ms, says("Time between looks at the TOML file for a changed policy: one `stat` each.")
    ] = 500
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], says("The least severe log line that is written.")
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "text"], says("Form of log lines; `auto` is text on a terminal and JSON elsewhere.")
    ] = "auto"

    def __repr__(self) -> str:
        values = {
            name: "…" if name in SECRETS and getattr(self, name) else getattr(self, name)
            for name in self.__struct_fields__
        }
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in values.items())})"

    @property
    def config_path(self) -> Path:
        """The TOML file, whether or not it exists."""
        return Path(self.config_file) if self.config_file else Path(self.data_dir) / CONFIG_NAME


# What is in no log line, no error and no repr.
SECRETS = frozenset(("control_plane_token", "policy_keys"))


class SettingsError(ValueError):
    """The settings cannot be used; the message has one line per problem: where, what, and what to do."""


def config_path(environ: Mapping[str, str]) -> Path:
    """Where to read the TOML file from; needed before there are Settings."""
    directory = environ.get(PREFIX + "DATA_DIR") or Settings().data_dir
    return Path(environ.get(PREFIX + "CONFIG_FILE") or Path(directory) / CONFIG_NAME)


def load_settings(environ: Mapping[str, str], config_text: str | None) -> Settings:
    """Settings from the environment over the `[settings]` table of the text (None: there is no file).

    Raises `SettingsError` naming every unknown name and bad value at once.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    for place, name, value in (*_in_file(config_text or ""), *_in_environment(environ)):
        problem = _problem(name, value, from_file=not place.startswith(PREFIX))
        if problem:
            problems.append(f"{place}: {problem}")
        else:
            values[name] = _DECLARED.convert(name, value)
    # So that `config_path` names the file that was read, even if that file moves data_dir.
    values["config_file"] = str(config_path(environ))
    settings = Settings(**values)
    problems.extend(_conflicts(settings))
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def reference() -> str:
    """The Markdown of docs/reference/settings.md."""
    return _PAGE + _DECLARED.rows()


_DECLARED = Declared(Settings, secret=SECRETS)

_PAGE = f"""<!-- Generated by `python -m gateway.settings`; edit gateway/settings.py instead. -->
# Settings

How one gateway process runs. Each setting is an environment variable, `{PREFIX}` and the name in capitals
(`{PREFIX}LISTEN_PORT=9000`), or a line in the `[settings]` table of `{CONFIG_NAME}` (`listen_port = 9000`); the
environment wins. Names end in their unit: `_ms` is milliseconds, `_bytes_max` is a limit in bytes. An unknown name or
a bad value stops the start with a message that says what to change. Settings are read once; the other tables of the
file are the [policy](policy.md), which is reloaded while the gateway runs.

| Setting | Default | Accepts | What it is |
|---|---|---|---|
"""


def _in_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, str, object]]:
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and not _OTHERS.fullmatch(f"{variable}={environ[variable]}"):
            yield variable, variable.removeprefix(PREFIX).lower(), environ[variable]


def _in_file(text: str) -> Iterator[tuple[str, str, object]]:
    try:
        document = toml_text.parse(text)
    except toml_text.NotToml as fault:
        raise SettingsError(f"{CONFIG_NAME}: {fault}") from None
    table = toml_text.table(document.get("settings", {}))
    lines = toml_text.Lines(text)
    if table is None:
        raise SettingsError(f"{CONFIG_NAME} line {lines['settings',]}: settings must be a table; write [settings]")
    for name, value in table.items():
        yield f"{CONFIG_NAME} line {lines['settings', name]}: {name}", name, value


def _problem(name: str, value: object, *, from_file: bool) -> str:
    if from_file and name == "config_file":
        return f"a file cannot say where it is; set {PREFIX}CONFIG_FILE in the environment"
    return _DECLARED.problem(name, value, prefix="" if from_file else PREFIX)


def _conflicts(settings: Settings) -> Iterator[str]:
    if bool(settings.tls_cert_file) != bool(settings.tls_key_file):
        given, missing = ("tls_cert_file", "tls_key_file")[:: 1 if settings.tls_cert_file else -1]
        yield f"{given} is set without {missing}; set both to serve TLS, or neither"
    yield from _proxy_conflicts(settings)
    yield from _control_plane_conflicts(settings)
    admin_ports = range(settings.admin_port, settings.admin_port + settings.workers)
    if settings.admin_port and settings.admin_host == settings.listen_host and settings.listen_port in admin_ports:
        yield f"listen_port {settings.listen_port} is also a worker's admin port; move listen_port or admin_port"


def _proxy_conflicts(settings: Settings) -> Iterator[str]:
    named = settings.outbound_proxy
    if named and (fault := proxy.fault(named)):
        yield f"outbound_proxy: {fault}"
    if settings.outbound_proxy_credential_file and not named:
        yield "outbound_proxy_credential_file is set without outbound_proxy; set both, or neither"
    if settings.outbound_proxy_ca_file and not proxy.is_tls(named):
        yield "outbound_proxy_ca_file is set without an https outbound_proxy; set both, or neither"
    if fault := proxy.exceptions_fault(settings.no_proxy):
        yield f"no_proxy: {fault}"


def _control_plane_conflicts(settings: Settings) -> Iterator[str]:
    url = settings.control_plane_url
    for name in ("control_plane_token", "policy_keys"):
        is_given, has_file = bool(getattr(settings, name)), bool(getattr(settings, f"{name}_file"))
        if is_given and has_file:
            yield f"{name} and {name}_file are both set; keep one"
        elif url and not (is_given or has_file):
            yield f"control_plane_url is set without {name}; set it, or {name}_file"
        elif not url and (is_given or has_file):
            yield f"{name if is_given else name + '_file'} is set without control_plane_url; set both, or neither"
    if url and not _CONTROL_PLANE.fullmatch(url):
        yield "control_plane_url is not http[s]://host[:port][/path]; a secret belongs into control_plane_token"
    if settings.control_plane_ca_file and not url.startswith("https://"):
        yield "control_plane_ca_file is set without an https control_plane_url; set both, or neither"
    if settings.policy_keys:
        try:
            read_ring(settings.policy_keys)
        except RingError as fault:
            yield f"policy_keys: {fault}"


if __name__ == "__main__":
    sys.stdout.write(reference())
