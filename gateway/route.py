"""Stage 2: where to. Caller's path, PolicyView -> Route | Refusal.

The path and the policy decide; no body field, Host, absolute-form target or forwarded header is read.
"""

import re
from urllib.parse import unquote, urlsplit

import msgspec

from gateway.contract.policy import Upstream
from gateway.contract.record import Record
from gateway.endpoints import WEBSOCKET, Dialect, Endpoint
from gateway.faults import Refusal
from gateway.identify import QUERY_KEY, Caller
from gateway.policy import PolicyView
from gateway.providers import PROVIDERS, Provider, find_endpoint
from gateway.proxy import DIRECT, Proxy, read_proxy
from gateway.request import Request
from gateway.signing import Signer
from gateway.tls_files import Trust

_RESOURCE = "{resource}"
# A credential of the policy in a provider's head is kept from the caller; one this short is a server's that asks for
# none, such as "none" or "ollama", and stands in lines that mean something else.
SECRET_BYTES_MIN = 8
# Where each dialect takes a key when the caller used no slot of its own: provider_facts §3.
_DEFAULT_SLOT: dict[Dialect, bytes] = {
    "openai": b"authorization",
    "azure": b"api-key",
    "anthropic": b"x-api-key",
    "gemini": b"x-goog-api-key",
    "bedrock": b"authorization",
    "cohere": b"authorization",
    "voyage": b"authorization",
    "ollama": b"authorization",
}
_PORTS = {"http": 80, "https": 443}
_DNS_LABEL = re.compile(r"[A-Za-z0-9-]{1,63}")
# One put into the wrong place of a path must not come back in an error, which applications log.
_LENSAI_KEY = re.compile(r"lk-[^/]+")


