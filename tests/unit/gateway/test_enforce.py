from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from gateway.contract.policy import KillSwitch, Quota, QuotaOverride
from gateway.enforce import LEAD_TOKENS, SLICE_TOKENS, Admission, Enforcer, Waiting
from gateway.examine import Call, examine
from gateway.faults import QuotaHit, Refusal, SwitchHit
from gateway.identify import Caller
from gateway.ledger.base import Balance, Crossed, Holds, Shortage, Unreachable
from gateway.ledger.embedded import EmbeddedLedger
from gateway.policy import PolicyView
from gateway.quotas import Consumed
from gateway.route import Route
from pricing.catalog import Catalog
from tests.support.data_plane import upstreams_at
from tests.support.holds import hold, holds
from tests.support.stages import LISTED, NOW_S, caller_of, request_of, route_of, view_of

CATALOG = Catalog.load()
CHAT = b'{"model":"gpt-4o-mini","max_tokens":100,"messages":[{"role":"user","content":"%b"}]}'
STREAM = b'{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Hi"}]}'


class Stage:
    """One caller, whose calls are judged under some quotas."""

    def __init__(
        self, *quotas: Quota, key: str = "", switches: tuple[KillSwitch, ...] = (), alone: bool = True
    ) -> None:
        policy = view_of(upstreams_at(1, "openai"), key).policy
        self.view = PolicyView(msgspec.structs.replace(policy, quotas=quotas, kill_switches=switches))
        self.ledger = EmbeddedLedger()
        self.thread = ThreadPoolExecutor(1)
        self.enforcer = Enforcer(self.ledger, self.thread, LISTED, alone=alone)

    def made(self, body: bytes, *lines: bytes) -> tuple[Caller, Route, Call]:
        request = request_of("/openai/v1/chat/completions", body, *lines)
        caller, route = caller_of(request, self.view), route_of(request, self.view)
        call = examine(request, caller, route, 1 << 20)
        assert isinstance(call, Call)
        return caller, route, call

    def admit(self, id: str, body: bytes = CHAT % b"Hi", *lines: bytes) -> Any:
        return self.enforcer.admit(id, self.view, *self.made(body, *lines), CATALOG, NOW_S)

    def admit_late(self, id: str, now_s: int) -> Any:
        """A call whose head came at NOW_S and whose body has come whole now."""
        return self.enforcer.admit(id, self.view, *self.made(CHAT % b"Hi"), CATALOG, NOW_S, now_s)

    def replace(self, *quotas: Quota, overrides: tuple[QuotaOverride, ...] = ()) -> None:
        """Has other quotas come into force, of which no call has been asked about yet."""
        before = self.view.policy
        policy = msgspec.structs.replace(before, quotas=quotas, quota_overrides=overrides, version=before.version + 1)
        self.view = PolicyView(policy, self.view.callers, self.view)
        self.enforcer.follow(self.view)

    async def wait(self, id: str, waiting: Any, body: bytes, *, guaranteed: bool = False) -> Any:
        assert isinstance(waiting, Waiting)
        _, route, call = self.made(body)
        return await self.enforcer.admit_waiting(id, waiting, route, call, NOW_S, guaranteed=guaranteed)


@pytest.fixture
def stages() -> Iterator[list[Stage]]:
    made: list[Stage] = []
    yield made
    for stage in made:
        stage.thread.shutdown()


def quota(id: str = "q", **fields: Any) -> Quota:
    return Quota(**{"id": id, "unit": "usd", "limit": 10**9, "window": "total"} | fields)


def test_without_quotas_there_is_nothing_to_hold():
    stage = Stage()
    assert stage.admit("a") is None


def test_a_call_outside_every_scope_holds_nothing():
    stage = Stage(quota(scope={"project": "another"}))
    assert stage.admit("a") is None


