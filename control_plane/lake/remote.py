"""Owns reading Parquet files of a bucket: as an Arrow dataset, of which the columns and row groups asked for are read.

DuckDB's own way to S3 is an extension, which it downloads; here the store is the same obstore that gateways land with.
Objects of a lake never change, so that small ones (rollups are) are read whole once and kept, up to a limit.
"""

# pyarrow ships no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false, reportMissingParameterType=false
# pyright: reportUntypedBaseClass=false, reportIncompatibleMethodOverride=false

import io
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import obstore
import obstore.exceptions
import obstore.store
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as fs

from gateway.lake.store import REQUEST_TIMEOUT

# One request for all of it takes no longer than one for a part.
SMALL_BYTES_MAX = 1 << 20
# A month of rollups, and some.
KEPT_BYTES_MAX = 64 << 20
# As Delta Lake writes partitions: values in the path, encoded as in a URL.
_PARTITIONS = ("dt", "project_id")


class Remote:
    """Buckets, each opened once, and what was read of them lately. Its methods may be called by any thread."""

    def __init__(self, kept_bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._stores: dict[str, Any] = {}
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._kept_bytes, self._kept_bytes_max = 0, kept_bytes_max
        self._lock = threading.Lock()

    def dataset(self, urls: Sequence[str], schema: Any = None) -> Any:
        """A pyarrow Dataset of files of one bucket; `schema`: their columns, else the first one's. Raises OSError."""
        bucket = "/".join(urls[0].split("/", 3)[:3])
        partitions = [name for name in _PARTITIONS if f"/{name}=" in urls[0]]
        return ds.dataset(
            [urlsplit(url).path.lstrip("/") for url in urls],
            schema=schema,
            filesystem=fs.PyFileSystem(_Objects(self, bucket)),
            format=ds.ParquetFileFormat(default_fragment_scan_options=ds.ParquetFragmentScanOptions(pre_buffer=True)),
            partitioning=ds.partitioning(pa.schema([(name, pa.string()) for name in partitions]), flavor="hive"),
        )

    def open(self, bucket: str, key: str) -> io.RawIOBase | io.BytesIO:
        """A file over an object. Raises OSError."""
        url = f"{bucket}/{key}"
        with self._lock:
            kept = self._kept.get(url)
            if kept is not None:
                self._kept.move_to_end(url)
                return io.BytesIO(kept)
        file = _Object(self._store(bucket), key)
        if file.size > SMALL_BYTES_MAX:
            return file
        data = file.read()
        self._keep(url, data)
        return io.BytesIO(data)

    def _store(self, bucket: str) -> Any:
        with self._lock:
            if bucket not in self._stores:
                options: Any = {"timeout": REQUEST_TIMEOUT, "allow_http": True}
                self._stores[bucket] = obstore.store.from_url(bucket, client_options=options)
            return self._stores[bucket]

    def _keep(self, url: str, data: bytes) -> None:
        with self._lock:
            self._kept_bytes += len(data) - len(self._kept.pop(url, b""))
            self._kept[url] = data
            while self._kept_bytes > self._kept_bytes_max:
                self._kept_bytes -= len(self._kept.popitem(last=False)[1])


class _Object(io.RawIOBase):
    """A file over one object, whose reads are requests for just these bytes."""

    def __init__(self, store: Any, key: str) -> None:
        super().__init__()
        self._store, self._key, self._at = store, key, 0
        try:
            self.size = int(obstore.head(store, key)["size"])
        except obstore.exceptions.BaseError as error:
            raise OSError(type(error).__name__) from None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        end = self.size if size is None or size < 0 else min(self.size, self._at + size)
        if end <= self._at:
            return b""
        start, self._at = self._at, end
        try:
            return bytes(obstore.get_range(self._store, self._key, start=start, end=end))
        except obstore.exceptions.BaseError as error:
            # The driver's own text quotes URLs.
            raise OSError(type(error).__name__) from None


def _only_reads(*_: Any) -> Any:
    raise io.UnsupportedOperation("questions only read")


class _Objects(fs.FileSystemHandler):
    """What Arrow asks of a file system to read files that are named. Paths are keys."""

    def __init__(self, remote: Remote, bucket: str) -> None:
        self._remote, self._bucket = remote, bucket

    def get_type_name(self) -> str:
        return "objects"

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: Sequence[str]) -> list[Any]:
        # Whether one is there shows when it is read.
        return [fs.FileInfo(path, fs.FileType.File) for path in paths]

    def open_input_file(self, path: str) -> Any:
        return pa.PythonFile(self._remote.open(self._bucket, path), mode="r")

    open_input_stream = open_input_file

    copy_file = create_dir = delete_dir = delete_dir_contents = delete_file = _only_reads
    delete_root_dir_contents = get_file_info_selector = move = open_append_stream = open_output_stream = _only_reads

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__
