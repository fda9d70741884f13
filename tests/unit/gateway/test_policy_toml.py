import re
from pathlib import Path

import msgspec
import pytest

from gateway.contract.policy import Key, Policy, PriceOverride, Project, Upstream
from gateway.policy_toml import PolicyError, compile_policy
from gateway.providers import PROVIDERS
from tests.support.certificates import Authority


def compiled(text: str = "", **environ: str) -> Policy:
    return compile_policy(text, environ, source="lensai.toml")


def problems(text: str, **environ: str) -> tuple[str, ...]:
    with pytest.raises(PolicyError) as raised:
        compiled(text, **environ)
    assert str(raised.value) == "\n".join(raised.value.problems)
    return raised.value.problems


def upstream(policy: Policy, name: str) -> Upstream:
    return next(row for row in policy.upstreams if row.name == name)


def secrets(policy: Policy) -> dict[str, str]:
    return {credential.id: credential.secret for credential in policy.credentials}


def test_nothing_at_all_is_every_provider_without_a_credential_and_no_keys():
    policy = compiled()
    assert {row.name for row in policy.upstreams} == PROVIDERS.keys() - {"openai-compatible"}
    assert not any(row.credential_id for row in policy.upstreams)
    assert upstream(policy, "azure").resources == ("*",)
    assert (policy.source, policy.version, policy.keys, policy.credentials) == ("lensai.toml", 0, (), ())


def test_a_key_in_the_environment_is_the_credential_of_its_provider():
    policy = compiled(OPENAI_API_KEY="sk-1\n", ANTHROPIC_API_KEY="")
    assert (upstream(policy, "openai").credential_id, secrets(policy)) == ("openai", {"openai": "sk-1"})
    assert upstream(policy, "anthropic").credential_id == ""


def test_a_key_in_the_environment_goes_to_the_providers_own_origin_alone():
    text = '[upstreams.openai]\norigin = "http://127.0.0.1:9"\n[upstreams.eu]\nprovider = "openai"\n'
    policy = compiled(text, OPENAI_API_KEY="sk-1")
    assert upstream(policy, "openai").credential_id == ""
    assert upstream(policy, "eu").credential_id == "openai"


def test_a_key_of_azure_in_the_environment_waits_for_the_resources_it_belongs_to():
    policy = compiled(AZURE_OPENAI_API_KEY="az")
    assert (upstream(policy, "azure").credential_id, upstream(policy, "azure").resources) == ("", ("*",))
    policy = compiled('[upstreams.azure]\nresources = ["acme"]\n', AZURE_OPENAI_API_KEY="az")
    assert (upstream(policy, "azure").credential_id, upstream(policy, "azure").resources) == ("azure", ("acme",))


def test_a_credential_of_the_file_comes_before_the_environment(tmp_path: Path):
    (tmp_path / "groq.key").write_text("from-file\n")
    text = """
        [credentials.openai]
        secret = "literal"
        [credentials.groq]
        file = "groq.key"
        [credentials.mistral]
        env = "MY_MISTRAL"
    """
    environ = {"OPENAI_API_KEY": "ignored", "MY_MISTRAL": "from-environment"}
    policy = compile_policy(text, environ, source="x", directory=tmp_path)
    assert secrets(policy) == {"openai": "literal", "groq": "from-file", "mistral": "from-environment"}
    assert [upstream(policy, name).credential_id for name in secrets(policy)] == ["openai", "groq", "mistral"]


def test_an_upstream_takes_what_it_does_not_say_from_its_provider():
    text = """
        [upstreams.groq]
        models = { fast = "llama-3.1-8b-instant" }
        [upstreams.vllm-eu]
        origin = "https://vllm.example"
        tls_verify = false
        headers = { X-Team = "blue" }
        total_timeout_ms = 5
    """
    policy = compiled(text)
    assert upstream(policy, "groq") == Upstream(
        "groq", "groq", "https://api.groq.com", "/openai", models={"fast": "llama-3.1-8b-instant"}
    )
    assert upstream(policy, "vllm-eu") == Upstream(
        "vllm-eu", "openai-compatible", "https://vllm.example", tls_verify=False, headers=(("X-Team", "blue"),),
        total_timeout_ms=5,
    )  # fmt: skip


def test_an_empty_credential_id_means_none():
    assert (
        upstream(compiled('[upstreams.openai]\ncredential_id = ""\n', OPENAI_API_KEY="sk"), "openai").credential_id
        == ""
    )


def test_a_certificate_file_stands_beside_the_policy(tmp_path: Path):
    text = '[upstreams.vllm]\nca_file = "ca.pem"\n'
    with pytest.raises(PolicyError, match=r"line 2: upstreams\.vllm\.ca_file: there is no file /.*/ca\.pem"):
        compile_policy(text, {}, source="x", directory=tmp_path)
    authority = Authority(tmp_path)
    policy = compile_policy(text, {}, source="x", directory=tmp_path)
    assert upstream(policy, "vllm").ca_file == str(authority.ca_file)