class Origin(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """Where to connect, which way, and how to check who answers: connections of equal origins are interchangeable."""

    host: str  # an IPv6 address has no brackets here
    port: int
    tls: bool
    trust: Trust = Trust()
    proxy: Proxy | None = None  # None: the setting's, unless `direct`
    direct: bool = False
    connect_timeout_ms: int | None = None
    connections_max: int | None = None


class Destination(msgspec.Struct, frozen=True, gc=False):
    """An upstream of the policy made ready, once for as long as it does not change."""

    upstream: Upstream
    provider: Provider
    origin: Origin
    host: bytes  # the host header
    secret: bytes  # b"": none in the policy
    secrets: tuple[bytes, ...]  # the parts of it that nobody may see
    signer: Signer | None  # signs with the secret instead of sending it
    extra: tuple[tuple[bytes, bytes], ...]


class Route(msgspec.Struct, frozen=True, gc=False):
    """Where one request goes. Without `credential` and `signer` the client's own credential passes through."""

    destination: Destination
    endpoint: Endpoint
    target: bytes
    model_in_path: str
    credential: tuple[bytes, bytes] | None
    signer: Signer | None = None

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """What was put into the request, or into its signature, that no caller may see."""
        return self.destination.secrets if self.credential is not None or self.signer is not None else ()


class Plan(msgspec.Struct, frozen=True, gc=False):
    """What a head alone decides, under one policy: it holds for every like head that comes under the same one."""

    view: PolicyView
    dialect: Dialect
    caller: Caller
    route: Route
    # The outgoing head around its content-length, by whether only identity encoding is asked for.
    heads: dict[bool, tuple[bytes, bytes]]
    draft: Record  # what the records of all such calls say

    def holds(self, view: PolicyView, now_s: int) -> bool:
        """Whether it still does."""
        expires_at_s = self.caller.key.expires_at_s
        return self.view is view and (expires_at_s is None or now_s < expires_at_s)


class RouteTable:
    """The upstreams of one PolicyView, each made ready when it is first asked for."""

    def __init__(self, view: PolicyView) -> None:
        self.view = view
        self._ready: dict[tuple[str, str], Destination] = {}  # by organization, "" for everybody, and name

    def following(self, view: PolicyView) -> "RouteTable":
        """The table of a view that comes after; what is ready stays ready where no upstream and no secret changed."""
        table = RouteTable(view)
        before, after = self.view.policy, view.policy
        if before.upstreams is after.upstreams and before.credentials is after.credentials:
            table._ready = self._ready
        return table

    def dialect(self, request: Request, org_id: str = "") -> Dialect:
        """Whose error shape the caller of a request expects; OpenAI's where its target says nothing.

        `org_id` is the caller's; empty while it is not known, and then no organization's own upstream is.
        """
        path = request.target.partition(b"?")[0].decode("latin-1")
        if path.startswith("/k/"):
            path = "/" + path[3:].partition("/")[2]
        name, rest = _split(path)
        upstream = self.view.upstream(name, org_id)
        if upstream is None:
            return "openai"
        provider = PROVIDERS[upstream.provider]
        known = find_endpoint(provider, request.method, _below(upstream, rest))
        return (known[0].shape if known else None) or provider.dialect

    def route(self, request: Request, caller: Caller) -> Route | Refusal:
        """The route of a request, or why there is none: 404, 403 or 401."""
        name, rest = _split(caller.path)
        upstream = self.view.upstream(name, caller.project.org_id)
        if upstream is None:
            known = ", ".join(sorted(self.view.upstream_names(caller.project.org_id)))
            return Refusal("unknown_upstream", f"The path must begin with an upstream's name; known are: {known}")
        if _RESOURCE in upstream.origin:
            found = self._with_resource(upstream, rest)
            if isinstance(found, Refusal):
                return found
            destination, rest = found
        else:
            destination = self._ready.get((upstream.org_id, name)) or self._remembered(upstream)
        if caller.key.upstreams is not None and name not in caller.key.upstreams:
            return Refusal("key_scope", f"This key may not use the upstream {name!r}")
        rest = _below(destination.upstream, rest)
        method = WEBSOCKET if request.websocket else request.method
        known = find_endpoint(destination.provider, method, rest)
        if known is None:
            what = f"{method} {_shown(rest)}"
            return Refusal("endpoint_not_metered", f"{what} of {name!r} is not an endpoint this gateway meters")
        endpoint, model = known
        if caller.key.endpoints is not None and endpoint.name not in caller.key.endpoints:
            return Refusal("key_scope", f"This key may not use the endpoint {endpoint.name!r}")
        credential = _credential(caller, destination)
        if isinstance(credential, Refusal):
            return credential
        if endpoint.lists and credential is not None and self._shares(destination.upstream):
            return Refusal(
                "shared_credential",
                f"The credential of {name!r} serves several projects, and this would list what all of them stored:"
                " give the project an upstream with a credential of its own, or set lists_shared = true",
            )
        target = (destination.upstream.base_path + rest).encode("ascii")
        if caller.query:
            target += b"?" + caller.query
        if isinstance(credential, Signer):
            return Route(destination, endpoint, target, unquote(model), None, credential)
        return Route(destination, endpoint, target, unquote(model), credential)

    def _shares(self, upstream: Upstream) -> bool:
        """Whether what one project stored would be listed to another."""
        return not upstream.lists_shared and self.view.serves_several(upstream)

    def _remembered(self, upstream: Upstream) -> Destination:
        ready = self._ready[upstream.org_id, upstream.name] = self._made_ready(upstream, upstream.origin)
        return ready

    def _with_resource(self, upstream: Upstream, rest: str) -> tuple[Destination, str] | Refusal:
        """An upstream whose origin holds {resource}, which is the path's next segment: `/azure/<resource>/openai/…`."""
        resource, slash, after = rest[1:].partition("/")
        allowed = resource in upstream.resources or "*" in upstream.resources
        if not allowed or not _DNS_LABEL.fullmatch(resource):
            message = f"{_shown(resource)!r} is not among the resources of the upstream {upstream.name!r}"
            return Refusal("resource_not_allowed", message)
        return self._made_ready(upstream, upstream.origin.replace(_RESOURCE, resource)), slash + after

    def _made_ready(self, upstream: Upstream, origin: str) -> Destination:
        provider = PROVIDERS[upstream.provider]
        secret = self._secret(upstream.credential_id)
        signer = Signer.of(secret, upstream.region) if provider.signs else None
        hidden = (secret,) if signer is None else (signer.secret_key, signer.session_token or "")
        return Destination(
            upstream=upstream,
            provider=provider,
            origin=_origin(upstream, origin, self._secret(upstream.proxy_credential_id)),
            host=urlsplit(origin).netloc.encode("ascii"),
            secret=secret.encode(),
            secrets=tuple(part.encode() for part in hidden if len(part) >= SECRET_BYTES_MIN),
            signer=signer,
            extra=tuple((name.encode("ascii"), value.encode("latin-1")) for name, value in upstream.headers),
        )

    def _secret(self, credential_id: str) -> str:
        credential = self.view.credentials.get(credential_id)
        return "" if credential is None else credential.secret


def _shown(path: str) -> str:
    return _LENSAI_KEY.sub("lk-…", path)


def _split(path: str) -> tuple[str, str]:
    """Upstream's name and the provider's own path; a bare `/v1/…` is OpenAI's."""
    if path.startswith("/v1/"):
        return "openai", path
    name, slash, rest = path[1:].partition("/")
    return name, slash + rest


def _below(upstream: Upstream, rest: str) -> str:
    """The path without the one that stands in front of it at the provider: some SDKs send it, others do not."""
    return rest.removeprefix(upstream.base_path) if rest.startswith(upstream.base_path + "/") else rest


def _credential(caller: Caller, destination: Destination) -> tuple[bytes, bytes] | Signer | Refusal | None:
    """What stands in for the caller's credential; None: the caller's own, which is the provider's, passes through."""
    client_brought_one = caller.by_path and (caller.slot or QUERY_KEY.search(caller.query))
    if client_brought_one and not caller.signed:
        return None
    if not destination.secret:
        name = destination.upstream.name
        message = (
            f"No provider key for {name!r}: name one in the policy, or send your own with /k/<LensAI key>/{name}/…"
        )
        return Refusal("missing_credential", message)
    if destination.signer is not None:
        return destination.signer
    slot = caller.slot or _DEFAULT_SLOT[destination.provider.dialect]
    return slot, b"Bearer " + destination.secret if slot == b"authorization" else destination.secret


def _origin(upstream: Upstream, origin: str, proxy_credential: str) -> Origin:
    parts = urlsplit(origin)
    assert parts.hostname is not None, "the policy checks origins"
    direct = upstream.proxy == DIRECT
    return Origin(
        parts.hostname,
        parts.port or _PORTS[parts.scheme],
        parts.scheme == "https",
        Trust(
            verify=upstream.tls_verify,
            ca_file=upstream.ca_file,
            cert_file=upstream.client_cert_file,
            key_file=upstream.client_key_file,
            files_sha256=upstream.files_sha256,
        ),
        _proxy(upstream, proxy_credential) if upstream.proxy and not direct else None,
        direct,
        upstream.connect_timeout_ms,
        upstream.connections_max,
    )


def _proxy(upstream: Upstream, credential: str) -> Proxy:
    return read_proxy(upstream.proxy, credential, upstream.proxy_ca_file, upstream.files_sha256)
