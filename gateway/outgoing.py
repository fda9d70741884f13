"""Owns the head that is sent to the provider: the caller's, with this hop's lines and the provider's credential."""

from gateway.examine import Call
from gateway.identify import Caller
from gateway.request import Request
from gateway.route import Route
from gateway.signing import SIGNATURE_HEADERS, Signer
from gateway.wire import upgrade
from gateway.wire.headers import request_head

Lines = tuple[tuple[bytes, bytes], ...]


def outgoing_head(request: Request, caller: Caller, route: Route, call: Call) -> tuple[bytes, bytes]:
    """What stands before and behind the digits of its content-length; where there is none, nothing behind.

    The same for every like request, unless the route has a signer: a signature holds for one body and some minutes.
    """
    destination = route.destination
    credential, extra, dropped = route.credential, destination.extra, frozenset[bytes]()
    if request.websocket:
        extra, dropped = _handshake(request, caller, extra)
    if route.signer is not None:
        credential, *signature = _signature(request, route, call, route.signer)
        extra, dropped = (*extra, *signature), SIGNATURE_HEADERS
    return request_head(
        b"%b %b HTTP/1.1\r\n" % (request.method.encode(), route.target),
        request.head,
        host=destination.host,
        credential=credential,
        extra=extra,
        has_body=request.method == "POST" or request.framing.chunked,
        identity_only=call.spliced,
        dropped_also=dropped,
    )


def _signature(request: Request, route: Route, call: Call, signer: Signer) -> tuple[tuple[bytes, bytes], ...]:
    host, content_type = route.destination.host, request.value(b"content-type")
    scheme = "https" if route.destination.origin.tls else "http"
    url = f"{scheme}://{host.decode()}{route.target.decode()}"
    # As they are sent: the signer would leave out a port that is the scheme's own.
    signed_too = ((b"host", host), *(((b"content-type", content_type),) if content_type else ()))
    return signer.headers(request.method, url, signed_too, call.body)


def _handshake(request: Request, caller: Caller, extra: Lines) -> tuple[Lines, frozenset[bytes]]:
    """The header lines of ours that ask the provider to switch protocols, and the caller's that are not for it."""
    extra = (*upgrade.LINES, *extra)
    if caller.by_path or not upgrade.protocol_keys(request.head):
        return extra, frozenset()
    protocols = b", ".join(upgrade.offered_protocols(request.head, with_keys=False))
    return ((*extra, (upgrade.PROTOCOLS, protocols)) if protocols else extra), frozenset((upgrade.PROTOCOLS,))
