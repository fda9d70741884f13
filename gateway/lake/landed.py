"""Owns a look at a local lake: which files have landed, and whose rows they hold. Never writes."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from pathlib import Path

import pyarrow.parquet as pq


def landed_files(root: Path) -> list[Path]:
    """The landing files under a lake's directory, oldest day first; drafts are none."""
    return sorted(root.glob("landing/dt=*/*.parquet"))


def landed_ids(file: Path) -> list[str]:
    """The request id of each row. Raises OSError, and ArrowException for what is no Parquet file."""
    return pq.read_table(file, columns=["request_id"]).column("request_id").to_pylist()
