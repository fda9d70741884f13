"""Owns the two places objects are put: a bucket of any cloud through obstore, and a local directory.

Both create an object whole or not at all and never replace one, and report it created only when it is durable.
Drivers' errors become StoreFault here, once.
"""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import obstore
import obstore.exceptions
import obstore.store

# One request's time; a landing file is small, and a slower store is a store that fails.
REQUEST_TIMEOUT = timedelta(seconds=30)
# The landing loop does the waiting between attempts, where a signal to stop is heard.
_RETRIES_MAX = 2

_DRAFTS = ".draft"
_S3_CODE = re.compile(r"<Code>([A-Za-z]{1,64})</Code>")


class StoreFault(Exception):
    """The store did not do it, or did not say so. Its message names no secret: a class or a code of the driver's."""


class Store(Protocol):
    def create(self, key: str, data: bytes) -> bool:
        """Puts a new object; false if there is one of that name, which stays as it is. Raises StoreFault."""
        ...

    def read(self, key: str) -> bytes:
        """A whole object. Raises StoreFault, also if there is none."""
        ...


def open_store(url: str) -> Store:
    """A bucket for `s3://`, `gs://`, `az://` …; a directory for a path. Raises ValueError for a URL nobody serves.

    Credentials, region and endpoint of a bucket come from the environment variables of its cloud's own tools.
    """
    if "://" not in url:
        return Directory(Path(url))
    try:
        return Bucket(
            obstore.store.from_url(
                url,
                client_options={
                    "timeout": REQUEST_TIMEOUT,
                    # Spoken only to an endpoint that the operator named with http://; every default is HTTPS.
                    "allow_http": True,
                },
                retry_config={"max_retries": _RETRIES_MAX, "retry_timeout": REQUEST_TIMEOUT},
            )
        )
    except obstore.exceptions.BaseError as error:
        raise ValueError(f"not a store: {url.partition('?')[0]} ({type(error).__name__})") from None


class Bucket:
    """An obstore store. Its calls block; none of them needs an event loop."""

    def __init__(self, store: obstore.store.ObjectStore) -> None:
        self._store = store

    def create(self, key: str, data: bytes) -> bool:
        try:
            obstore.put(self._store, key, data, mode="create")
        except obstore.exceptions.AlreadyExistsError:
            return False
        except (obstore.exceptions.BaseError, OSError) as error:
            raise _fault(error) from None
        return True

    def read(self, key: str) -> bytes:
        try:
            return bytes(obstore.get(self._store, key).bytes())
        except (obstore.exceptions.BaseError, OSError) as error:
            raise _fault(error) from None


def _fault(error: Exception) -> StoreFault:
    # The driver's own text quotes URLs and answers; the class, and S3's code where there is one, say enough.
    code = _S3_CODE.search(str(error))
    return StoreFault(code[1] if code else type(error).__name__)


class Directory:
    """Files under a root. One process at a time writes a given name.

    obstore's LocalStore creates files atomically too, but never syncs them: after a power cut an acknowledged
    object could be empty or gone. Here the draft is synced, then linked to its name, then the directory is synced.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, key: str, data: bytes) -> bool:
        target = self._root / key
        draft = self._root / _DRAFTS / target.name
        try:
            _make_directory(target.parent)
            _make_directory(draft.parent)
            _write_durably(draft, data)
            created = _link(draft, target)
            draft.unlink()
            # Also if it was there: whoever linked it may have died before this.
            _sync_directory(target.parent)
        except OSError as error:
            raise StoreFault(error.strerror or type(error).__name__) from error
        return created

    def read(self, key: str) -> bytes:
        try:
            return (self._root / key).read_bytes()
        except OSError as error:
            raise StoreFault(error.strerror or type(error).__name__) from error


def _link(draft: Path, target: Path) -> bool:
    try:
        os.link(draft, target)
    except FileExistsError:
        return False
    return True


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _make_directory(directory: Path) -> None:
    """Creates it and its parents, each durably."""
    if directory.is_dir():
        return
    _make_directory(directory.parent)
    directory.mkdir(exist_ok=True)
    _sync_directory(directory.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
