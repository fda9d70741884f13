"""Owns the two places objects are put: a bucket of any cloud through obstore, and a local directory.

Both create an object whole or not at all and never replace one, and report it created only when it is durable.
Drivers' errors become StoreFault here, once.
"""

import io
import os
import re
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

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


class Missing(StoreFault):
    """There is no object of that name."""


class Entry(NamedTuple):
    """An object that is there. `modified_s` is the store's own clock."""

    key: str
    size_bytes: int
    modified_s: float


class Store(Protocol):
    def create(self, key: str, data: bytes) -> bool:
        """Puts a new object; false if there is one of that name, which stays as it is. Raises StoreFault."""
        ...

    def read(self, key: str) -> bytes:
        """A whole object. Raises StoreFault; Missing if there is none."""
        ...


class Shelf(Store, Protocol):
    """A store that can be looked through and tidied: what reads and curates the lake needs more than the landing."""

    def open(self, key: str) -> BinaryIO:
        """An object to read parts of; closed by whoever asked. Raises StoreFault; Missing if there is none."""
        ...

    def entries(self, folder: str) -> Iterator[Entry]:
        """Every object under a folder, at any depth, in no order; none where there is no folder. Raises StoreFault."""
        ...

    def delete(self, key: str) -> None:
        """Also where there is none. Raises StoreFault."""
        ...


def open_store(url: str) -> Shelf:
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

    def open(self, key: str) -> BinaryIO:
        # All of it: a file of the lake has some megabytes, and each part would be a request of its own.
        return io.BytesIO(self.read(key))

    def entries(self, folder: str) -> Iterator[Entry]:
        try:
            for batch in obstore.list(self._store, folder):
                for found in batch:
                    yield Entry(found["path"], found["size"], found["last_modified"].timestamp())
        except (obstore.exceptions.BaseError, OSError) as error:
            raise _fault(error) from None

    def delete(self, key: str) -> None:
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError:
            return
        except (obstore.exceptions.BaseError, OSError) as error:
            raise _fault(error) from None


def _fault(error: Exception) -> StoreFault:
    if isinstance(error, FileNotFoundError):
        return Missing("NotFoundError")
    # The driver's own text quotes URLs and answers; the class, and S3's code where there is one, say enough.
    code = _S3_CODE.search(str(error))
    return StoreFault(code[1] if code else type(error).__name__)


class Directory:
    """Files under a root. Of several who create one name at once, one does.

    obstore's LocalStore creates files atomically too, but never syncs them: after a power cut an acknowledged
    object could be empty or gone. Here the draft is synced, then linked to its name, then the directory is synced.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, key: str, data: bytes) -> bool:
        target = self._root / key
        # A name of its own: a draft that a dead process has already linked must not be written into again.
        draft = self._root / _DRAFTS / f"{target.name}.{secrets.token_hex(4)}"
        try:
            _make_directory(target.parent)
            _make_directory(draft.parent)
            try:
                _write_durably(draft, data)
                created = _link(draft, target)
            finally:
                # A full disk must not be filled further by every attempt.
                draft.unlink(missing_ok=True)
            # Also if it was there: whoever linked it may have died before this.
            _sync_directory(target.parent)
        except OSError as error:
            raise _os_fault(error) from error
        return created

    def read(self, key: str) -> bytes:
        try:
            return (self._root / key).read_bytes()
        except OSError as error:
            raise _os_fault(error) from error

    def open(self, key: str) -> BinaryIO:
        try:
            return (self._root / key).open("rb")
        except OSError as error:
            raise _os_fault(error) from error

    def entries(self, folder: str) -> Iterator[Entry]:
        waiting = [self._root / folder]
        try:
            while waiting:
                yield from self._within(waiting.pop(), waiting)
        except OSError as error:
            raise _os_fault(error) from error

    def _within(self, directory: Path, deeper: list[Path]) -> Iterator[Entry]:
        try:
            scanned = os.scandir(directory)
        except FileNotFoundError:
            return
        with scanned:
            for entry in scanned:
                if entry.is_dir():
                    deeper.append(Path(entry.path))
                    continue
                try:
                    stat = entry.stat()
                except FileNotFoundError:
                    continue  # deleted since it was seen
                yield Entry(os.path.relpath(entry.path, self._root), stat.st_size, stat.st_mtime)

    def delete(self, key: str) -> None:
        try:
            (self._root / key).unlink(missing_ok=True)
        except OSError as error:
            raise _os_fault(error) from error


def _os_fault(error: OSError) -> StoreFault:
    reason = error.strerror or type(error).__name__
    return Missing(reason) if isinstance(error, FileNotFoundError) else StoreFault(reason)


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
