import hashlib

import msgspec
import pytest

from gateway.contract.policy import Credential
from gateway.contract.record import Record
from gateway.faults import Refusal
from gateway.policy import PolicyView
from gateway.proxy import Proxy
from gateway.route import Origin, Plan, Route, RouteTable
from gateway.tls_files import Trust
from tests.support.stages import NOW_S, caller_of, request_of, route_of, view_of

BODY = b"{}"
UPSTREAMS = """
[credentials.ours]
secret = "sk-ours"
[upstreams.openai]
credential_id = "ours"
headers = { openai-organization = "org-1" }
[upstreams.anthropic]
credential_id = "ours"
[upstreams.gemini]
credential_id = "ours"
[upstreams.groq]
credential_id = "ours"
[upstreams.vllm-eu]
provider = "vllm"
origin = "http://vllm.example:8000"
base_path = "/deep/er"
[upstreams.azure]
credential_id = "ours"
resources = ["my-res"]
[upstreams.azure-any]
provider = "azure"
resources = ["*"]
"""
VIEW = view_of(UPSTREAMS)


def refusal(
    path: str, *lines: bytes, key: str = "", body: bytes = BODY, method: str = "", token: str = "lk-test"
) -> str:
    view = view_of(UPSTREAMS, key)
    request = request_of(path, body, *lines, method=method, token=token)
    found = RouteTable(view).route(request, caller_of(request, view))
    assert isinstance(found, Refusal)
    return found.code


@pytest.mark.parametrize(
    ("path", "origin", "target", "endpoint"),
    [
        ("/v1/chat/completions", "api.openai.com", b"/v1/chat/completions", "chat.completions"),
        ("/openai/v1/responses?a=1", "api.openai.com", b"/v1/responses?a=1", "responses"),
        ("/anthropic/v1/messages", "api.anthropic.com", b"/v1/messages", "messages"),
        ("/groq/v1/chat/completions", "api.groq.com", b"/openai/v1/chat/completions", "chat.completions"),
        ("/azure/my-res/openai/v1/embeddings", "my-res.openai.azure.com", b"/openai/v1/embeddings", "embeddings"),
    ],
)
def test_the_path_decides_where_a_request_goes(path, origin, target, endpoint):
    route = route_of(request_of(path, BODY, b"x-forwarded-host: evil", b"forwarded: host=evil"), VIEW)
    assert route.destination.origin == Origin(origin, 443, True)
    assert (route.destination.host, route.target, route.endpoint.name) == (origin.encode(), target, endpoint)


def test_a_model_in_the_path_is_read_from_it():
    azure = route_of(request_of("/azure/my-res/openai/deployments/my-gpt/chat/completions?api-version=1", BODY), VIEW)
    assert (azure.model_in_path, azure.target[-14:]) == ("my-gpt", b"?api-version=1")
    gemini = route_of(request_of("/gemini/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", BODY), VIEW)
    assert (gemini.model_in_path, gemini.endpoint.name) == ("gemini-2.5-pro", "generate_content")


def test_an_upstream_of_the_policy_is_made_ready():
    destination = route_of(
        request_of("/k/lk-test/vllm-eu/v1/models", b"", b"authorization: Bearer x", token=""), VIEW
    ).destination
    assert destination.origin == Origin("vllm.example", 8000, False)
    assert (destination.host, destination.secret, destination.signer) == (b"vllm.example:8000", b"", None)
    assert route_of(request_of("/v1/models"), VIEW).destination.extra == ((b"openai-organization", b"org-1"),)


def origin_of(fields: str) -> Origin:
    tables = '[credentials.proxy]\nsecret = "user:hunter2"\n[upstreams.openai]\norigin = "https://[2001:DB8::7]:8443"\n'
    view = view_of(tables + fields)
    line = b"authorization: Bearer own"
    return route_of(request_of("/k/lk-test/openai/v1/models", b"", line, token=""), view).destination.origin


def test_an_origin_holds_all_that_a_connection_depends_on():
    assert origin_of("") == Origin("2001:db8::7", 8443, True)
    assert origin_of("tls_verify = false\nconnect_timeout_ms = 5\nconnections_max = 6") == Origin(
        "2001:db8::7", 8443, True, Trust(verify=False), connect_timeout_ms=5, connections_max=6
    )
    assert origin_of('proxy = "direct"').direct
    proxied = origin_of('proxy = "http://proxy.example:3128"\nproxy_credential_id = "proxy"')
    assert proxied.proxy == Proxy("proxy.example", 3128, authorization=b"Basic dXNlcjpodW50ZXIy")
    assert not proxied.direct
    assert "dXNlcjpodW50ZXIy" not in repr(proxied)


