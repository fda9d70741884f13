"""Stage 1: who calls. Request, PolicyView -> Caller | Refusal; memory only.

Owns where keys may stand and how a call is attributed. Knows no upstream and no price.
"""

import hashlib
import re
from urllib.parse import unquote

import msgspec

from gateway.contract.policy import Key, Project
from gateway.faults import Refusal
from gateway.policy import PolicyView
from gateway.request import Request
from gateway.wire import upgrade
from gateway.wire.headers import CREDENTIAL_SLOTS, OWN_PREFIX

# Attribution is stored with every event: long enough for an e-mail address or a UUID list, no longer.
LABEL_CHARS_MAX = 128
TAGS_MAX = 16
METADATA_BYTES_MAX = 2048

_LABEL = re.compile(rf"[^\x00-\x1f\x7f]{{1,{LABEL_CHARS_MAX}}}")
QUERY_KEY = re.compile(rb"(?:^|&)key=([^&]*)")
# An AWS SDK names its access key in the signature it sends instead of a secret.
_AWS_SCHEME = "aws4-hmac-sha256"
_AWS_ACCESS_KEY = re.compile(r"(?:^|[ ,])Credential=([^/, ]+)/")


class Caller(msgspec.Struct, frozen=True, gc=False):
    """Who pays, and how the call is attributed. `path` is the target's path without the key's prefix."""

    key: Key
    project: Project
    path: str
    query: bytes  # without a LensAI key
    slot: bytes  # the credential slot the request used, lower case; b"" for none that can hold another
    by_path: bool  # the key stood in the path, so `slot` holds the client's own provider key
    signed: bool  # the slot holds an AWS signature, which is of no use to anybody but who computed it
    user_id: str
    team: str
    route: str
    tags: tuple[str, ...]
    metadata: str


def identify(request: Request, view: PolicyView, now_s: int) -> Caller | Refusal:
    """The caller of a request, or why it has none: 400 for ambiguity, 401 for no key or a bad one."""
    raw_path, _, query = request.target.partition(b"?")
    path = raw_path.decode("ascii")
    values = request.head.values
    slots = [name for name in values if name in CREDENTIAL_SLOTS]
    in_query = QUERY_KEY.findall(query) if query else []
    in_protocol = upgrade.protocol_keys(request.head) if upgrade.PROTOCOLS in values else []
    by_path = path.startswith("/k/")
    if by_path:
        token, slash, rest = path[3:].partition("/")
        path = slash + rest
        sent = (*(_token(name, values[name]) for name in slots), *map(_text, in_protocol))
        if any(_find(view, one) for one in sent):
            return Refusal("ambiguous_credentials", "Send the LensAI key in the base URL or as the api_key, not both")
    elif len(slots) + len(in_query) + len(in_protocol) > 1 or not request.head.repeated.isdisjoint(CREDENTIAL_SLOTS):
        return Refusal("ambiguous_credentials", "Send exactly one credential: several were found")
    elif in_query:
        token = unquote(in_query[0].decode("latin-1"))
    elif in_protocol:
        token = _text(in_protocol[0])
    else:
        token = _token(slots[0], values[slots[0]]) if slots else ""
    if not token:
        return Refusal("missing_key", "Send a LensAI key (lk-…) as the SDK's api_key, or in the base URL as /k/<key>/…")
    key = _find(view, token)
    if key is None or key.disabled or (key.expires_at_s is not None and now_s >= key.expires_at_s):
        return Refusal(
            "invalid_key", "This LensAI key is unknown, disabled or expired: make one with `lensai keys create`"
        )
    slot = slots[0] if slots else b""
    if by_path and in_protocol and not slot:
        slot = upgrade.PROTOCOLS
    if in_query and not by_path:
        query = QUERY_KEY.sub(b"", query).lstrip(b"&")
    return _attribute(request, view, key, path, query, slot, by_path)


def _find(view: PolicyView, token: str) -> Key | None:
    return view.find_key(hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest())


def _token(slot: bytes, value: bytes) -> str:
    token = value.decode("utf-8", "surrogateescape")
    if slot != b"authorization":
        return token
    scheme, _, rest = token.partition(" ")
    if scheme.lower() == _AWS_SCHEME:
        found = _AWS_ACCESS_KEY.search(rest)
        return found[1] if found else ""
    return rest.strip() if scheme.lower() == "bearer" else ""


def _is_signature(values: dict[bytes, bytes]) -> bool:
    return values.get(b"authorization", b"")[: len(_AWS_SCHEME)].lower() == _AWS_SCHEME.encode()


def _attribute(
    request: Request, view: PolicyView, key: Key, path: str, query: bytes, slot: bytes, by_path: bool
) -> Caller | Refusal:
    user_id, team, route, tags, metadata = key.user_id, key.team, "", key.tags, ""
    values = {name: value for name, value in request.head.values.items() if name.startswith(OWN_PREFIX)}
    if values:
        for name in (b"user", b"team", b"route"):
            value = values.get(OWN_PREFIX + name)
            if value is not None and not _LABEL.fullmatch(_text(value)):
                return _out_of_bounds(name, f"1 to {LABEL_CHARS_MAX} characters without control characters")
        user_id = _text(values.get(b"x-lensai-user", b"")) or user_id
        team = _text(values.get(b"x-lensai-team", b"")) or team
        route = _text(values.get(b"x-lensai-route", b""))
        found = tuple(tag for raw in values.get(b"x-lensai-tags", b"").split(b",") if (tag := _text(raw).strip()))
        if len(found) > TAGS_MAX or not all(_LABEL.fullmatch(tag) for tag in found):
            return _out_of_bounds(b"tags", f"up to {TAGS_MAX} comma-separated tags of {LABEL_CHARS_MAX} characters")
        tags = tuple(dict.fromkeys((*tags, *found)))
        metadata = _metadata(values.get(b"x-lensai-metadata", b""))
        if metadata is None:
            return _out_of_bounds(b"metadata", f"a JSON object of at most {METADATA_BYTES_MAX} bytes")
    signed = _is_signature(request.head.values)
    project = view.project(key.project_id)
    return Caller(key, project, path, query, slot, by_path, signed, user_id, team, route, tags, metadata)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _metadata(value: bytes) -> str | None:
    if not value:
        return ""
    if len(value) > METADATA_BYTES_MAX:
        return None
    try:
        msgspec.json.decode(value, type=dict[str, msgspec.Raw])
        return value.decode("utf-8")  # msgspec has not looked into what stays raw
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _out_of_bounds(name: bytes, bounds: str) -> Refusal:
    return Refusal("invalid_header", f"The header x-lensai-{name.decode()} must be {bounds}")