def test_a_call_that_fits_holds_its_worst_case_and_settles_to_its_cost():
    stage = Stage(quota(), quota("calls", unit="requests", limit=5))
    admission = stage.admit("a")
    assert isinstance(admission, Admission)
    assert admission.worst is not None
    assert stage.ledger.held("a") == {"q@total": admission.worst.nanousd, "calls@total": 1}

    charged, seq = stage.enforcer.settle("a", admission, Consumed(True, 7, 1, 2))

    assert (charged, seq) == ({"q@total": 7, "calls@total": 1}, 1)
    assert stage.ledger.counters() == {"q@total": Balance(7), "calls@total": Balance(1)}


def test_a_call_that_was_never_sent_is_given_back():
    stage = Stage(quota())
    admission = stage.admit("a")

    assert stage.enforcer.settle("a", admission, None) == ({}, 1)
    assert stage.ledger.balance("q@total") == Balance()


def test_a_limit_that_tells_only_needs_no_bound_and_refuses_nothing():
    stage = Stage(quota(action="alert", limit=0))
    admission = stage.admit("a", b'{"model":"unheard-of","messages":[]}')

    assert isinstance(admission, Admission)
    assert stage.ledger.held("a") == {"q@total": 0}
    assert stage.enforcer.settle("a", admission, Consumed(False, 9, 1, 2))[0] == {"q@total": 9}


def test_what_has_no_bound_is_refused_unless_there_is_a_ceiling_for_it():
    """Case 53."""
    unknown = b'{"model":"gpt-4o","messages":[],"n":1.5}'
    refusal = Stage(quota()).admit("a", unknown)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.status) == ("unbounded_cost", 403)
    assert "number of answers" in refusal.message

    stage = Stage(quota(ceiling=500))
    assert isinstance(stage.admit("a", unknown), Admission)
    assert stage.ledger.held("a") == {"q@total": 500}
    assert stage.enforcer.numbers.soft_failures == {("q", "unbounded"): 1}


UNHEARD_OF = b'{"model":"unheard-of","max_tokens":7,"messages":[]}'


def test_a_model_without_a_price_is_refused_as_such_and_told_where_to_state_one():
    refusal = Stage(quota()).admit("a", UNHEARD_OF)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.status) == ("unpriced_model", 403)
    assert "'unheard-of' has no price" in refusal.message
    assert "price_overrides" in refusal.message


def test_a_ceiling_lets_a_model_without_a_price_through_and_counts_it():
    stage = Stage(quota(ceiling=500), quota("t", unit="tokens"))
    admission = stage.admit("a", UNHEARD_OF)
    assert isinstance(admission, Admission)
    assert admission.worst is not None
    tokens = admission.worst.tokens_in + 7
    assert stage.ledger.held("a") == {"q@total": 500, "t@total": tokens}
    assert stage.enforcer.numbers.soft_failures == {("q", "unpriced"): 1}


def test_a_limit_of_tokens_needs_no_price():
    stage = Stage(quota(unit="tokens_out", limit=10))
    assert isinstance(stage.admit("a", UNHEARD_OF), Admission)
    assert stage.ledger.held("a") == {"q@total": 7}
    assert isinstance(stage.admit("b", UNHEARD_OF), Waiting)


def test_a_limit_of_tokens_refuses_what_nothing_caps_and_says_so():
    refusal = Stage(quota(unit="tokens")).admit("a", b'{"model":"unheard-of","messages":[]}')
    assert isinstance(refusal, Refusal)
    assert refusal.code == "unbounded_cost"
    assert "cap its output tokens" in refusal.message
    assert "ceiling_usd" not in refusal.message
    assert "price" not in refusal.message


def test_a_budget_that_only_tells_counts_the_calls_whose_cost_nobody_knows():
    stage = Stage(quota(action="alert"), quota("t", unit="tokens", action="alert"))
    admission = stage.admit("a", UNHEARD_OF)
    stage.enforcer.unpriced(admission)
    assert stage.enforcer.numbers.soft_failures == {("q", "unpriced"): 1}


