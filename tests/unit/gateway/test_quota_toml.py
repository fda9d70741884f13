import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.contract.policy import KillSwitch, Quota, QuotaOverride
from gateway.policy_toml import PolicyError, compile_policy, read_limits
from gateway.quota_toml import limit_faults, read_limit, read_limit_usd, read_scope, read_usd

TEXT = """
[projects.acme]

[[quotas]]
id = "users"
unit = "usd"
limit_usd = "0.50"
window = "day"
scope = { project = "acme", user = "*" }
thresholds = [50, 100]
time_zone = "Europe/Berlin"
values_max = 500
ceiling_usd = 0.05
answers_429 = true

[[quotas]]
id = "at-once"
unit = "concurrent"
limit = 8

[[quota_overrides]]
quota = "users"
until = 2027-01-01T00:00:00Z
limit_usd = 2

[[kill_switches]]
id = "stop"
scope = { project = "acme" }
reason = "budget review"
allow = ["models"]
"""


DOCS = Path(__file__).parents[3] / "docs"
EXAMPLE_CALLERS = f"""
[projects.web]
[[keys]]
id = "key-1a2b3c4d"
project_id = "web"
sha256 = "{"0" * 64}"
"""


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyError) as raised:
        compile_policy("[projects.acme]\n" + text, {}, source="x")
    return list(raised.value.problems)


def test_limits_are_read_as_they_are_written():
    policy = compile_policy(TEXT, {}, source="x")
    assert policy.quotas == (
        Quota(
            "users", "usd", 500_000_000, "day", {"project": "acme", "user": "*"}, thresholds=(50, 100),
            time_zone="Europe/Berlin", values_max=500, ceiling=50_000_000, answers_429=True,
        ),
        Quota("at-once", "concurrent", 8, "total"),
    )  # fmt: skip
    assert policy.quota_overrides == (QuotaOverride("users", 1798761600, 2 * 10**9),)
    assert policy.kill_switches == (KillSwitch("stop", {"project": "acme"}, "budget review", ("models",)),)


def test_limits_alone_are_read_without_secrets():
    text = TEXT + '[credentials.openai]\nenv = "NOT_SET"\n[upstreams.own]\norigin = "nonsense"\n'
    limits = read_limits(text, source="x")
    assert limits.quotas == compile_policy(TEXT, {}, source="x").quotas
    assert "own" in [upstream.name for upstream in limits.upstreams]
    with pytest.raises(PolicyError, match=r"x line 18: quotas\[1\]\.unit: must be one of usd"):
        read_limits(TEXT.replace('"concurrent"', '"calls"'), source="x")


@pytest.mark.parametrize(
    ("written", "nanousd"),
    [
        (25, 25 * 10**9), (Decimal("0.50"), 500_000_000), ("0.50", 500_000_000), ("0.000000001", 1), (0, 0), ("0", 0),
        (9_007_199, 9_007_199 * 10**9), (Decimal("1E+3"), 10**12), (Decimal("0.1"), 100_000_000),
    ],
)  # fmt: skip
def test_money_is_exact(written: object, nanousd: int):
    assert read_usd(written) == read_limit_usd(written) == nanousd


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (-1, "use 0 to refuse"), (Decimal("-0.5"), "use 0 to refuse"), (Decimal("NaN"), "NaN is no amount"),
        (Decimal("Infinity"), "no amount"), (10**18, "over 9007199 USD"), (Decimal("1E+999999999"), "over 9007199 USD"),
        (Decimal("1E-10"), "nine decimals"), (Decimal("1E-999999999"), "nine decimals"), ("0.0000000001", "nine"),
        (True, "must be an amount"), ("", "must be an amount"), ("-1", "must be an amount"), ("$1", "must be"),
        ("1e3", "must be"), ("1_000", "must be"), ("٣", "must be"), ("NaN", "must be"),
        ([1], "must be"), ({}, "must be"),
    ],
)  # fmt: skip
def test_what_is_no_amount_of_money_is_refused_with_the_way_to_write_one(written: object, said: str):
    with pytest.raises(ValueError, match=said):
        read_usd(written)


def test_only_a_word_is_unlimited():
    assert read_limit("unlimited") is None
    assert read_limit_usd("unlimited") is None
    assert read_limit(0) == 0
    with pytest.raises(ValueError, match="for a limit"):
        read_usd("unlimited")


@pytest.mark.parametrize("written", [True, 1.5, Decimal("1.0"), "100", "", None, [1], Decimal("NaN")])
def test_a_count_is_a_whole_number(written: object):
    with pytest.raises(ValueError, match='must be a whole number such as 100, or "unlimited"'):
        read_limit(written)


@pytest.mark.parametrize(
    ("scope", "said"),
    [({"projet": "a"}, "no dimension 'projet'"), ({"user": 3}, "user must be a text"), ("user", "must be a table")],
)
def test_a_scope_is_a_table_of_dimensions(scope: object, said: str):
    with pytest.raises(ValueError, match=said):
        read_scope(scope)
    assert read_scope({"user": "*"}) == {"user": "*"}


