"""Owns providers: credentials, sealed before they are stored; upstreams and prices, judged as a gateway judges them.

The flush publishes what gateways must know (publish/outbox.py).
"""

from typing import Any, TypeVar

import msgspec
from sqlalchemy import select

from control_plane.api.etag import edit
from control_plane.api.find import find_one
from control_plane.api.problems import conflict, invalid
from control_plane.audit.service import record
from control_plane.db.base import Base
from control_plane.db.ids import new_id
from control_plane.providers import origins
from control_plane.providers.schema import (
    PROXY,
    CredentialCreate,
    CredentialEdit,
    CredentialOut,
    CredentialRotate,
    PriceCreate,
    PriceEdit,
    PriceOut,
    UpstreamCreate,
    UpstreamEdit,
    UpstreamOptions,
    UpstreamOut,
)
from control_plane.providers.tables import PriceOverride, ProviderCredential, Upstream
from control_plane.publish.acceptable import ITEM_BYTES_MAX, accept
from control_plane.publish.compile import compile_row
from control_plane.work import Work
from gateway import proxy as proxies
from gateway.contract import policy
from gateway.providers import PROVIDERS

_Published = TypeVar("_Published", policy.Upstream, policy.PriceOverride)

# Of a secret that is shorter, four characters are too much of it.
HINT_SECRET_CHARS_MIN = 20
HINT_CHARS = 4
# Stands for a secret where only its presence is judged; it has the form of every kind.
_STAND_IN = "stand:in"
_KINDS = {True: f"the provider {PROXY!r}", False: f"another provider than {PROXY!r}"}
_IN_OPTIONS = {field: f"body/options/{field}" for field in UpstreamOptions.__struct_fields__}


# -- credentials


def sealed_for(credential_id: str) -> str:
    """The context in which a credential is sealed, which the feed opens (publish/feed.py)."""
    return f"provider_credentials:{credential_id}"


async def find_credential(work: Work, credential_id: str, *, to_change: bool = False) -> ProviderCredential:
    """`to_change`: nobody else changes it meanwhile. Raises Problem 404."""
    query = select(ProviderCredential).where(ProviderCredential.id == credential_id)
    return await find_one(work.session, query, "credential", to_change=to_change)


async def create_credential(work: Work, wanted: CredentialCreate) -> ProviderCredential:
    """Raises Problem 400 for an unknown provider or a secret that cannot be sent, 409 where the name is taken."""
    if wanted.provider != PROXY and wanted.provider not in PROVIDERS:
        raise invalid("body/provider", f"use one of {', '.join((*sorted(PROVIDERS), PROXY))}")
    await _credential_name_is_free(work, wanted.name)
    id = new_id("crd", work.now_ms)
    _check_secret(id, wanted.provider, wanted.secret)
    credential = ProviderCredential(
        id=id,
        org_id=work.org_id,
        name=wanted.name,
        provider=wanted.provider,
        sealed=work.keyring.seal(wanted.secret, sealed_for(id)),
        hint=hint(wanted.secret),
        created_by=work.principal.actor,
        created_at_ms=work.now_ms,
        updated_at_ms=work.now_ms,
        version=1,
        rotated_at_ms=None,
    )
    work.session.add(credential)
    await record(work, "credential:create", f"credential:{id}", after=render_credential(credential))
    return credential


async def rename_credential(
    work: Work, credential_id: str, wanted: CredentialEdit, if_match: str | None
) -> ProviderCredential:
    """Raises Problem 404, 409 where the name is taken, 412 where it was changed meanwhile."""
    credential = await find_credential(work, credential_id, to_change=True)
    before = render_credential(credential)
    edit(credential, if_match, work.now_ms)
    if wanted.name is not msgspec.UNSET and wanted.name != credential.name:
        await _credential_name_is_free(work, wanted.name)
        credential.name = wanted.name
    after = render_credential(credential)
    await record(work, "credential:update", f"credential:{credential.id}", before=before, after=after)
    return credential