def test_what_has_no_bound_passes_where_nothing_is_refused_until_then():
    """Minutes of grace without a limit, of one of two budgets; the other's ceiling is held."""
    unknown = b'{"model":"unheard-of","messages":[]}'
    stage = Stage()
    stage.replace(quota(), quota("dear", ceiling=500), overrides=(QuotaOverride("q", NOW_S + 60),))

    assert isinstance(stage.admit("a", unknown), Admission)

    assert stage.ledger.held("a") == {"q@total": 500, "dear@total": 500}
    assert stage.enforcer.numbers.soft_failures == {("q", "unpriced"): 1, ("dear", "unpriced"): 1}
    stage.replace(quota(), overrides=(QuotaOverride("q", NOW_S + 60),))
    assert isinstance(stage.admit("b", unknown), Admission)
    assert stage.ledger.held("b") == {"q@total": 0}
    stage.replace(quota(), overrides=(QuotaOverride("q", NOW_S + 60, 10**9),))
    assert stage.admit("c", unknown).code == "unpriced_model"
    stage.replace(quota(), overrides=(QuotaOverride("q", NOW_S),))
    assert stage.admit("d", unknown).code == "unpriced_model"


def test_minutes_of_grace_are_over_for_a_call_whose_body_came_after_them():
    """It belongs to the window in which it arrived; what refuses it is what is in force now."""
    stage = Stage()
    calls = quota("calls", unit="requests", limit=1, window="minute")
    stage.replace(calls, overrides=(QuotaOverride("calls", NOW_S + 10, 3),))
    assert isinstance(stage.admit("a"), Admission)
    assert isinstance(stage.admit_late("b", NOW_S + 9), Admission)

    assert stage.admit_late("c", NOW_S + 10).short == Shortage("calls@2027-01-15T08:00+0000", 1, 0)
    assert isinstance(stage.admit_late("d", NOW_S + 70), Waiting), "nor does another minute count it"
    stage.replace(quota(), overrides=(QuotaOverride("q", NOW_S + 10),))
    unknown = stage.made(b'{"model":"unheard-of","messages":[]}')
    refusal = stage.enforcer.admit("e", stage.view, *unknown, CATALOG, NOW_S, NOW_S + 10)
    assert refusal.code == "unpriced_model"


def test_a_budget_of_nothing_refuses_what_costs_nothing_too():
    """Case 47."""

    def listed(*quotas: Quota, overrides: tuple[QuotaOverride, ...] = (), now_s: int = NOW_S) -> Any:
        stage = Stage()
        stage.replace(*quotas, overrides=overrides)
        request = request_of("/openai/v1/models")
        caller, route = caller_of(request, stage.view), route_of(request, stage.view)
        call = examine(request, caller, route, 1 << 20)
        assert isinstance(call, Call)
        return stage.enforcer.admit("a", stage.view, caller, route, call, CATALOG, NOW_S, now_s)

    refusal = listed(quota(limit=0))
    assert (refusal.code, refusal.hit.wanted, refusal.hit.limit) == ("budget_exceeded", 0, 0)
    assert isinstance(listed(quota(limit=1)), Admission)
    assert isinstance(listed(quota(limit=0, action="alert")), Admission)
    assert isinstance(listed(quota(limit=0, unit="tokens")), Admission), "of which it uses none"
    assert isinstance(listed(quota(limit=0, unit="requests")), Waiting)
    assert isinstance(listed(quota(limit=0, unit="concurrent")), Waiting)
    grace = (QuotaOverride("q", NOW_S + 10),)
    assert isinstance(listed(quota(limit=0), overrides=grace), Admission)
    assert listed(quota(limit=0), overrides=grace, now_s=NOW_S + 10).code == "budget_exceeded"
    assert listed(quota(limit=9), overrides=(QuotaOverride("q", NOW_S + 10, 0),)).code == "budget_exceeded"


def test_several_processes_without_one_ledger_refuse_what_blocks():
    stage = Stage(quota(), alone=False)
    refusal = stage.admit("a")
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.retryable) == ("ledger_unavailable", False)
    assert isinstance(Stage(quota(action="alert"), alone=False).admit("a"), Admission)