@pytest.mark.parametrize(
    ("table", "unit", "field"),
    [
        ({"limit": 1}, "usd", "limit"), ({"limit_usd": 1}, "tokens", "limit_usd"),
        ({"limit": 1, "limit_usd": 1}, "usd", "limit"), ({"limit": "unlimited", "limit_usd": 1}, "usd", "limit"),
        ({"limit": "unlimited"}, "usd", None), ({"limit_usd": 1}, "usd", None), ({"limit": 1}, "requests", None),
        ({}, "usd", None),
    ],
)  # fmt: skip
def test_a_limit_is_written_in_its_unit(table: dict[str, Any], unit: str, field: str | None):
    assert [wrong for wrong, _ in limit_faults(table, unit)] == ([field] if field else [])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("unit = 'usd'", "x line 2: quotas[0].limit_usd: is missing; write limit_usd = 25"),
        ("unit = 'usd'\nlimit_usd = -1", "x line 5: quotas[0].limit_usd: -1 is negative; use 0"),
        ("unit = 'usd'\nlimit_usd = nan", "x line 5: quotas[0].limit_usd: NaN is no amount"),
        ("unit = 'usd'\nlimit_usd = -inf", "x line 5: quotas[0].limit_usd: -Infinity is no amount"),
        ("unit = 'usd'\nlimit_usd = true", "x line 5: quotas[0].limit_usd: must be an amount of USD"),
        ("unit = 'usd'\nlimit_usd = 1e18", "x line 5: quotas[0].limit_usd: 1e+18 is over 9007199 USD"),
        ("unit = 'usd'\nlimit = 4", "x line 5: quotas[0].limit: counts, and the quota is of usd; write limit_usd"),
        ("unit = 'tokens'\nlimit_usd = 4", "x line 5: quotas[0].limit_usd: is money, and the quota is of tokens"),
        ("unit = 'tokens'\nlimit = -4", "x line 5: quotas[0].limit: is negative"),
        ("unit = 'usd'\nlimit_usd = 1\nceiling_usd = 0", "x line 6: quotas[0].ceiling_usd: would hold nothing"),
        ("unit = 'usd'\nlimit_usd = 1\nlimits = 0", "x line 6: quotas[0].limits: no such field; the nearest is limit"),
        ("unit = 'cent'\nlimit_usd = 1", "x line 4: quotas[0].unit: must be one of usd"),
        ("unit = 'requests'\nlimit = 1\nwindow = 'year'", "x line 6: quotas[0].window: must be one of minute"),
        (
            "unit = 'requests'\nlimit = 1\nscope = {project = 'b'}",
            "x line 6: quotas[0].scope: project: there is no 'b'",
        ),
    ],
)
def test_a_mistake_is_told_alone_with_its_line_and_its_cure(row: str, said: str):
    (problem,) = problems(f"[[quotas]]\nid = 'q'\n{row}\n")
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("quota = 'nope'\nuntil = 2027-01-01T00:00:00Z", "x line 7: quota_overrides[0].quota: there is no 'nope'"),
        ("quota = 'q'\nuntil = 2027-01-01", "x line 8: quota_overrides[0].until: must be a time with its zone"),
        ("quota = 'q'", "x line 6: quota_overrides[0].until: is missing; add it"),
        ("quota = 'q'\nuntil = 2027-01-01T00:00:00Z\nlimit = 3", "x line 9: quota_overrides[0].limit: counts, and the"),
        ("quota = 'q'\nuntil = 2027-01-01T00:00:00Z\nlimit_usd = -3", "x line 9: quota_overrides[0].limit_usd: -3 is"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_override_is_told_too(row: str, said: str):
    (problem,) = problems(f"[[quotas]]\nid = 'q'\nunit = 'usd'\nlimit_usd = 1\n[[quota_overrides]]\n{row}\n")
    assert problem.startswith(said)


def test_a_rule_that_is_broken_names_the_field_as_it_is_written():
    (problem,) = problems(f"[[quotas]]\nid = 'q'\nunit = 'tokens'\nlimit = {2**53 + 1}\nceiling_usd = 1\n"[:-16])
    assert problem.startswith("x line 5: quotas[0].limit: is over 9007199254740992")


@pytest.mark.parametrize("page", ["guides/budgets.md", "reference/policy.md"])
def test_the_examples_of_the_documentation_are_served_as_they_stand(page: str):
    examples = re.findall(r"^```toml\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    limits = "\n".join(text for text in examples if text.startswith(("[[quota", "[[kill")))
    policy = compile_policy(EXAMPLE_CALLERS + limits, {}, source=page)
    assert len(policy.quotas) == limits.count("[[quotas]]") > 0
