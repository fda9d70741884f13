import pytest

from control_plane.providers import origins

PUBLIC = "http://models.example.com"


@pytest.mark.parametrize(
    "address",
    [
        "https://api.openai.com",
        "https://{resource}.openai.azure.com",
        "https://8.8.8.8:8443",
        "http://10.1.2.3:8000",
        "http://192.168.0.4",
        "http://127.0.0.1:11434",
        "http://[::1]:8000",
        "http://[fd12::7]:8000",
        "http://[::ffff:10.1.2.3]",
        "http://vllm:8000",
        "http://vllm.models.svc:8000",
        "http://vllm.models.svc.cluster.local",
        "http://inference.internal",
        "http://localhost:8000",
    ],
)
def test_a_secret_may_go_where_it_is_protected_or_private(address):
    assert origins.fault(address, secret=True) == ""


@pytest.mark.parametrize(
    "address",
    [
        PUBLIC,
        "http://8.8.8.8",
        "http://[2606:4700::1111]",
        "http://[::ffff:8.8.8.8]",
        "http://{resource}.openai.azure.com",
        "http://internal.example.com",
        "http://10.0.0.1.example.com",
    ],
)
def test_c25_cve_2024_6587_a_secret_crosses_no_public_network_in_the_clear(address):
    assert "unprotected" in origins.fault(address, secret=True)
    assert origins.fault(address, secret=False) == ""


def test_an_unchecked_certificate_protects_nothing_from_the_public_network():
    assert "tls_verify" in origins.fault("https://models.example.com", secret=True, verified=False)
    assert origins.fault("https://10.1.2.3", secret=True, verified=False) == ""


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "192.0.0.192",
        "0.0.0.0",
        "[::]",
        "224.0.0.1",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "metadata",
    ],
)
def test_c25_cve_2024_6587_what_hands_out_a_machine_s_own_credentials_is_no_upstream(host):
    for secret in (True, False):
        assert "no model's" in origins.fault(f"http://{host}", secret=secret)


@pytest.mark.parametrize("host", ["2852039166", "0xa9fea9fe", "169.16689662", "0251.0376.0251.0376", "0x7f.1"])
def test_an_address_is_written_in_one_notation(host):
    assert "another notation" in origins.fault(f"https://{host}", secret=False)