async def rotate_credential(work: Work, credential_id: str, wanted: CredentialRotate) -> ProviderCredential:
    """Calls that begin from now on carry the new secret. Raises Problem 400, 404."""
    credential = await find_credential(work, credential_id, to_change=True)
    _check_secret(credential.id, credential.provider, wanted.secret)
    before = render_credential(credential)
    edit(credential, None, work.now_ms)
    credential.sealed = work.keyring.seal(wanted.secret, sealed_for(credential.id))
    credential.hint = hint(wanted.secret)
    credential.rotated_at_ms = work.now_ms
    after = render_credential(credential)
    await record(work, "credential:rotate", f"credential:{credential.id}", before=before, after=after)
    return credential


async def delete_credential(work: Work, credential_id: str, if_match: str | None) -> None:
    """Raises Problem 404, 409 while upstreams use it, 412."""
    credential = await find_credential(work, credential_id, to_change=True)
    edit(credential, if_match, work.now_ms)
    upstreams = (await work.session.execute(select(Upstream).order_by(Upstream.name))).scalars()
    if used_by := [upstream.name for upstream in upstreams if credential.id in _credential_ids(upstream)]:
        raise conflict(f"Upstreams use this credential: {', '.join(used_by)}; give them another first")
    await work.session.delete(credential)
    await record(work, "credential:delete", f"credential:{credential.id}", before=render_credential(credential))


def hint(secret: str) -> str:
    """What people recognise a secret by; empty where it would be much of it. Of user:password the password counts."""
    last = secret.rpartition(":")[2]
    return last[-HINT_CHARS:] if len(last) >= HINT_SECRET_CHARS_MIN else ""


def render_credential(credential: ProviderCredential) -> CredentialOut:
    return CredentialOut(**_shown(credential, CredentialOut))


def _check_secret(id: str, provider: str, secret: str) -> None:
    """Raises Problem 400, which does not repeat it."""
    accept(policy.Policy(credentials=(policy.Credential(id, secret),)), "credentials", {})
    if provider == PROXY and (fault := proxies.credential_fault(secret)):
        raise invalid("body/secret", fault)


async def _credential_name_is_free(work: Work, name: str) -> None:
    query = select(ProviderCredential.id).where(ProviderCredential.name == name)
    if (await work.session.execute(query)).first() is not None:
        raise conflict(f"There is a credential {name!r} already; take another name, or rotate that one")


# -- upstreams


async def find_upstream(work: Work, upstream_id: str, *, to_change: bool = False) -> Upstream:
    """`to_change`: nobody else changes it meanwhile. Raises Problem 404."""
    query = select(Upstream).where(Upstream.id == upstream_id)
    return await find_one(work.session, query, "upstream", to_change=to_change)


async def create_upstream(work: Work, wanted: UpstreamCreate) -> Upstream:
    """Raises Problem 400 for what a gateway would refuse, 409 where the name is taken."""
    if (await work.session.execute(select(Upstream.id).where(Upstream.name == wanted.name))).first() is not None:
        raise conflict(f"There is an upstream {wanted.name!r} already; change that one")
    provider = PROVIDERS.get(wanted.provider)
    own_base_path = provider.base_path if provider else ""
    upstream = Upstream(
        id=new_id("ups", work.now_ms),
        org_id=work.org_id,
        name=wanted.name,
        provider=wanted.provider,
        origin=wanted.origin or _own_origin(wanted.provider, wanted.options.region),
        base_path=own_base_path if wanted.base_path is msgspec.UNSET else wanted.base_path,
        credential_id=wanted.credential_id,
        models=wanted.models,
        options=_stored(wanted.options),
        created_at_ms=work.now_ms,
        updated_at_ms=work.now_ms,
        version=1,
    )
    await _check_upstream(work, upstream)
    work.session.add(upstream)
    await record(work, "upstream:create", f"upstream:{upstream.id}", after=render_upstream(upstream))
    return upstream


