"""What `POST /v1/events` acknowledged is in the lake, once for each time that it was sent, however the process died."""

import random
import re
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec

from control_plane.ingest.landed import read_records
from control_plane.ingest.signature import sign
from control_plane.keyring import Keyring, read_ring
from tests.e2e.control_plane.stage import Api, ControlPlane, until

KILLS, SEED, SENDERS, EVENTS = 6, 7, 3, 5
RETRY_S = 0.1
# Around the age at which a segment is sealed and lands, so that kills fall into both.
LIFE_S = (0.2, 1.6)


class Sender(threading.Thread):
    """Reports until it is told to stop; a batch that was not acknowledged is sent again with the same ids."""

    def __init__(self, url: str, key: dict[str, Any], name: str) -> None:
        super().__init__(daemon=True)
        self._url, self._key, self._name = url, key, name
        self.stop = threading.Event()
        self.sent: set[str] = set()
        self.acknowledged: set[str] = set()

    def run(self) -> None:
        number = 0
        with httpx.Client(base_url=self._url, timeout=5) as client:
            while not self.stop.is_set():
                ids = [f"{self._name}-{number}-{place}" for place in range(EVENTS)]
                self.sent |= set(ids)
                if self._taken(client, ids):
                    self.acknowledged |= set(ids)
                    number += 1
                else:
                    self.stop.wait(RETRY_S)

    def _taken(self, client: httpx.Client, ids: list[str]) -> bool:
        now_s = time.time()
        body = msgspec.json.encode([{"request_id": id, "ts": _rfc3339(now_s), "cost_usd": "0.001"} for id in ids])
        at = b"%d" % now_s
        headers = {
            "x-lensai-key-id": self._key["id"],
            "x-lensai-timestamp": at.decode(),
            "x-lensai-signature": sign(self._key["secret"].encode(), at, body).decode(),
        }
        try:
            answer = client.post("/v1/events", content=body, headers=headers)
        except httpx.TransportError:
            return False
        assert answer.status_code in (200, 503), answer.text
        return answer.status_code == 200


def _rfc3339(now_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s))


def landed(lake: Path, ring: Keyring) -> list[str]:
    """The id of every record in every file, each file verified."""
    files = lake.glob("ingest/dt=*/project_id=*/*.ndjson")
    return [record.request_id for file in files for record in read_records(file.read_bytes(), ring)]


def test_nothing_that_was_acknowledged_is_lost_to_kill_9(tmp_path: Path):
    chance = random.Random(SEED)
    plane = ControlPlane(tmp_path, f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite", "http://127.0.0.1:9/")
    senders: list[Sender] = []
    try:
        plane.start()
        api = Api(plane.url, plane.sign_in_link())
        project = api.post("projects", name="Reports")
        key = api.post("ingest-keys", name="e2e", project_id=project["id"])
        api.close()
        senders = [Sender(plane.url, key, f"s{number}") for number in range(SENDERS)]
        for sender in senders:
            sender.start()
        for _ in range(KILLS):
            known = sum(len(sender.acknowledged) for sender in senders)
            until(lambda known=known: sum(len(one.acknowledged) for one in senders) > known, "events are taken")
            threading.Event().wait(chance.uniform(*LIFE_S))
            plane.kill()
            plane.start()
        for sender in senders:
            sender.stop.set()
            sender.join()
        acknowledged = set[str]().union(*(sender.acknowledged for sender in senders))
        sent = set[str]().union(*(sender.sent for sender in senders))
        ring = Keyring(read_ring(plane.environ["LENSAI_CONTROL_SECRET_KEYS"]))
        until(lambda: acknowledged <= set(landed(tmp_path / "lake", ring)), "all that was acknowledged is in the lake")
        there = landed(tmp_path / "lake", ring)
        assert set(there) <= sent
        # Doubled is only what was written when its sender was not told so: a batch for each sender and kill at most.
        assert len(there) - len(set(there)) <= KILLS * SENDERS * EVENTS
        assert not re.search("segment_damaged|Traceback", plane.output())
        assert len(acknowledged) > KILLS * EVENTS
    finally:
        for sender in senders:
            sender.stop.set()
            sender.join()
        plane.close()