@pytest.mark.parametrize(
    ("path", "line", "credential"),
    [
        ("/v1/models", b"authorization: Bearer lk-test", (b"authorization", b"Bearer sk-ours")),
        ("/anthropic/v1/models", b"x-api-key: lk-test", (b"x-api-key", b"sk-ours")),
        ("/anthropic/v1/models", b"authorization: Bearer lk-test", (b"authorization", b"Bearer sk-ours")),
        ("/gemini/v1beta/models?key=lk-test", b"x: 1", (b"x-goog-api-key", b"sk-ours")),
        ("/k/lk-test/openai/v1/models", b"x: 1", (b"authorization", b"Bearer sk-ours")),
        ("/k/lk-test/anthropic/v1/models", b"x: 1", (b"x-api-key", b"sk-ours")),
        ("/k/lk-test/azure/my-res/openai/v1/models", b"x: 1", (b"api-key", b"sk-ours")),
        ("/k/lk-test/gemini/v1beta/models?monkey=1", b"x: 1", (b"x-goog-api-key", b"sk-ours")),
        ("/k/lk-test/openai/v1/models", b"authorization: Bearer own", None),
        ("/k/lk-test/gemini/v1beta/models?key=own", b"x: 1", None),
    ],
)
def test_the_policy_s_credential_goes_into_the_caller_s_slot(path, line, credential):
    assert route_of(request_of(path, b"", line, token=""), VIEW).credential == credential


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/nowhere/v1/chat/completions", "unknown_upstream"),
        ("/openai", "endpoint_not_metered"),
        ("/", "unknown_upstream"),
        ("/v1", "unknown_upstream"),
        ("/openai/v1/videos", "endpoint_not_metered"),
        ("/openai/v1/realtime/client_secrets", "endpoint_not_metered"),
        ("/openai/v1/chat/completions/more/still", "endpoint_not_metered"),
        ("/openai/v1/ch%61t/completions", "endpoint_not_metered"),
        ("/openai/v1/assistants", "endpoint_not_metered"),
        ("/gemini/v1beta/models/g:batchGenerate", "endpoint_not_metered"),
        ("/azure", "resource_not_allowed"),
        ("/azure/other/openai/v1/embeddings", "resource_not_allowed"),
        ("/azure/my-res", "endpoint_not_metered"),
        ("/azure/my-res.evil/openai/v1/embeddings", "resource_not_allowed"),
        ("/azure-any/a.b/openai/v1/embeddings", "resource_not_allowed"),
        ("/azure-any/u:p@h/openai/v1/embeddings", "resource_not_allowed"),
        (f"/azure-any/{'a' * 64}/openai/v1/embeddings", "resource_not_allowed"),
        ("/vllm-eu/v1/chat/completions", "missing_credential"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(path, code):
    assert refusal(path) == code


def test_an_open_resource_is_the_client_s_to_choose_with_its_own_key():
    request = request_of("/k/lk-test/azure-any/theirs-1/openai/v1/models", b"", b"api-key: own", token="")
    route = route_of(request, VIEW)
    assert (route.destination.origin.host, route.credential) == ("theirs-1.openai.azure.com", None)


def test_a_method_is_part_of_an_endpoint():
    assert refusal("/v1/embeddings", body=b"") == "endpoint_not_metered"
    assert refusal("/v1/models", body=BODY) == "endpoint_not_metered"
    assert refusal("/v1/chat/completions", method="DELETE") == "endpoint_not_metered"


@pytest.mark.parametrize(
    "key",
    ['upstreams = ["anthropic"]', 'endpoints = ["models.list"]', 'upstreams = ["openai"]\nendpoints = ["responses"]'],
)
def test_a_key_goes_no_further_than_its_scope(key):
    assert refusal("/v1/chat/completions", key=key) == "key_scope"


def test_a_key_written_into_the_path_does_not_come_back():
    view = VIEW
    for path in ("/openai/lk-secret/v1/models", "/azure/lk-secret/openai/v1/models"):
        request = request_of(path)
        found = RouteTable(view).route(request, caller_of(request, view))
        assert isinstance(found, Refusal)
        assert "lk-secret" not in found.message


@pytest.mark.parametrize(
    ("target", "dialect"),
    [
        ("/v1/x", "openai"),
        ("/anthropic/v1/x", "anthropic"),
        ("/k/lk-x/anthropic/v1/x", "anthropic"),
        ("/gemini/x?y", "gemini"),
        ("/azure/x", "azure"),
        ("/nowhere/x", "openai"),
        ("/", "openai"),
        ("/ollama/v1/chat/completions", "openai"),
        ("/ollama/api/chat", "ollama"),
        ("/deepseek/anthropic/v1/messages", "anthropic"),
        ("/vertex/v1/projects/p/locations/l/publishers/anthropic/models/c:rawPredict", "anthropic"),
        ("/bedrock/model/m/converse", "bedrock"),
    ],
)
def test_errors_take_the_shape_of_the_path_s_operation_else_of_its_provider(target, dialect):
    assert RouteTable(VIEW).dialect(request_of(target, BODY)) == dialect


@pytest.mark.parametrize(
    ("projects", "fields", "code"),
    [
        ("web", "", None),
        ("shop", "", "shared_credential"),
        ("shop", "lists_shared = true", None),
    ],
)
def test_what_every_project_on_a_credential_has_stored_is_listed_to_none_of_them(projects, fields, code):
    other = f'[projects.shop]\n[[keys]]\nid = "other"\nproject_id = "{projects}"\nsha256 = "{"1" * 64}"\n'
    view = view_of(f'{other}[credentials.openai]\nsecret = "sk-ours"\n[upstreams.openai]\n{fields}\n')
    request = request_of("/v1/batches")
    routed = RouteTable(view).route(request, caller_of(request, view))
    assert (routed.code if isinstance(routed, Refusal) else None) == code
    own = request_of("/k/lk-test/openai/v1/batches", b"", b"authorization: Bearer own", token="")
    assert isinstance(RouteTable(view).route(own, caller_of(own, view)), Route)


@pytest.mark.parametrize("path", ["/groq/v1/chat/completions", "/groq/openai/v1/chat/completions"])
def test_a_path_in_front_may_be_sent_or_left_out(path):
    view = view_of('[credentials.groq]\nsecret = "gsk"')
    assert route_of(request_of(path, BODY), view).target == b"/openai/v1/chat/completions"


AWS = (
    b"authorization: AWS4-HMAC-SHA256 Credential=%b/20270115/us-east-1/bedrock/aws4_request,"
    b" SignedHeaders=host, Signature=0"
)


@pytest.mark.parametrize(
    ("secret", "path", "line", "credential"),
    [
        ("AKIA:key:token", "/bedrock", AWS % b"lk-test", ("AKIA", "token", "eu-west-1")),
        ("AKIA:key", "/k/lk-test/bedrock", AWS % b"theirs", ("AKIA", None, "eu-west-1")),
        ("ABSKbearer", "/k/lk-test/bedrock", AWS % b"theirs", (b"authorization", b"Bearer ABSKbearer")),
        ("ABSKbearer", "/bedrock", b"authorization: Bearer lk-test", (b"authorization", b"Bearer ABSKbearer")),
        ("AKIA:key", "/k/lk-test/bedrock", b"authorization: Bearer ABSKown", None),
    ],
)
def test_bedrock_is_signed_for_or_given_a_key(secret, path, line, credential):
    view = view_of(f'[credentials.bedrock]\nsecret = "{secret}"\n[upstreams.bedrock]\nregion = "eu-west-1"')
    request = request_of(path + "/model/amazon.nova-micro-v1%3A0/converse", BODY, line, token="")
    route = route_of(request, view)
    signer = route.signer
    assert route.destination.host == b"bedrock-runtime.eu-west-1.amazonaws.com"
    assert route.model_in_path == "amazon.nova-micro-v1:0"
    assert (signer and (signer.access_key_id, signer.session_token, signer.region)) or route.credential == credential
    assert signer is None or (signer.access_key_id, signer.session_token, signer.region) == credential
    assert "key" not in repr(signer).replace("access_key_id", "")


def test_a_signature_made_for_the_gateway_is_of_no_use_to_the_provider():
    request = request_of("/k/lk-test/bedrock/model/m/converse", BODY, AWS % b"theirs", token="")
    view = view_of()
    routed = RouteTable(view).route(request, caller_of(request, view))
    assert isinstance(routed, Refusal)
    assert routed.code == "missing_credential"


def test_a_plan_holds_under_its_own_policy_until_its_key_expires():
    view = view_of(UPSTREAMS, "expires_at = 2027-01-15T08:00:01Z")
    request = request_of("/v1/models")
    plan = Plan(view, "openai", caller_of(request, view), route_of(request, view), {}, Record(request_id="", ts_ns=0))
    assert plan.holds(view, NOW_S)
    assert not plan.holds(view, NOW_S + 1)
    assert not plan.holds(VIEW, NOW_S)
    assert msgspec.structs.replace(plan, caller=caller_of(request, VIEW), view=VIEW).holds(VIEW, NOW_S + 1)


ORGS = f"""
[projects.shop]
org_id = "acme"
[[keys]]
id = "shop"
project_id = "shop"
sha256 = "{hashlib.sha256(b"lk-shop").hexdigest()}"
[credentials.ours]
secret = "sk-ours"
[credentials.theirs]
secret = "sk-theirs"
[upstreams.openai]
credential_id = "ours"
[upstreams.private]
provider = "anthropic"
origin = "https://private.example"
credential_id = "theirs"
org_id = "acme"
"""


def test_an_organizations_upstream_is_found_by_its_own_keys_alone():
    view = view_of(ORGS)
    own = request_of("/private/v1/messages", BODY, token="lk-shop")
    strange = request_of("/private/v1/messages", BODY)
    table = RouteTable(view)
    route = table.route(own, caller_of(own, view))
    assert isinstance(route, Route)
    assert (route.destination.origin.host, route.destination.secret) == ("private.example", b"sk-theirs")
    refused = table.route(strange, caller_of(strange, view))
    assert isinstance(refused, Refusal)
    assert (refused.code, "private" in refused.message) == ("unknown_upstream", False)
    assert (table.dialect(strange), table.dialect(own, "acme")) == ("openai", "anthropic")


def test_an_organizations_upstream_stands_before_everybodys_of_that_name():
    policy = view_of(ORGS).policy
    [openai] = (row for row in policy.upstreams if row.name == "openai")
    own = msgspec.structs.replace(openai, origin="https://own.example", credential_id="theirs", org_id="acme")
    view = PolicyView(msgspec.structs.replace(policy, upstreams=(own, *policy.upstreams)))
    table = RouteTable(view)
    found = {}
    for token in ("lk-shop", "lk-test", "lk-shop"):
        request = request_of("/v1/chat/completions", BODY, token=token)
        route = table.route(request, caller_of(request, view))
        assert isinstance(route, Route)
        found[token] = route.destination.origin.host, route.destination.secret
    assert found == {"lk-shop": ("own.example", b"sk-theirs"), "lk-test": ("api.openai.com", b"sk-ours")}


def test_a_credential_is_shared_by_the_projects_that_are_served_with_it_now():
    view = view_of(ORGS)
    own = next(row for row in view.policy.upstreams if row.name == "private")
    openai = view.upstreams["openai"]
    assert (view.serves_several(openai), view.serves_several(own)) == (True, False)
    shop = next(key for key in view.policy.keys if key.id == "shop")
    view.callers.drop(shop)
    assert not view.serves_several(openai)
    view.callers.add(msgspec.structs.replace(shop, upstreams=("private",)))
    assert not view.serves_several(openai)


def test_what_is_ready_stays_ready_while_no_upstream_and_no_secret_changes():
    view = view_of(ORGS)
    table = RouteTable(view)
    request = request_of("/v1/chat/completions", BODY)
    before = table.route(request, caller_of(request, view))
    assert isinstance(before, Route)
    same = PolicyView(view.policy, view.callers, view)
    after = table.following(same).route(request, caller_of(request, same))
    assert isinstance(after, Route)
    assert after.destination is before.destination
    changed = PolicyView(msgspec.structs.replace(view.policy, credentials=(Credential("ours", "sk-new"),)))
    renewed = table.following(changed).route(request, caller_of(request, changed))
    assert isinstance(renewed, Route)
    assert renewed.destination.secret == b"sk-new"
