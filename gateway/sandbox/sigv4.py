"""Owns the check of an AWS Signature Version 4: the caller's key, its scope, its age, and every byte that it covers.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

from gateway.sandbox.request import Request

SCHEME = "AWS4-HMAC-SHA256"
ACCESS_KEY = "AKIASANDBOX"
SECRET_KEY = "sandbox-secret-key"  # noqa: S105 - it opens nothing
SESSION_TOKEN = "sandbox-session"  # noqa: S105 - it opens nothing

# How far a signature's clock may be from ours, either way.
SKEW_MAX_S = 300

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_NOT_RECOGNISED = "The security token included in the request is invalid."
_TIME = "%Y%m%dT%H%M%SZ"


class Mistake(NamedTuple):
    """Why a signature is not accepted: the exception's name and text, as AWS gives them."""

    kind: str
    message: str


class _Claim(NamedTuple):
    """What an Authorization header says of its signature."""

    access_key: str
    date: str
    region: str
    service: str
    terminator: str
    signed_headers: tuple[str, ...]
    signature: str


def verify(request: Request, service: str, now_s: float) -> Mistake | None:
    """Why this request's signature is not good; nothing if it is. Any region will do: it is the caller's choice."""
    claim = _read_claim(request.headers.get("authorization", ""))
    if isinstance(claim, Mistake):
        return claim
    return (
        _identity_mistake(claim, request.headers)
        or _scope_mistake(claim, service)
        or _header_mistake(claim, request.headers)
        or _time_mistake(claim, request.headers, now_s)
        or _signature_mistake(claim, request)
    )


def _read_claim(authorization: str) -> _Claim | Mistake:
    found = dict(re.findall(r"(Credential|SignedHeaders|Signature)=([^,\s]+)", authorization))
    for name in ("Credential", "Signature", "SignedHeaders"):
        if name not in found:
            return Mistake("IncompleteSignatureException", f"Authorization header requires '{name}' parameter.")
    scope = found["Credential"].split("/")
    if len(scope) != 5:
        message = "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term"
        return Mistake("IncompleteSignatureException", message)
    access_key, date, region, service, terminator = scope
    signed_headers = tuple(found["SignedHeaders"].split(";"))
    return _Claim(access_key, date, region, service, terminator, signed_headers, found["Signature"])


def _identity_mistake(claim: _Claim, headers: Mapping[str, str]) -> Mistake | None:
    token = headers.get("x-amz-security-token", SESSION_TOKEN)
    if claim.access_key != ACCESS_KEY or token != SESSION_TOKEN:
        return Mistake("UnrecognizedClientException", _NOT_RECOGNISED)
    return None


def _scope_mistake(claim: _Claim, service: str) -> Mistake | None:
    if claim.service != service:
        return Mistake("InvalidSignatureException", f"Credential should be scoped to correct service: '{service}'. ")
    if claim.terminator != "aws4_request" or not claim.region:
        message = "Credential should be scoped with a valid terminator: 'aws4_request'. "
        return Mistake("InvalidSignatureException", message)
    return None


def _header_mistake(claim: _Claim, headers: Mapping[str, str]) -> Mistake | None:
    """Host and every header of Amazon's own must be signed, or a stranger could change them."""
    needed = {"host", *(name for name in headers if name in ("x-amz-date", "x-amz-security-token"))}
    unsigned = sorted(needed.difference(claim.signed_headers))
    if not unsigned:
        return None
    return Mistake(
        "InvalidSignatureException", f"'{unsigned[0]}' must be a 'SignedHeader' in the AWS Authorization header."
    )


def _time_mistake(claim: _Claim, headers: Mapping[str, str], now_s: float) -> Mistake | None:
    stamp = headers.get("x-amz-date", "")
    try:
        signed_s = datetime.strptime(stamp, _TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        message = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        return Mistake("IncompleteSignatureException", message)
    if not stamp.startswith(claim.date):
        message = f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{stamp}'"
        return Mistake("InvalidSignatureException", message)
    now = _stamp(now_s)
    if signed_s < now_s - SKEW_MAX_S:
        earliest = _stamp(now_s - SKEW_MAX_S)
        message = f"Signature expired: {stamp} is now earlier than {earliest} ({now} - 5 min.)"
        return Mistake("InvalidSignatureException", message)
    if signed_s > now_s + SKEW_MAX_S:
        latest = _stamp(now_s + SKEW_MAX_S)
        message = f"Signature not yet current: {stamp} is still later than {latest} ({now} + 5 min.)"
        return Mistake("InvalidSignatureException", message)
    return None


def _stamp(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime(_TIME)


def _signature_mistake(claim: _Claim, request: Request) -> Mistake | None:
    scope = "/".join((claim.date, claim.region, claim.service, claim.terminator))
    canonical = hashlib.sha256(canonical_request(request, claim.signed_headers).encode()).hexdigest()
    signed = "\n".join((SCHEME, request.headers["x-amz-date"], scope, canonical))
    secret = ("AWS4" + SECRET_KEY).encode()
    for part in (claim.date, claim.region, claim.service, claim.terminator):
        secret = hmac.digest(secret, part.encode(), "sha256")
    expected = hmac.digest(secret, signed.encode(), "sha256").hex()
    if hmac.compare_digest(expected, claim.signature):
        return None
    return Mistake("InvalidSignatureException", _MISMATCH)


def canonical_request(request: Request, signed_headers: tuple[str, ...]) -> str:
    """What was signed: a path that is already encoded is encoded once more, by every service but S3."""
    path, _, query = request.target.partition("?")
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&") if pair)
    headers = request.headers
    lines = [f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed_headers]
    return "\n".join(
        (
            request.method,
            quote(path, safe="/~-_."),
            "&".join(f"{name}={value}" for name, value in pairs),
            *lines,
            "",
            ";".join(signed_headers),
            hashlib.sha256(request.body).hexdigest(),
        )
    )
