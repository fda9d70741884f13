import itertools

import msgspec
import pytest

from bench.kill import KILL_SWITCH, Client, Killed, Round, Run, WatchedProvider, killed, markdown
from bench.targets import QUOTAS, policy_text
from gateway.contract.record import Record
from gateway.policy_toml import compile_policy

_EVENT = b'data: {"choices":[]}\n\n'
_ERROR = b'data: {"error":{"message":"no","code":"kill_switch"}}\n\n'
_COUNTERS = {"project-month@2026-11": 5, "key-minute@now": 1, "user-day@2026-11-25": 5}
_FINAL = Record(
    request_id="r", ts_ns=0, outcome="cancelled", refusal_code="kill_switch", counters=_COUNTERS, ledger_seq=3
)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _client(*pieces: bytes, last_ns: int = 0, gone: bool = True) -> Client:
    client = Client(b"")
    for piece in pieces:
        client.data_received(piece)
    client.last_ns = last_ns
    if gone:
        client.connection_lost(None)
    return client


def _provider(lost_ns: int) -> WatchedProvider:
    provider = WatchedProvider(itertools.count())
    if lost_ns:
        provider.connection_lost(None)
        provider.lost_ns = lost_ns
    return provider


@pytest.mark.parametrize(
    ("pieces", "was_killed"),
    [
        ((_chunk(_EVENT), _chunk(_ERROR) + b"0\r\n\r\n"), True),
        ((_chunk(_EVENT) + _chunk(_ERROR), b"0\r\n\r\n"), True),
        ((_chunk(_ERROR) + b"0\r\n\r\n",), True),
        ((_chunk(_EVENT), _chunk(_ERROR)), False),  # no end
        ((_chunk(_ERROR), _chunk(_EVENT) + b"0\r\n\r\n"), False),  # it went on
        ((_chunk(_EVENT) + b"0\r\n\r\n",), False),
        ((), False),
    ],
)
async def test_a_stream_was_killed_if_the_error_event_is_the_last_of_a_complete_body(
    pieces: tuple[bytes, ...], was_killed: bool
) -> None:
    assert _client(*pieces).was_killed == was_killed


async def test_times_count_from_the_signal_of_their_round() -> None:
    ended = _chunk(_ERROR) + b"0\r\n\r\n"
    rounds = [
        Round(1_000_000, [_client(ended, last_ns=3_000_000)], [_provider(4_000_000)], [_FINAL]),
        Round(9_000_000, [_client(ended, last_ns=10_000_000)], [_provider(15_000_000)], [_FINAL]),
    ]
    found = killed(rounds)
    assert (found.streams, found.ended, found.left, found.settled, found.whole) == (2, 2, 0, 2, True)
    assert found.client is not None
    assert (found.client.p50_us, found.client.max_us) == (1000, 2000)
    text = markdown(Run("2026-01-01", {"cores": "2"}, found))
    assert "| the client's last byte | 1.0 | 2.0 | 2.0 |" in text
    assert "| the provider's end | 3.0 | 6.0 | 6.0 |" in text
    assert "Invalid" not in text


async def test_what_is_left_at_either_end_makes_a_run_invalid() -> None:
    found = killed([Round(0, [_client(_chunk(_EVENT), gone=False)], [_provider(0)], [])])
    assert (found.ended, found.left, found.settled, found.whole) == (0, 2, 0, False)
    assert "Invalid" in markdown(Run("2026-01-01", {}, found))


@pytest.mark.parametrize(
    "final",
    [
        msgspec.structs.replace(_FINAL, outcome="ok"),
        msgspec.structs.replace(_FINAL, refusal_code=""),
        msgspec.structs.replace(_FINAL, ledger_seq=0),
        msgspec.structs.replace(_FINAL, counters={"project-month@2026-11": 5}),
        msgspec.structs.replace(_FINAL, counters=None),
    ],
)
def test_only_a_final_that_says_so_and_charges_every_quota_is_settled(final: Record) -> None:
    assert killed([Round(0, [], [], [_FINAL, final])]).settled == 1


def test_the_kill_switch_compiles_and_is_for_all_streams() -> None:
    policy = compile_policy(policy_text(8000) + QUOTAS + KILL_SWITCH, {}, source="bench")
    assert [switch.scope for switch in policy.kill_switches] == [{"project": "bench"}]
    assert {key.project_id for key in policy.keys} == {"bench"}


def test_nothing_killed_is_said_without_times() -> None:
    assert "p50" not in markdown(Run("2026-01-01", {}, Killed(0, 0, 0, 0, None, None)))
