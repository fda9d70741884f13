"""Owns JSON as Google writes it, for Gemini and Vertex alike."""

import json

Json = dict[str, object]

CONTENT_TYPE = "application/json; charset=UTF-8"


def pretty(document: object) -> bytes:
    return json.dumps(document, indent=2, ensure_ascii=False).encode()


def compact(document: object) -> bytes:
    """As in Gemini's events: a space after colons and none after commas."""
    return json.dumps(document, separators=(",", ": "), ensure_ascii=False).encode()