async def test_a_bound_that_does_not_fit_is_counted_exactly_before_anybody_is_refused(stages: list[Stage]):
    body = CHAT % (b"hello " * 2000)
    loose = Stage(quota(limit=10**12)).admit("a", body)
    stage = Stage(quota(limit=loose.worst.nanousd - 1))
    stages.append(stage)

    waiting = stage.admit("a", body)
    admission = await stage.wait("a", waiting, body)

    assert isinstance(admission, Admission)
    assert stage.ledger.balance("q@total").held < loose.worst.nanousd


async def test_what_does_not_fit_exactly_either_is_refused_with_what_is_left(stages: list[Stage]):
    stage = Stage(quota(limit=1000))
    stages.append(stage)

    refusal = await stage.wait("a", stage.admit("a"), CHAT % b"Hi")

    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.status) == ("budget_exceeded", 402)
    assert refusal.hit is not None
    assert (refusal.hit.quota, refusal.hit.remaining) == ("q", 1000)
    assert stage.ledger.held("a") == {}


async def test_a_guaranteed_call_is_let_write_what_every_counter_affords(stages: list[Stage]):
    worst = Stage(quota()).admit("a").worst
    affordable = worst.bound.nanousd(40)
    stage = Stage(quota(limit=affordable + 1), quota("out", unit="tokens_out", limit=30), key='mode = "guaranteed"')
    stages.append(stage)

    admission = await stage.wait("a", stage.admit("a"), CHAT % b"Hi", guaranteed=True)

    assert isinstance(admission, Admission)
    assert admission.tokens_out == 30
    assert admission.body is not None
    assert b'"max_tokens":30' in admission.body
    assert stage.ledger.held("a") == {"q@total": worst.bound.nanousd(30), "out@total": 30}


async def test_a_guaranteed_call_whose_input_alone_is_too_dear_is_refused(stages: list[Stage]):
    stage = Stage(quota(limit=10), key='mode = "guaranteed"')
    stages.append(stage)

    refusal = await stage.wait("a", stage.admit("a"), CHAT % b"Hi", guaranteed=True)

    assert isinstance(refusal, Refusal)
    assert refusal.code == "budget_exceeded"


def test_a_stream_without_a_cap_holds_all_of_it_where_that_is_little_and_a_slice_where_it_is_not():
    ample = Stage(quota(limit=10**12)).admit("a", STREAM)
    assert not ample.pays_as_it_goes

    scarce = Stage(quota(limit=3 * 10**6)).admit("a", STREAM)
    assert (scarce.pays_as_it_goes, scarce.tokens_out) == (True, SLICE_TOKENS)


def test_a_stream_takes_more_before_it_has_used_what_it_holds():
    stage = Stage(quota(limit=6 * 10**6))
    admission = stage.admit("a", STREAM)
    assert not admission.runs_out(SLICE_TOKENS - LEAD_TOKENS)
    assert admission.runs_out(SLICE_TOKENS - LEAD_TOKENS + 1)
    before = stage.ledger.held("a")["q@total"]

    assert stage.enforcer.extend("a", admission, SLICE_TOKENS - LEAD_TOKENS + 1, NOW_S) is None

    assert admission.tokens_out == 2 * SLICE_TOKENS + 1
    assert admission.worst.bound.nanousd(admission.tokens_out) == stage.ledger.held("a")["q@total"] > before
    short = stage.enforcer.extend("a", admission, 2 * SLICE_TOKENS, NOW_S)
    assert isinstance(short, Shortage)
    refusal = stage.enforcer.refusal(admission, short, NOW_S, midstream=True)
    assert refusal.code == "budget_exhausted_midstream"


