import io
import json
from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError

import pytest
from prometheus_client import CollectorRegistry

from gateway.admin import start_admin
from gateway.budgets_page import budgets_page
from gateway.cli.budgets import fetch, run_budgets, urls
from gateway.cli.policy_edit import EditError
from gateway.contract.policy import Policy, Quota, QuotaOverride
from gateway.ledger.base import Balance
from gateway.policy_toml import read_limits
from gateway.settings import Settings

NOW_S = 1_800_000_000  # 2027-01-15T08:00:00Z
USD = 10**9
POLICY = Policy(
    quotas=(
        Quota("web", "usd", 1_500 * USD, scope={"project": "web"}),
        Quota("users", "tokens", None, "day", {"user": "*"}),
        Quota("at-once", "concurrent", 8, "total"),
    )
)
TEXT = """\
[[quotas]]
id = "web"
unit = "usd"
limit_usd = 5
[[quotas]]
id = "fast"
unit = "requests"
limit = 5
window = "minute"
"""


PAGES = {
    "http://127.0.0.1:9464/budgets": budgets_page(
        POLICY,
        {"web@2027-01": Balance(1_250_000_001_000, USD), "users@2027-01-15|user=zoe\x1b[31m": Balance(1234)},
        NOW_S,
    ),
    "http://127.0.0.1:9465/budgets": budgets_page(
        POLICY, {"web@2027-01": Balance(USD, 0, 3 * USD), "at-once@now": Balance(0, 3)}, NOW_S
    ),
}


class Command:
    """What `lensai budgets …` did; `pages` are what the workers' listeners show, by URL."""

    def __init__(self, config: Path, *words: str, pages: Mapping[str, bytes] = PAGES, workers: int = 1) -> None:
        output, errors = io.StringIO(), io.StringIO()
        settings = Settings(admin_port=9464, workers=workers)
        self._pages = pages
        self.code = run_budgets(words, settings, config, NOW_S, output=output, errors=errors, get=self._get)
        self.output, self.errors = output.getvalue(), errors.getvalue()

    def _get(self, url: str) -> bytes:
        if url not in self._pages:
            raise URLError("connection refused")
        return self._pages[url]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "lensai.toml"
    path.write_text(TEXT)
    return path


def test_the_state_of_every_quota_is_a_table(config: Path):
    command = Command(config)
    assert (command.code, command.errors) == (0, "")
    assert command.output == (
        "QUOTA    SCOPE          WINDOW  DOES    LIMIT              SPENT          HELD      LEASED  RESETS IN\n"
        "web      project=web    month   blocks  $1,500.00          $1,250.000001  $1.00     –       16d 16h\n"
        "users    user=zoe\ufffd[31m  day     counts  –                  1,234 tokens   0 tokens  –       16h 0m\n"
        "at-once  everything     total   blocks  8 calls at a time  –              –         –       never\n"
    )


def test_what_several_workers_tell_is_added_up(config: Path):
    rows = json.loads(Command(config, "--json", workers=2).output)["counters"]
    web = next(row for row in rows if row["quota"] == "web")
    assert (web["spent"], web["held"], web["leased"]) == ("1251.000001000", "1.000000000", "3.000000000")
    at_once = next(row for row in rows if row["quota"] == "at-once")
    assert (at_once["spent"], at_once["held"]) == (0, 3)
    assert [row["scope"] for row in rows if row["quota"] == "users"] == [{"user": "zoe\x1b[31m"}, {"user": "*"}]


def test_a_gateway_that_does_not_run_is_told(config: Path):
    command = Command(config, pages={})
    assert (command.code, command.output) == (1, "")
    assert "cannot ask the gateway at 127.0.0.1:9464" in command.errors
    assert "connection refused" in command.errors


def test_another_page_than_this_version_s_is_told(config: Path):
    odd = Command(config, pages={"http://127.0.0.1:9464/budgets": b"<html>"})
    assert (odd.code, "not a gateway of this version" in odd.errors) == (1, True)


def test_a_real_listener_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    pages = {"/budgets": lambda: b'{"at":"2027-01-15T08:00:00Z","counters":[]}'}
    listener = start_admin("127.0.0.1", 0, registry=CollectorRegistry(), health=dict, ready=dict, pages=pages)
    try:
        assert json.loads(fetch(f"http://127.0.0.1:{listener.port}/budgets"))["counters"] == []
    finally:
        listener.close()


def test_where_to_ask_is_what_the_settings_say():
    assert urls(Settings(admin_host="::", admin_port=7, workers=2)) == [
        "http://[::1]:7/budgets",
        "http://[::1]:8/budgets",
    ]
    assert urls(Settings(admin_host="0.0.0.0", admin_port=7)) == ["http://127.0.0.1:7/budgets"]
    with pytest.raises(EditError, match="admin_port is 0"):
        urls(Settings(admin_port=0))


def overrides(config: Path) -> tuple[QuotaOverride, ...]:
    return read_limits(config.read_text(), source="x").quota_overrides


def test_minutes_of_grace_lift_the_limit_or_give_another(config: Path):
    command = Command(config, "override", "web", "--minutes", "30")
    assert (command.code, command.errors) == (0, "web has the limit unlimited until 2027-01-15 08:30:00 UTC\n")
    assert overrides(config) == (QuotaOverride("web", NOW_S + 1800),)
    assert Command(config, "override", "fast", "--minutes", "1", "--limit", "9").code == 0
    assert Command(config, "override", "web", "--minutes", "60", "--limit", "7.50").code == 0
    assert overrides(config) == (
        QuotaOverride("fast", NOW_S + 60, 9), QuotaOverride("web", NOW_S + 3600, 7_500_000_000),
    )  # fmt: skip
    assert config.read_text().startswith(TEXT)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nope", "--minutes", "1"), "there is no quota 'nope' in"),
        (("bud_01", "--minutes", "1"), "one of a control plane is overridden there"),
        (("web", "--minutes", "1", "--limit", "-1"), "must be an amount of USD"),
        (("web", "--minutes", "1", "--limit", "1e9"), "must be an amount of USD"),
        (("fast", "--minutes", "1", "--limit", "1.5"), "must be a whole number"),
        (("fast", "--minutes", "1", "--limit", "9" * 19), "counted exactly"),
    ],
)
def test_an_override_that_cannot_be_is_told_and_not_written(config: Path, words: tuple[str, ...], said: str):
    command = Command(config, "override", *words)
    assert command.code == 1
    assert said in command.errors
    assert config.read_text() == TEXT


@pytest.mark.parametrize("minutes", ["0", "-1", "x", "", "99999", "9" * 50, "1.5"])
def test_minutes_are_a_week_at_most(config: Path, minutes: str):
    with pytest.raises(SystemExit):
        Command(config, "override", "web", f"--minutes={minutes}")