async def change_upstream(work: Work, upstream_id: str, wanted: UpstreamEdit, if_match: str | None) -> Upstream:
    """Raises Problem 400 for what a gateway would refuse, 404, 412 where it was changed meanwhile."""
    upstream = await find_upstream(work, upstream_id, to_change=True)
    before = render_upstream(upstream)
    edit(upstream, if_match, work.now_ms)
    was_own = upstream.origin == _own_origin(upstream.provider, before.options.region)
    for field in UpstreamEdit.__struct_fields__:
        if (value := getattr(wanted, field)) is not msgspec.UNSET:
            setattr(upstream, field, _stored(value) if field == "options" else value)
    if not upstream.origin or (was_own and wanted.origin is msgspec.UNSET):
        upstream.origin = _own_origin(upstream.provider, upstream.options.get("region", ""))
    await _check_upstream(work, upstream)
    await record(work, "upstream:update", f"upstream:{upstream.id}", before=before, after=render_upstream(upstream))
    return upstream


async def delete_upstream(work: Work, upstream_id: str, if_match: str | None) -> None:
    """Raises Problem 404, 412."""
    upstream = await find_upstream(work, upstream_id, to_change=True)
    edit(upstream, if_match, work.now_ms)
    await work.session.delete(upstream)
    await record(work, "upstream:delete", f"upstream:{upstream.id}", before=render_upstream(upstream))


def render_upstream(upstream: Upstream) -> UpstreamOut:
    shown = _shown(upstream, UpstreamOut)
    shown["options"] = _options(upstream)
    return UpstreamOut(**shown)


def _own_origin(provider: str, region: str) -> str:
    """The provider's own address; empty where it has none."""
    row = PROVIDERS.get(provider)
    origin = row.origin if row else ""
    return origin.replace("{region}", region) if region else origin


def _stored(options: UpstreamOptions) -> dict[str, Any]:
    """As the contract has them: headers are pairs."""
    named: dict[str, Any] = msgspec.to_builtins(options)
    return named | {"headers": [list(pair) for pair in options.headers.items()]} if options.headers else named


def _options(upstream: Upstream) -> UpstreamOptions:
    headers = dict(upstream.options.get("headers", ()))
    return msgspec.convert(upstream.options | {"headers": headers}, UpstreamOptions)


def _credential_ids(upstream: Upstream) -> set[str]:
    return {id for id in (upstream.credential_id, upstream.options.get("proxy_credential_id")) if id}


async def _check_upstream(work: Work, upstream: Upstream) -> None:
    """Raises Problem 400 with all that a gateway would find wrong, or where its secrets would not be safe."""
    if "@" in upstream.origin:
        # Said first, so that no message repeats it.
        raise invalid("body/origin", "a credential in an address is shown wherever the address is; store it as one")
    if "{region}" in upstream.origin:
        raise invalid("body/options/region", "is missing; name the provider's region, such as us-east-1")
    if "{resource}" in upstream.origin and not upstream.credential_id and not upstream.options.get("resources"):
        # Without a credential of ours nothing of ours can leak, whatever resource a caller names.
        upstream.options = upstream.options | {"resources": ["*"]}
    await _check_credentials(work, upstream)
    published = _compiled(upstream, policy.Upstream)
    if len(msgspec.json.encode(published)) > ITEM_BYTES_MAX:
        raise invalid("body/models", f"an upstream may have {ITEM_BYTES_MAX // 1024} KiB; keep fewer or shorter names")
    stand_ins = tuple(policy.Credential(id, _STAND_IN) for id in sorted(_credential_ids(upstream)))
    accept(policy.Policy(upstreams=(published,), credentials=stand_ins), "upstreams", {"": "body/name"} | _IN_OPTIONS)
    _check_addresses(published)


