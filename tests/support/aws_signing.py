"""Owns signatures as botocore makes them, at one moment: what the sandbox's own reading of them is judged by."""

from typing import Any

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

# 2025-11-23T12:13:20Z, where botocore's clock is made to stand.
NOW_S = 1_763_900_000
STAMP = "20251123T121320Z"
URL = "https://bedrock-runtime.us-east-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3A%3A%3Ax%2Fy%3A0/converse?b=2&a=%20"
GOOD = {"access_key": "AKIASANDBOX", "secret_key": "sandbox-secret-key"}


class ClockedSigner(auth.SigV4Auth):
    """botocore's signer at the moment of the tests."""

    def add_auth(self, request: Any) -> None:
        request.context["timestamp"] = STAMP
        self._modify_request_before_signing(request)
        request.headers.replace_header("X-Amz-Date", STAMP)
        signed = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(signed, request))


def signed(credentials: dict[str, str] = GOOD, service: str = "bedrock", region: str = "us-east-1") -> dict[str, str]:
    """The headers botocore would send for the URL and the body `{}`."""
    headers = {"Content-Type": "application/json", "X-Sandbox-Mark": "a   b"}
    asked = AWSRequest("POST", URL, headers, b"{}")
    ClockedSigner(Credentials(**credentials), service, region).add_auth(asked)
    return {"host": "bedrock-runtime.us-east-1.amazonaws.com", **dict(asked.headers.items())}
