"""`lensai apply` against the application as it is served: what a document declares is made, changed and removed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from control_plane.cli.apply import main
from tests.support.control_plane import ControlPlane, served_plane
from tests.tidy.tree import ROOT

SLACK_TOKEN, HOOK = "xoxb-canary-0123456789", "https://hooks.slack.com/services/T0/B0/canary"
# Every kind of thing, with every field that the API lets one write.
DOCUMENT = """
projects:
  - name: Checkout
    keys:
      - name: web
        mode: metered
        on_disconnect: drain
        upstreams: [openai]
        endpoints: [chat.completions]
        models: [gpt-4o-mini, gpt-4o]
        user_id: ada
        team: payments
        tags: [live]
        expires_at_s: 1900000000
    budgets:
      - name: monthly
        limit_usd: 100
        period: month
        hard_stop: true
        thresholds: [90, 100]
        scope: {model: gpt-4o-mini}
        time_zone: Europe/Berlin
        ceiling_usd: 0.5
    quotas:
      - name: requests
        unit: requests
        limit: 600
        window: minute
        action: block
        scope: {user: "*"}
        values_max: 100
        answers_429: true
    alerts:
      - name: spikes
        trigger: anomaly
        anomaly: {factor: 4}
        target: {channel: email, address: ops@example.com}
  - name: Empty
budgets:
  - {name: everything, limit_usd: "1000.50", period: day}
quotas:
  - {name: tokens, unit: tokens, limit: 1000000, window: day}
  - {name: dollars, unit: usd, limit: 12.5, window: day}
alerts:
  - {name: bot, trigger: threshold, target: {channel: slack, token: "${SLACK_TOKEN}", channel_id: C0123456789}}
  - {name: hook, trigger: threshold, thresholds: [90], target: {channel: slack_webhook, url: "${HOOK}"}}
  - {name: ours, trigger: kill_switch, enabled: false, target: {channel: webhook, url: "https://example.com/hook"}}