async def test_a_stream_near_its_limit_goes_on_with_what_is_left_of_it():
    stage = Stage(quota(limit=3 * 10**6))
    admission = stage.admit("a", STREAM)
    held = stage.ledger.balance("q@total").held
    stage.ledger.reserve("b", holds(hold("q@total", 3 * 10**6 - held - 100_100, 3 * 10**6)))

    assert isinstance(stage.enforcer.extend("a", admission, SLICE_TOKENS - LEAD_TOKENS + 1, NOW_S), Shortage)
    assert await stage.enforcer.extend_waiting("a", admission, SLICE_TOKENS - LEAD_TOKENS + 1, NOW_S) is None
    assert admission.tokens_out == SLICE_TOKENS + 100  # at 1,000 nano-USD each
    again = await stage.enforcer.extend_waiting("a", admission, SLICE_TOKENS, NOW_S)
    assert isinstance(again, Shortage)
    assert again.available == 100


async def test_a_stream_that_has_brought_more_than_is_left_does_not_go_on():
    stage = Stage(quota(limit=3 * 10**6))
    admission = stage.admit("a", STREAM)
    held = stage.ledger.balance("q@total").held
    stage.ledger.reserve("b", holds(hold("q@total", 3 * 10**6 - held - 100_100, 3 * 10**6)))

    assert isinstance(await stage.enforcer.extend_waiting("a", admission, SLICE_TOKENS + 50, NOW_S), Shortage)
    assert admission.tokens_out == SLICE_TOKENS


def test_a_stream_goes_on_within_the_limit_that_has_come_into_force():
    """Case 45."""
    stage = Stage(quota(unit="tokens_out", limit=100_000))
    admission = stage.admit("a", STREAM)
    stage.replace(quota(unit="tokens_out", limit=3000))
    held = stage.ledger.held("a")

    short = stage.enforcer.extend("a", admission, 1500, NOW_S)

    assert short == Shortage("q@total", 1500 + LEAD_TOKENS, 3000 - SLICE_TOKENS)
    assert stage.ledger.held("a") == held, "what it was let through with stays its own"
    refusal = stage.enforcer.refusal(admission, short, NOW_S, midstream=True)
    assert refusal.hit is not None
    assert refusal.hit.limit == 3000
    stage.replace(quota(unit="tokens_out", limit=4572))
    assert stage.enforcer.extend("a", admission, 1500, NOW_S) is None


@pytest.mark.parametrize(
    "after",
    [
        (),
        (quota(unit="tokens_out", limit=3000, action="alert"),),
        (quota(unit="tokens_out", limit=None),),
        (quota(unit="tokens_out", limit=3000, window="day"),),
        (quota(unit="tokens_out", limit=3000, scope={"user": "*"}),),
        (quota("another", unit="tokens_out", limit=3000),),
    ],
)
def test_a_stream_is_not_ended_by_a_quota_that_counts_it_no_more(after: tuple[Quota, ...]):
    stage = Stage(quota(unit="tokens_out", limit=100_000))
    admission = stage.admit("a", STREAM)
    stage.replace(*after)

    assert stage.enforcer.extend("a", admission, 9000, NOW_S) is None

    assert stage.ledger.held("a") == {"q@total": 9000 + LEAD_TOKENS + SLICE_TOKENS}


async def test_who_waits_is_let_through_by_the_limit_that_has_come_into_force(stages: list[Stage]):
    stage = Stage(quota("calls", unit="requests", limit=0))
    stages.append(stage)
    waiting = stage.admit("a")
    stage.replace(quota("calls", unit="requests", limit=1))

    assert isinstance(await stage.wait("a", waiting, CHAT % b"Hi"), Admission)
    stage.replace(quota("calls", unit="requests", limit=0))
    refusal = await stage.wait("b", stage.admit("b"), CHAT % b"Hi")
    assert refusal.hit.limit == 0


def test_a_stream_that_outruns_what_it_holds_is_told_what_it_would_need():
    stage = Stage(quota("in", unit="tokens_in", limit=10**9), quota(limit=6 * 10**6))
    admission = stage.admit("a", STREAM)

    refusal = stage.enforcer.outrun(admission, SLICE_TOKENS + 1, NOW_S)

    assert refusal.hit is not None
    needed = admission.worst.bound.nanousd(SLICE_TOKENS + 1 + LEAD_TOKENS + SLICE_TOKENS)
    assert (refusal.code, refusal.hit.quota) == ("budget_exhausted_midstream", "q")
    assert refusal.hit.wanted == needed - admission.worst.bound.nanousd(SLICE_TOKENS)