MUTUAL = """
[upstreams.vllm]
origin = "https://vllm.example"
ca_file = "ca.pem"
client_cert_file = "client.cert.pem"
client_key_file = "client.key.pem"
"""


def test_a_renewed_certificate_is_a_changed_policy(tmp_path: Path):
    authority = Authority(tmp_path)
    authority.issue("client")
    before, again = (compile_policy(MUTUAL, {}, source="x", directory=tmp_path) for _ in range(2))
    assert (before == again, len(upstream(before, "vllm").files_sha256)) == (True, 64)
    authority.issue("client")
    assert compile_policy(MUTUAL, {}, source="x", directory=tmp_path) != before
    assert upstream(before, "openai").files_sha256 == ""


def test_certificates_that_cannot_be_used_refuse_the_policy_with_their_line(tmp_path: Path):
    def said() -> str:
        with pytest.raises(PolicyError) as raised:
            compile_policy(MUTUAL, {}, source="x", directory=tmp_path)
        (problem,) = raised.value.problems
        return problem

    authority = Authority(tmp_path)
    authority.issue("client", password=b"sesame")
    assert re.match(r"x line 5: upstreams\.vllm\.client_cert_file: the key in .* is encrypted", said())
    authority.issue("client")[0].write_text("no certificate")
    assert re.match(r"x line 5: upstreams\.vllm\.client_cert_file: .* not a certificate and its key", said())
    authority.issue("client")[1].unlink()
    assert re.match(r"x line 5: upstreams\.vllm\.client_cert_file: there is no file /.*/client\.key\.pem", said())
    authority.issue("client")
    authority.ca_file.write_text("no certificate")
    assert re.match(r"x line 4: upstreams\.vllm\.ca_file: .* holds no certificates", said())


def test_a_proxy_has_its_credential_where_credentials_are():
    text = """
        [credentials.corporate]
        env = "PROXY"
        [upstreams.openai]
        proxy = "http://proxy.example:3128"
        proxy_credential_id = "corporate"
        connections_max = 7
    """
    policy = compiled(text, PROXY="user:hunter2")
    found = upstream(policy, "openai")
    assert (found.proxy, found.proxy_credential_id, found.connections_max) == (
        "http://proxy.example:3128",
        "corporate",
        7,
    )
    assert secrets(policy) == {"corporate": "user:hunter2"}
    assert "hunter2" not in repr(policy)
    assert "hunter2" not in problems(text, PROXY="hunter2")[0]
    # A secret that could not be read is one problem, not two.
    assert len(problems(text)) == 1


def test_keys_and_projects_are_those_of_the_contract():
    digest = "ab" * 32
    text = f"""
        [projects.web]
        name = "The web"
        [[keys]]
        id = "alice"
        project_id = "web"
        sha256 = "{digest}"
        expires_at = 2027-01-01T01:00:00+01:00
        tags = ["a", "b"]
        mode = "transparent"
    """
    policy = compiled(text)
    assert policy.projects == (Project("web", "The web"),)
    assert policy.keys == (
        Key("alice", "web", digest, expires_at_s=1798761600, tags=("a", "b"), mode="transparent"),
    )  # fmt: skip


def test_prices_are_read_exactly():
    text = """
        [[price_overrides]]
        upstream = "*"
        model = "m"
        rates = { input_text = 0.1, output_text = "0.30", cache_read_text = 2, input_audio = 1e-7 }
        starts_at = 2026-01-01T00:00:00Z
        [[price_overrides]]
        upstream = "groq"
        model = "*"
        multiplier = 0.85
    """
    rates = {"input_text": "0.1", "output_text": "0.30", "cache_read_text": "2", "input_audio": "0.0000001"}
    assert compiled(text).price_overrides == (
        PriceOverride("*", "m", rates, starts_at_s=1767225600),
        PriceOverride("groq", "*", multiplier="0.85"),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[projects.a]\nname = \n", "lensai.toml: not TOML: Invalid value (at line 2, column 8)"),
        ("\n[budgets]\n", "lensai.toml line 2: budgets: no such table; use one of settings, projects"),
        ("projects = 1\n", "lensai.toml line 1: projects: must be tables; write [projects.<name>]"),
        ("[projects]\nweb = 1\n", "lensai.toml line 2: projects.web: must be a table; write [projects.web]"),
        ("[keys]\n", "lensai.toml line 1: keys: must be a list of tables; write [[keys]]"),
        ("keys = [1]\n", "lensai.toml line 1: keys[0]: must be a table; write [[keys]]"),
        ("[projects.a]\nnam = 1\n", "lensai.toml line 2: projects.a.nam: no such field; the nearest is name"),
        ("[projects.a]\nid = 'b'\n", "lensai.toml line 2: projects.a.id: no such field; there are name, org_id"),
        ("[projects.a]\nname = 1\n", "lensai.toml line 2: projects.a.name: Expected `str`, got `int`"),
        ("[upstreams.x]\n", "lensai.toml line 1: upstreams.x.origin: '' is not scheme://host[:port]"),
        ("[upstreams.x]\nprovider = 1\n", "lensai.toml line 1: upstreams.x.origin: is missing; add it"),
        ("[credentials.a]\nenv = 'NOPE'\n", "lensai.toml line 2: credentials.a.env: the environment has no NOPE;"),
        (
            "[credentials.a]\nfile = '/no/file'\n",
            "lensai.toml line 2: credentials.a.file: cannot read /no/file: No such",
        ),
        (
            "[upstreams.a]\norigin='http://a'\nfiles_sha256='x'\n",
            "lensai.toml line 3: upstreams.a.files_sha256: no such",
        ),
        ("[upstreams.openai]\nproxy='http://u:p@a:1'\n", "lensai.toml line 2: upstreams.openai.proxy: a credential in"),
        ("[upstreams.openai]\nconnections_max=0\n", "lensai.toml line 2: upstreams.openai.connections_max: 0 lets"),
        ("[credentials.a]\n", "lensai.toml line 1: credentials.a: needs exactly one of env, file and secret"),
        (
            "[credentials.a]\nsecret='x'\nurl='y'\n",
            "lensai.toml line 3: credentials.a.url: no such field; there are env, file, secret",
        ),
        ("[credentials.a]\nsecret = 'a b'\n", "lensai.toml line 2: credentials.a.secret: empty, or holds characters"),
        (
            "[[price_overrides]]\nupstream='*'\nmodel='m'\nmultiplier=true\n",
            "lensai.toml line 4: price_overrides[0].multiplier: Expected `str`, got `bool`",
        ),
    ],
)
def test_a_problem_names_line_place_and_fix(text: str, problem: str):
    assert problems(text)[0].startswith(problem)