"""
LABELS = [
    "projects Checkout", "projects Empty", "budgets everything", "quotas tokens", "quotas dollars", "alert-rules bot",
    "alert-rules hook", "alert-rules ours", "keys Checkout/web", "budgets Checkout/monthly", "quotas Checkout/requests",
    "alert-rules Checkout/spikes",
]  # fmt: skip


class Terminal:
    """Somebody who runs the command, with a token of an organization."""

    def __init__(self, plane: ControlPlane, authorization: dict[str, str], directory: Path, capsys: Any) -> None:
        self.plane, self.authorization, self._capsys = plane, authorization, capsys
        self._file = directory / "lensai.yaml"
        self._environ = {
            "LENSAI_API_URL": str(plane.client.base_url),
            "LENSAI_API_TOKEN": authorization["authorization"].removeprefix("Bearer "),
            "SLACK_TOKEN": SLACK_TOKEN,
            "HOOK": HOOK,
            "SLACK_WEBHOOK_URL": HOOK,
        }

    def of(self, authorization: dict[str, str]) -> "Terminal":
        """The same terminal, with another token."""
        return Terminal(self.plane, authorization, self._file.parent, self._capsys)

    async def apply(self, document: str, *words: str) -> tuple[int, str]:
        """The exit status, and all that was printed."""
        self._file.write_text(document)
        status = await asyncio.to_thread(main, ["-f", str(self._file), *words], self._environ)
        captured = self._capsys.readouterr()
        return status, captured.out + captured.err

    async def listed(self, collection: str) -> dict[str, dict[str, Any]]:
        answer = await self.plane.client.get(f"/v1/{collection}", headers=self.authorization)
        return {one["name"]: one for one in answer.raise_for_status().json()["items"]}

    async def edit(self, collection: str, name: str, **fields: object) -> None:
        id = (await self.listed(collection))[name]["id"]
        answer = await self.plane.client.patch(f"/v1/{collection}/{id}", json=fields, headers=self.authorization)
        assert answer.is_success, answer.text


@pytest.fixture
async def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Terminal]:
    async with served_plane(f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite", tmp_path) as plane:
        yield Terminal(plane, await plane.token(await plane.organization()), tmp_path, capsys)


def done(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line.endswith(": done")]


async def test_every_kind_of_thing_is_planned_made_and_then_as_it_should_be(terminal: Terminal):
    status, printed = await terminal.apply(DOCUMENT, "--plan")
    assert (status, printed.splitlines()) == (0, [f"+ {label}" for label in LABELS])
    assert await terminal.listed("projects") == {}
    status, printed = await terminal.apply(DOCUMENT, "--yes")
    assert (status, done(printed)) == (0, [f"+ {label}: done" for label in LABELS])
    status, printed = await terminal.apply(DOCUMENT, "--yes")
    assert (status, printed) == (0, "Nothing to do: all 12 declared things are there as they should be.\n")
    key = (await terminal.listed("keys"))["web"]
    assert (key["models"], key["team"], key["expires_at_s"]) == (["gpt-4o-mini", "gpt-4o"], "payments", 1_900_000_000)
    assert (await terminal.listed("quotas"))["dollars"]["limit"] == "12.50"


async def test_what_is_shown_once_is_printed_and_what_is_secret_is_not(terminal: Terminal):
    _, printed = await terminal.apply(DOCUMENT, "--yes")
    secrets = [line.partition(": ")[2] for line in printed.splitlines() if "shown this once" in line]
    assert [secret[:3] for secret in secrets] == ["whs", "lk-"]
    assert not [canary for canary in (SLACK_TOKEN, HOOK) if canary in printed]


EDITS = [
    ("limit_usd: 100", "limit_usd: 99.5", "budgets Checkout/monthly", "limit_usd: '100.00' -> 99.5"),
    ("limit: 600", "limit: 700", "quotas Checkout/requests", "limit: 600 -> 700"),
    ("limit: 12.5,", "limit: null,", "quotas dollars", "limit: '12.50' -> None"),
    ("[gpt-4o-mini, gpt-4o]", "[gpt-4o]", "keys Checkout/web", "models: ['gpt-4o-mini', 'gpt-4o'] -> ['gpt-4o']"),
    ('scope: {user: "*"}', "scope: {}", "quotas Checkout/requests", "scope: {'user': '*'} -> {}"),
    ("{factor: 4}", "{factor: 4, floor_usd: 2}", "alert-rules Checkout/spikes", "anomaly: "),
    ("enabled: false", "enabled: true", "alert-rules ours", "enabled: False -> True"),
]


async def test_each_change_of_the_document_is_made_and_nothing_else(terminal: Terminal):
    await terminal.apply(DOCUMENT, "--yes")
    document = DOCUMENT
    for old, new, label, difference in EDITS:
        assert old in document
        document = document.replace(old, new)
        status, printed = await terminal.apply(document, "--yes")
        first, second, *rest = printed.splitlines()
        assert (status, first, rest) == (0, f"~ {label}", [f"~ {label}: done"])
        assert second.strip().startswith(difference)
        assert (await terminal.apply(document))[1].startswith("Nothing to do")


async def test_a_target_is_sent_again_where_it_is_asked(terminal: Terminal):
    await terminal.apply(DOCUMENT, "--yes")
    moved = DOCUMENT.replace("ops@example.com", "sre@example.com")
    assert (await terminal.apply(moved))[1].startswith("Nothing to do")
    status, printed = await terminal.apply(moved, "--yes", "--secrets")
    assert status == 0
    assert len(done(printed)) == 4
    assert (await terminal.listed("alert-rules"))["spikes"]["target_hint"] == "s…@example.com"


async def test_what_is_not_declared_stays_until_it_is_pruned(terminal: Terminal):
    await terminal.apply(DOCUMENT, "--yes")
    less = "projects: [{name: Checkout, budgets: [{name: monthly, limit_usd: 100}]}]"
    assert (await terminal.apply(less))[1].startswith("Nothing to do: all 2")
    status, printed = await terminal.apply(less, "--yes", "--prune")
    kept = {"projects Checkout", "budgets Checkout/monthly"}
    assert (status, set(done(printed))) == (0, {f"- {label}: done" for label in LABELS if label not in kept})
    assert list(await terminal.listed("projects")) == ["Checkout"]
    assert await terminal.listed("keys") == {}
    assert (await terminal.apply(less, "--prune"))[1].startswith("Nothing to do")


async def test_an_edit_that_was_made_meanwhile_is_not_overwritten(terminal: Terminal, monkeypatch: pytest.MonkeyPatch):
    await terminal.apply(DOCUMENT, "--yes")
    loop = asyncio.get_running_loop()

    def agreed() -> bool:
        edit = terminal.edit("budgets", "monthly", limit_usd=7)
        asyncio.run_coroutine_threadsafe(edit, loop).result()
        return True

    monkeypatch.setattr("control_plane.cli.apply._agreed", agreed)
    for document, words in ((DOCUMENT.replace("limit_usd: 100", "limit_usd: 50"), ()), ("projects: []", ("--prune",))):
        await terminal.edit("budgets", "monthly", limit_usd=100)
        status, printed = await terminal.apply(document, *words)
        assert status == 1
        assert "budgets Checkout/monthly: somebody else changed it meanwhile" in printed
        assert (await terminal.listed("budgets"))["monthly"]["limit_usd"] == "7.00"


async def test_a_rotated_key_is_the_new_one(terminal: Terminal):
    await terminal.apply(DOCUMENT, "--yes")
    id = (await terminal.listed("keys"))["web"]["id"]
    made = await terminal.plane.client.post(
        f"/v1/keys/{id}/rotate", json={"overlap_minutes": 60}, headers=terminal.authorization
    )
    assert made.is_success
    assert (await terminal.apply(DOCUMENT, "--prune"))[1].startswith("Nothing to do")
    status, _ = await terminal.apply(DOCUMENT.replace("team: payments", "team: shop"), "--yes")
    assert status == 0
    new = (await terminal.plane.client.get(f"/v1/keys/{made.json()['id']}", headers=terminal.authorization)).json()
    assert new["team"] == "shop"


async def test_two_things_of_one_name_are_told_apart_by_a_person(terminal: Terminal):
    await terminal.apply(DOCUMENT, "--yes")
    again = {"name": "everything", "limit_usd": 1}
    await terminal.plane.client.post("/v1/budgets", json=again, headers=terminal.authorization)
    status, printed = await terminal.apply(DOCUMENT)
    assert (status, printed) == (2, "lensai apply: budgets everything: 2 are called so; rename or delete all but one\n")


BAD = [
    ("budgets: [{name: b, limit: 1}]", 1, "POST /v1/budgets: "),
    ("quotas: [{name: q, unit: requests, limit: 1.5}]", 1, "body/limit"),
    ("projects: [{name: P, keys: [{name: k, models: []}]}]", 1, "body/models"),
    ("alerts: [{name: a, trigger: threshold, target: {type: slack_webhook, url: x}}]", 1, "POST /v1/alert-rules: "),
    ("alerts: [{name: a, trigger: threshold, target: {channel: email, address: '${NOT_SET}'}}]", 2, "has no NOT_SET"),
    ("projects: [{name: P, budgets: [{name: b, limit_usd: 1, project_id: prj_1}]}]", 2, "leave out project_id"),
]


@pytest.mark.parametrize(("document", "status", "why"), BAD)
async def test_a_bad_document_changes_nothing_and_says_why(terminal: Terminal, document: str, status: int, why: str):
    stopped, printed = await terminal.apply(document, "--yes")
    assert stopped == status
    assert why in printed
    assert [await terminal.listed(name) for name in ("budgets", "quotas", "alert-rules", "keys")] == [{}, {}, {}, {}]


async def test_whoever_may_not_is_told_by_the_api(terminal: Terminal):
    org_id = await terminal.plane.organization("Viewers")
    viewer = Terminal(
        terminal.plane, await terminal.plane.token(org_id, "viewer"), terminal._file.parent, terminal._capsys
    )
    assert (await viewer.apply(DOCUMENT, "--plan"))[0] == 0
    status, printed = await viewer.apply(DOCUMENT, "--yes")
    assert status == 1
    assert "The role viewer may not do this" in printed


async def test_the_example_of_the_guide_is_applied_as_it_stands(terminal: Terminal):
    page = (ROOT / "docs/guides/declared.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    status, printed = await terminal.apply(example, "--yes")
    assert status == 0
    assert [line.split()[1] for line in done(printed)] == ["projects", "alert-rules", "keys", "budgets", "quotas"]
    assert (await terminal.apply(example, "--prune"))[1].startswith("Nothing to do")
