"""Whoever claims first is charged, and nobody else, whatever process asks and however often."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.claims import KEPT_S, Claims

NOW_S = 1_800_000_000


@pytest.fixture
def claims(tmp_path):
    opened = Claims(tmp_path)
    yield opened
    opened.close()


def test_the_first_call_is_charged_and_asks_again_in_vain_for_nobody_else(claims):
    assert claims.claim("openai:resp_1", "req_a", NOW_S)
    assert not claims.claim("openai:resp_1", "req_b", NOW_S)
    assert claims.claim("openai:resp_1", "req_a", NOW_S)
    assert claims.claim("openai:resp_2", "req_b", NOW_S)


def test_what_a_dead_call_claimed_is_free_again(claims):
    claims.claim("openai:resp_1", "req_a", NOW_S)
    claims.claim("openai:resp_2", "req_b", NOW_S)
    claims.release("req_a")
    assert claims.claim("openai:resp_1", "req_c", NOW_S)
    assert not claims.claim("openai:resp_2", "req_c", NOW_S)


def test_claims_outlive_the_process_and_are_forgotten_after_the_providers_have_forgotten(claims, tmp_path):
    claims.claim("openai:resp_1", "req_a", NOW_S)
    claims.close()
    again = Claims(tmp_path)
    assert not again.claim("openai:resp_1", "req_b", NOW_S + KEPT_S)
    assert again.claim("openai:resp_1", "req_b", NOW_S + KEPT_S + 1)
    again.close()


def test_a_release_where_nothing_was_ever_claimed_makes_no_file(claims, tmp_path):
    claims.release("req_a")
    assert list(tmp_path.iterdir()) == []


def test_of_many_workers_that_race_one_is_charged(tmp_path):
    workers = [Claims(tmp_path) for _ in range(4)]

    def claim(case):
        worker_number, request_id = case
        return workers[worker_number].claim("openai:resp_1", request_id, NOW_S)

    cases = [(number, f"req_{number}_{n}") for n in range(10) for number in range(len(workers))]
    lanes = [[case for case in cases if case[0] == number] for number in range(len(workers))]
    with ThreadPoolExecutor(len(workers)) as pool:
        won = [result for results in pool.map(lambda lane: [claim(case) for case in lane], lanes) for result in results]
    for worker in workers:
        worker.close()
    assert (len(won), sum(won)) == (40, 1)


def test_a_file_that_is_none_is_an_error(tmp_path):
    (tmp_path / "claims.sqlite3").write_bytes(b"no database" * 100)
    broken = Claims(tmp_path)
    with pytest.raises(sqlite3.Error):
        broken.claim("openai:resp_1", "req_a", NOW_S)


def test_what_began_work_was_charged_is_remembered_for_whoever_claims_it(claims, tmp_path):
    assert claims.begin("openai:resp_1", b"charged", NOW_S)
    claims.close()
    again = Claims(tmp_path)
    assert again.begun("openai:resp_1") == b"charged"
    assert again.begun("openai:resp_2") == b""
    again.close()


def test_work_that_was_claimed_before_it_was_known_to_have_begun_is_charged_to_the_claim_alone(claims):
    claims.claim("openai:resp_1", "req_a", NOW_S)
    assert not claims.begin("openai:resp_1", b"charged", NOW_S)
