"""Owns which call was charged for work that several calls tell of: a background response, a batch, a training.

Whoever reads the final usage of such work first claims it, and nobody charges it again. What the call that began it was
charged until then is remembered beside, for whoever claims it to give back. The claims are a small SQLite file that the
workers of one data directory share. Every method blocks on the disk: call them from one thread that may wait, never
from the event loop.
"""

import sqlite3
from pathlib import Path

FILE_NAME = "claims.sqlite3"
# Providers forget what they stored sooner: OpenAI keeps responses for 30 days, batches likewise, Anthropic its
# results for 29.
KEPT_S = 90 * 24 * 3600
# Another worker holds the file for microseconds; a disk that stalls for longer than this is not waited for.
BUSY_TIMEOUT_S = 5.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS claims (
    work_id TEXT PRIMARY KEY, request_id TEXT NOT NULL, claimed_at_s INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS begun (
    work_id TEXT PRIMARY KEY, charged BLOB NOT NULL, begun_at_s INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS claims_by_request ON claims (request_id);
"""


class Claims:
    """The claims of one data directory. Raises sqlite3.Error where the file cannot be used."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE_NAME
        self._connection: sqlite3.Connection | None = None

    def claim(self, work_id: str, request_id: str, now_s: int) -> bool:
        """Whether this call is the one to be charged for the work; the same answer for the same call again."""
        connection = self._opened()
        with connection:
            connection.execute("DELETE FROM claims WHERE claimed_at_s < ?", (now_s - KEPT_S,))
            connection.execute("INSERT OR IGNORE INTO claims VALUES (?, ?, ?)", (work_id, request_id, now_s))
            row = connection.execute("SELECT request_id FROM claims WHERE work_id = ?", (work_id,)).fetchone()
        return row == (request_id,)

    def begin(self, work_id: str, charged: bytes, now_s: int) -> bool:
        """Remembers what the call that began the work is charged; False where its usage has been claimed already."""
        connection = self._opened()
        with connection:
            connection.execute("DELETE FROM begun WHERE begun_at_s < ?", (now_s - KEPT_S,))
            connection.execute("INSERT OR REPLACE INTO begun VALUES (?, ?, ?)", (work_id, charged, now_s))
            row = connection.execute("SELECT 1 FROM claims WHERE work_id = ?", (work_id,)).fetchone()
        return row is None

    def begun(self, work_id: str) -> bytes:
        """What `begin` remembered of the work; b"" where it began elsewhere."""
        row = self._opened().execute("SELECT charged FROM begun WHERE work_id = ?", (work_id,)).fetchone()
        return b"" if row is None else row[0]

    def release(self, request_id: str) -> None:
        """Gives back what a call claimed that died before it was recorded, so that the next one is charged."""
        if not self._path.exists():
            return
        connection = self._opened()
        with connection:
            connection.execute("DELETE FROM claims WHERE request_id = ?", (request_id,))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        """Opened at the first use, since few gateways ever see such work."""
        if self._connection is None:
            connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
            # Readers never wait, and a commit outlives the process at once and a power cut soon, as the journal does.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.executescript(_SCHEMA)
            self._connection = connection
        return self._connection