KEYS = """
[projects.web]
[[keys]]
id = "alice"
project_id = "web"
sha256 = "lk-pasted-token"
[[keys]]
id = "alice"
mode = "fast"
expires_at = "2027-01-01"
[[keys]]
id = "carol"
expires_at = 2027-01-01T00:00:00
project_id = "wbe"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
"""


def test_every_problem_is_reported_in_the_order_of_the_lines():
    assert problems(KEYS) == (
        "lensai.toml line 6: keys[0].sha256: not 64 lower-case hexadecimal digits; `lensai keys create` writes it",
        "lensai.toml line 7: keys[1].project_id: is missing; add it",
        "lensai.toml line 7: keys[1].sha256: is missing; add it",
        "lensai.toml line 8: keys[1].id: another key has the same; keep one",
        "lensai.toml line 9: keys[1].mode: must be one of transparent, metered, guaranteed",
        "lensai.toml line 10: keys[1].expires_at: must be a time with its zone, unquoted, such as 2027-01-31T00:00:00Z",
        "lensai.toml line 13: keys[2].expires_at: must be a time with its zone, unquoted, such as 2027-01-31T00:00:00Z",
        "lensai.toml line 14: keys[2].project_id: there is no 'wbe' in projects; add it, or use one of web",
    )


def test_two_problems_of_one_place_are_both_reported():
    text = '[upstreams.x]\norigin = "https://x"\nheaders = { Host = "x", Upgrade = "y" }\n'
    assert [line.split(": ")[1] for line in problems(text)] == ["upstreams.x.headers"] * 2


def test_secrets_are_in_no_problem():
    text = (
        '[credentials.a]\nsecret = "canary value"\n[credentials.b]\nenv = "B"\n[credentials.c]\nsecret = ["canary"]\n'
    )
    assert "canary" not in "\n".join(problems(text, B="canary\0"))


DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "reference/policy.md").read_text()


@pytest.mark.parametrize("kind", [Project, Key, Upstream, PriceOverride])
def test_every_field_is_documented_under_its_table(kind: type[msgspec.Struct]):
    table = {Project: "projects", Key: "keys", Upstream: "upstreams", PriceOverride: "price_overrides"}[kind]
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (about,) = [text for text in section if text.startswith(("`[" + table, "`[[" + table))]
    # What is the name of a table is not a field in it, nor what is found in files; a time is spelled without its unit.
    unwritten = {"projects": {"id"}, "upstreams": {"name", "files_sha256"}}.get(table, set())
    fields = {field.removesuffix("_s") if field.endswith("_at_s") else field for field in kind.__struct_fields__}
    assert set(re.findall(r"^\| `(\w+)`", about, re.MULTILINE)) == fields - unwritten


@pytest.mark.parametrize(("page", "examples_min"), [("reference/policy.md", 5), ("guides/upstreams.md", 5)])
def test_every_example_of_the_page_is_a_good_policy(tmp_path: Path, page: str, examples_min: int):
    (tmp_path / "vllm-eu.key").write_text("secret")
    Authority(tmp_path, "corp-ca").issue("gateway")
    Authority(tmp_path)
    examples = re.findall(r"^```toml\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) >= examples_min
    environ = {"AZURE_OPENAI_API_KEY": "az", "OPENAI_KEY_OF_TEAM": "sk", "PROXY_CREDENTIAL": "user:password"}
    assert compile_policy("\n".join(examples), environ, source=page, directory=tmp_path).upstreams
