"""The journal: CRC-framed segments that hold every call's intent and end. Imports nothing of ours."""
