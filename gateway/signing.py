"""Owns AWS Signature Version 4: the headers that sign one request to Bedrock, made by botocore's signer.

A signature covers the host, the path and the body, so one that a client made for the gateway is worth nothing at
AWS: the gateway signs anew with the policy's credential.
Source: docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from typing import NamedTuple

Headers = tuple[tuple[bytes, bytes], ...]

# What a client's own signature is made of: it is dropped, whether or not the new one has a header of that name.
SIGNATURE_HEADERS = frozenset((b"x-amz-date", b"x-amz-security-token", b"x-amz-content-sha256"))
_SERVICE = "bedrock"
_SENT = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")


class Signer(NamedTuple):
    """Signs with one credential, for one region."""

    access_key_id: str
    secret_key: str
    session_token: str | None
    region: str

    def __repr__(self) -> str:
        return f"Signer(access_key_id={self.access_key_id!r}, region={self.region!r})"

    @classmethod
    def of(cls, secret: str, region: str) -> "Signer | None":
        """The signer of a secret `id:key[:session token]`; None for an API key, which is sent as it is."""
        access_key_id, colon, rest = secret.partition(":")
        if not colon:
            return None
        secret_key, _, session_token = rest.partition(":")
        return cls(access_key_id, secret_key, session_token or None, region)

    def headers(self, method: str, url: str, signed_too: Headers, body: bytes) -> Headers:
        """The headers to send beside `signed_too`, `authorization` first; they hold for some five minutes from now."""
        # Loading it takes a tenth of a second, which only those pay who call AWS.
        from botocore.auth import SigV4Auth  # pyright: ignore[reportMissingTypeStubs]
        from botocore.awsrequest import AWSRequest  # pyright: ignore[reportMissingTypeStubs]
        from botocore.credentials import Credentials  # pyright: ignore[reportMissingTypeStubs]

        named = {name.decode("ascii"): value.decode("latin-1") for name, value in signed_too}
        signed = AWSRequest(method, url, named, body)
        credentials = Credentials(self.access_key_id, self.secret_key, self.session_token)
        SigV4Auth(credentials, _SERVICE, self.region).add_auth(signed)  # pyright: ignore[reportUnknownMemberType]
        return tuple(
            (name.lower().encode(), str(signed.headers[name]).encode()) for name in _SENT if name in signed.headers
        )
