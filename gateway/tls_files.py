"""Owns certificates in files, towards upstreams and proxies: contexts made from them, and why they cannot be used.

What is checked when a policy is read is what is loaded when it is used.
"""

import hashlib
import ssl
from collections.abc import Iterable
from pathlib import Path

import msgspec


class Trust(msgspec.Struct, frozen=True, gc=False):
    """Whom to believe in TLS, and what to prove oneself with. `files_sha256` tells one content from the next."""

    verify: bool = True
    ca_file: str = ""  # empty: the authorities of the system
    cert_file: str = ""
    key_file: str = ""  # empty: the key is in cert_file
    files_sha256: str = ""


class _EncryptedKey(Exception):
    """Only a person could open it."""


def client_context(trust: Trust) -> ssl.SSLContext:
    """A context for connections to others. Blocks: the system's authorities take some 50 ms to load.

    Raises OSError (ssl.SSLError included) or ValueError where a file cannot be used.
    """
    context = ssl.create_default_context(cafile=trust.ca_file or None)
    # From 3.13 on Python also refuses certificates that lack extensions which many private authorities leave out: what
    # is accepted must not depend on the interpreter.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not trust.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if trust.cert_file:
        _load_pair(context, trust.cert_file, trust.key_file)
    return context


def authorities_fault(file: str) -> str:
    """Why the authorities of a file cannot be used, and what to do; empty if they can."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except ssl.SSLError:
        return f"{file} holds no certificates in PEM; convert it, or name another"
    except OSError as fault:
        return _unreadable(file, fault)
    return ""


def pair_fault(cert_file: str, key_file: str) -> str:
    """Why a certificate and its key cannot be used, and what to do; empty if they can."""
    for file in filter(None, (cert_file, key_file)):
        try:
            Path(file).open("rb").close()
        except OSError as fault:  # of the pair OpenSSL does not say which
            return _unreadable(file, fault)
    try:
        _load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), cert_file, key_file)
    except ValueError as fault:
        return str(fault)
    except OSError as fault:
        reason = (fault.reason if isinstance(fault, ssl.SSLError) else "") or "not PEM"
        return f"{_pair(cert_file, key_file)} not a certificate and its key in PEM ({reason}); name those"
    return ""


def digest(files: Iterable[str]) -> str:
    """What changes when the content of any of the files does; empty without files, or with none that can be read."""
    hashes = [hashlib.sha256(content).digest() for content in map(_content, filter(None, files)) if content]
    return hashlib.sha256(b"".join(hashes)).hexdigest() if hashes else ""


def _content(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError:
        return b""


def _load_pair(context: ssl.SSLContext, cert_file: str, key_file: str) -> None:
    try:
        # Without a password of ours OpenSSL would ask for one on the terminal.
        context.load_cert_chain(cert_file, key_file or None, password=_refuse)
    except _EncryptedKey:
        raise ValueError(f"the key in {key_file or cert_file} is encrypted; decrypt it with `openssl pkey`") from None


def _refuse() -> str:
    raise _EncryptedKey


def _pair(cert_file: str, key_file: str) -> str:
    return f"{cert_file} and {key_file} are" if key_file else f"{cert_file} is"


def _unreadable(file: str, fault: OSError) -> str:
    if isinstance(fault, FileNotFoundError):
        return f"there is no file {file}; correct the path"
    return f"cannot read {file}: {fault.strerror}; correct the path or its permissions"
