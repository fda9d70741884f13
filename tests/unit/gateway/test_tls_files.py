"""Certificates in files: what can be used, what cannot and why, and what tells a renewed one from the old."""

import ssl
from pathlib import Path

import pytest

from gateway.tls_files import Trust, authorities_fault, client_context, digest, pair_fault
from tests.support.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_by_default_the_system_s_authorities_are_believed():
    context = client_context(Trust())
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert client_context(Trust(verify=False)).verify_mode == ssl.CERT_NONE


def test_what_is_accepted_is_the_same_under_every_python():
    assert not client_context(Trust()).verify_flags & ssl.VERIFY_X509_STRICT


def test_authorities_of_a_file_are_believed_instead(authority: Authority):
    assert authorities_fault(str(authority.ca_file)) == ""
    [believed] = client_context(Trust(ca_file=str(authority.ca_file))).get_ca_certs()
    assert believed["subject"] == ((("commonName", "ca"),),)


def test_a_pair_is_two_files_or_one(authority: Authority, tmp_path: Path):
    cert_file, key_file = authority.issue("client")
    both = tmp_path / "both.pem"
    both.write_bytes(key_file.read_bytes() + cert_file.read_bytes())
    assert pair_fault(str(cert_file), str(key_file)) == pair_fault(str(both), "") == ""
    client_context(Trust(cert_file=str(cert_file), key_file=str(key_file)))
    client_context(Trust(cert_file=str(both)))


def test_what_cannot_be_used_says_why_and_what_to_do(authority: Authority, tmp_path: Path):
    cert_file, key_file = map(str, authority.issue("client"))
    _, other_key_file = map(str, authority.issue("other"))
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    assert authorities_fault(str(junk)) == f"{junk} holds no certificates in PEM; convert it, or name another"
    assert authorities_fault("/nowhere") == "there is no file /nowhere; correct the path"
    assert authorities_fault(str(tmp_path)).startswith(f"cannot read {tmp_path}: ")
    assert pair_fault(cert_file, "/nowhere") == "there is no file /nowhere; correct the path"
    assert pair_fault("/nowhere", key_file) == "there is no file /nowhere; correct the path"
    assert pair_fault(str(tmp_path), "").startswith(f"cannot read {tmp_path}: ")
    assert "KEY_VALUES_MISMATCH" in pair_fault(cert_file, other_key_file)
    assert "(not PEM)" in pair_fault(str(junk), key_file)
    assert pair_fault(cert_file, "").startswith(f"{cert_file} is not a certificate and its key")


def test_an_encrypted_key_is_refused_rather_than_asked_for(authority: Authority):
    cert_file, key_file = map(str, authority.issue("client", password=b"sesame"))
    assert pair_fault(cert_file, key_file) == f"the key in {key_file} is encrypted; decrypt it with `openssl pkey`"
    with pytest.raises(ValueError, match="is encrypted"):
        client_context(Trust(cert_file=cert_file, key_file=key_file))


def test_a_digest_is_another_when_any_file_is(authority: Authority):
    files = [str(authority.ca_file), *map(str, authority.issue("client"))]
    before = digest(files)
    assert (digest(files), len(before)) == (before, 64)
    authority.issue("client")
    assert digest(files) != before
    assert digest(["", *files]) == digest(files)
    assert digest(()) == digest(("",)) == digest(("/nowhere",)) == ""