async def _check_credentials(work: Work, upstream: Upstream) -> None:
    """That they are the organization's own, of the right kind, and are not deleted before this is stored."""
    ids = _credential_ids(upstream)
    query = select(ProviderCredential).where(ProviderCredential.id.in_(ids)).order_by(ProviderCredential.id)
    with work.session.no_autoflush:
        rows = (await work.session.execute(query.with_for_update())).scalars() if ids else ()
    providers = {row.id: row.provider for row in rows}
    for pointer, id, is_proxys in (
        ("body/credential_id", upstream.credential_id, False),
        ("body/options/proxy_credential_id", upstream.options.get("proxy_credential_id"), True),
    ):
        if id and id not in providers:
            raise invalid(pointer, "there is no such credential here; GET /v1/credentials lists them")
        if id and (providers[id] == PROXY) != is_proxys:
            raise invalid(pointer, f"takes a credential of {_KINDS[is_proxys]}")


def _check_addresses(published: policy.Upstream) -> None:
    with_secret = bool(published.credential_id)
    if fault := origins.fault(published.origin, secret=with_secret, verified=published.tls_verify):
        raise invalid("body/origin", fault)
    if published.proxy not in ("", proxies.DIRECT) and (
        fault := origins.fault(published.proxy, secret=bool(published.proxy_credential_id))
    ):
        raise invalid("body/options/proxy", fault)


# -- price overrides


async def find_price(work: Work, price_id: str, *, to_change: bool = False) -> PriceOverride:
    """`to_change`: nobody else changes it meanwhile. Raises Problem 404."""
    query = select(PriceOverride).where(PriceOverride.id == price_id)
    return await find_one(work.session, query, "price override", to_change=to_change)


async def create_price(work: Work, wanted: PriceCreate) -> PriceOverride:
    """Raises Problem 400 for what a gateway would refuse."""
    price = PriceOverride(
        **msgspec.to_builtins(wanted),
        id=new_id("prc", work.now_ms),
        org_id=work.org_id,
        created_at_ms=work.now_ms,
        updated_at_ms=work.now_ms,
        version=1,
    )
    _check_price(price)
    work.session.add(price)
    await record(work, "price_override:create", f"price_override:{price.id}", after=render_price(price))
    return price


async def change_price(work: Work, price_id: str, wanted: PriceEdit, if_match: str | None) -> PriceOverride:
    """Raises Problem 400 for what a gateway would refuse, 404, 412 where it was changed meanwhile."""
    price = await find_price(work, price_id, to_change=True)
    before = render_price(price)
    edit(price, if_match, work.now_ms)
    for field, value in msgspec.to_builtins(wanted).items():
        setattr(price, field, value)
    _check_price(price)
    await record(work, "price_override:update", f"price_override:{price.id}", before=before, after=render_price(price))
    return price


async def delete_price(work: Work, price_id: str, if_match: str | None) -> None:
    """Raises Problem 404, 412."""
    price = await find_price(work, price_id, to_change=True)
    edit(price, if_match, work.now_ms)
    await work.session.delete(price)
    await record(work, "price_override:delete", f"price_override:{price.id}", before=render_price(price))


def render_price(price: PriceOverride) -> PriceOut:
    return PriceOut(**_shown(price, PriceOut))


def _check_price(price: PriceOverride) -> None:
    """Raises Problem 400. An upstream is a name: those of the gateway's own file are not known here."""
    named = () if price.upstream == "*" else (policy.Upstream(price.upstream, "openai", "https://stand.in"),)
    published = _compiled(price, policy.PriceOverride)
    accept(policy.Policy(upstreams=named, price_overrides=(published,)), "price_overrides", {})


# -- of upstreams and prices


def _compiled(row: Upstream | PriceOverride, kind: type[_Published]) -> _Published:
    compiled = compile_row(row)
    published = compiled.body if compiled else None
    assert isinstance(published, kind), "every such row is published"
    return published


def _shown(row: Base, out: type[msgspec.Struct]) -> dict[str, Any]:
    """The columns that an answer has."""
    return {field: getattr(row, field) for field in out.__struct_fields__}
