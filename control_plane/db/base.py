"""Owns what all tables share: the registry, the names of constraints, the mixins. Knows no feature.

Times are integers (UTC; `_s` seconds, `_ms` milliseconds), money is integer nano-USD, ids are prefixed ULIDs.
"""

import enum
from typing import Any, ClassVar, Literal

from sqlalchemy import JSON, BigInteger, Enum, ForeignKey, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from sqlalchemy.sql.schema import ScalarElementColumnDefault

# So that a migration can name what it changes, alike in both databases.
_NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table's base. A Python `int` is 64 bits wide, a `dict` or `list` is JSON."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger,
        str: String,
        dict[str, Any]: JSON,
        dict[str, str]: JSON,
        dict[str, int]: JSON,
        list[str]: JSON,
        list[int]: JSON,
        # Text in the database: a further value is no migration there.
        Literal: Enum(enum.Enum, native_enum=False, length=32),
    }

    def __init__(self, **values: Any) -> None:
        """A row has its defaults at once, not from the flush on: what is published of it is compiled before."""
        for column in type(self).__table__.columns:
            if isinstance(column.default, ScalarElementColumnDefault):
                values.setdefault(column.key, column.default.arg)
        for name, value in values.items():
            if not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} has no column {name}")
            setattr(self, name, value)


class OrgOwned:
    """Rows of one organization. A session sees and writes only its own organization's (engine.py)."""

    @declared_attr
    @classmethod
    def org_id(cls) -> Mapped[str]:
        return mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"), index=True)


class Edited:
    """Rows that people edit: `version` counts the edits, and is the ETag."""

    version: Mapped[int] = mapped_column(default=1)
    updated_at_ms: Mapped[int] = mapped_column(default=0)