def test_a_quota_that_refuses_with_less_than_a_tenth_left_is_told_as_used_up_once():
    stage = Stage(quota(limit=10**7))
    heard: list[Crossed] = []
    stage.enforcer.heard = heard.append
    admission = stage.admit("a")
    counter = admission.dues.each[0].counter

    stage.enforcer.refusal(admission, Shortage(counter, 10**7, 10**7 - 1), NOW_S)
    assert heard == []

    stage.ledger.reserve("b", holds(hold(counter, 91 * 10**5, 10**7)))
    stage.ledger.settle("b", {counter: 9 * 10**6})
    for _ in range(2):
        stage.enforcer.refusal(admission, Shortage(counter, 10**7, 10**6), NOW_S)
    assert heard == [Crossed(counter, 100, 9 * 10**6, 10**7)]


def test_a_quota_is_used_up_by_the_limit_that_has_come_into_force():
    stage = Stage(quota(limit=10**6))
    heard: list[Crossed] = []
    stage.enforcer.heard = heard.append
    admission = stage.admit("a")
    stage.replace(quota(limit=10**8))

    stage.ledger.settle("a", {"q@total": 10**6})
    stage.enforcer.refusal(admission, Shortage("q@total", 10**8, 10**8 - 10**6), NOW_S)
    assert heard == []


def test_a_ledger_that_cannot_be_asked_is_no_budget_that_is_spent():
    stage = Stage(quota())
    admission = stage.admit("a")

    refusal = stage.enforcer.refusal(admission, Unreachable("q@total"), NOW_S)

    assert (refusal.code, refusal.status) == ("ledger_unavailable", 503)


def test_a_kill_switch_is_found_and_says_why():
    stage = Stage(switches=(KillSwitch("stop", {"project": "web"}, "incident 7"),))
    caller, route, call = stage.made(CHAT % b"Hi")

    refusal = stage.enforcer.killed(stage.view, caller, route, call)

    assert refusal is not None
    assert (refusal.code, "incident 7" in refusal.message) == ("kill_switch", True)
    assert stage.admit("a") == refusal


def test_values_that_callers_make_up_are_bounded_and_known_ones_stay_let_in():
    stage = Stage(quota(scope={"user": "*"}, values_max=2))
    for id, user in (("a", b"ann"), ("b", b"bob"), ("c", b"ann")):
        assert isinstance(stage.admit(id, CHAT % b"Hi", b"x-lensai-user: " + user), Admission)

    refusal = stage.admit("d", CHAT % b"Hi", b"x-lensai-user: cyd")

    assert isinstance(refusal, Refusal)
    assert refusal.code == "scope_values_exceeded"


def test_a_call_that_is_refused_without_asking_the_ledger_takes_no_room_from_others():
    stage = Stage(quota(scope={"user": "*"}, values_max=1))
    unknown = b'{"model":"unheard-of","messages":[]}'
    for user in (b"ann", b"bob"):
        assert stage.admit("a", unknown, b"x-lensai-user: " + user).code == "unpriced_model"

    assert isinstance(stage.admit("b", CHAT % b"Hi", b"x-lensai-user: cyd"), Admission)
    assert isinstance(stage.admit("c", CHAT % b"Hi", b"x-lensai-user: cyd"), Admission)
    assert stage.admit("d", CHAT % b"Hi", b"x-lensai-user: ann").code == "scope_values_exceeded"


def test_what_one_call_takes_together_has_room_together():
    stage = Stage(quota(scope={"tag": "*"}, values_max=2))

    assert stage.admit("a", CHAT % b"Hi", b"x-lensai-tags: a, b, c").code == "scope_values_exceeded"
    assert stage.ledger.counters() == {}
    assert isinstance(stage.admit("b", CHAT % b"Hi", b"x-lensai-tags: c, d"), Admission)


def test_where_nothing_blocks_further_values_are_not_counted():
    stage = Stage(quota(scope={"user": "*"}, values_max=1, action="alert"))
    stage.admit("a", CHAT % b"Hi", b"x-lensai-user: ann")

    admission = stage.admit("b", CHAT % b"Hi", b"x-lensai-user: bob")

    assert admission.dues.each == ()


async def test_what_lies_elsewhere_is_fetched_before_anybody_is_refused(stages: list[Stage]):
    stage = Stage(quota(limit=10**6))
    stages.append(stage)

    class Lender(EmbeddedLedger):
        """Has nothing until it is asked."""

        lent = False

        async def obtain(self, holds: Holds, timeout_s: float) -> Shortage | Unreachable | None:
            self.lent = True
            return None

    lender = Lender()
    reserve = lender.reserve
    lender.reserve = lambda id, holds: reserve(id, holds) if lender.lent else Shortage(holds.counters[0], 1, 0)
    stage.enforcer.ledger = lender

    assert isinstance(await stage.wait("a", stage.admit("a"), CHAT % b"Hi"), Admission)


def test_another_view_of_the_same_quotas_keeps_their_table():
    """What calls alike share is found once for it."""
    stage = Stage(quota())
    policy, dues = stage.view.policy, stage.admit("a").dues
    stage.view = PolicyView(policy, stage.view.callers, stage.view)
    assert stage.admit("b").dues is dues
    stage.view = PolicyView(msgspec.structs.replace(policy, quotas=(quota(limit=10**8),)), before=stage.view)
    assert stage.admit("e").dues is not dues


def test_counters_that_calls_touch_are_noted_for_whoever_reports_them():
    stage = Stage(quota(), quota("calls", unit="requests", limit=5))
    assert stage.enforcer.touched is None
    stage.enforcer.touched = set()
    admission = stage.admit("a")
    assert stage.enforcer.touched == {"q@total", "calls@total"}
    stage.enforcer.touched = set()
    stage.enforcer.settle("a", admission, None)
    assert stage.enforcer.touched == {"q@total", "calls@total"}
    heard: list[Crossed] = []
    stage.enforcer.heard = heard.append
    stage.enforcer.told(Crossed("q@total", 50, 1, 2))
    assert heard == [Crossed("q@total", 50, 1, 2)]
    assert stage.enforcer.numbers.thresholds["q", "50"] == 1


def test_a_quota_that_tells_counts_the_calls_that_pass_while_the_store_is_away():
    stage = Stage(quota("soft", action="alert"), quota())
    admission = stage.admit("a")
    stage.enforcer.away = lambda: True
    stage.enforcer.settle("a", admission, Consumed(True, 1, 1, 1))
    assert stage.enforcer.numbers.soft_failures == {("soft", "ledger_unavailable"): 1}


def test_what_is_left_is_told_where_a_call_has_no_bound():
    stage = Stage(quota(limit=10**9))
    held = stage.admit("a").worst.nanousd
    refusal = stage.admit("b", b'{"model":"gpt-4o","messages":[],"n":1.5}')
    assert isinstance(refusal.hit, QuotaHit)
    assert refusal.hit.remaining == 10**9 - held


async def test_a_call_that_would_hold_a_ceiling_is_told_so(stages: list[Stage]):
    stage = Stage(quota(limit=100, ceiling=500))
    stages.append(stage)
    refusal = await stage.wait("a", stage.admit("a", UNHEARD_OF), UNHEARD_OF)
    assert refusal.code == "budget_exceeded"
    assert "would hold the ceiling_usd" in refusal.message


def test_a_switch_is_named_to_programs():
    stage = Stage(switches=(KillSwitch("stop", {"project": "web"}, reason="It loops"),))
    refusal = stage.admit("a")
    assert refusal.hit == SwitchHit("stop", {"project": "web"}, "It loops")
    assert "It loops" in refusal.message
    assert stage.enforcer.killed(stage.view, *stage.made(CHAT % b"Hi")) == refusal
