"""Asking whether anything is due: several questions in one statement, which is made once.

Whatever is asked many times a second is asked this way: building a statement costs more than
running it, and on PostgreSQL each question is a journey to the server and back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY


def ask(*questions: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """One statement that answers them all; keep it, SQLAlchemy keeps its text with it."""
    return select(*questions)


def answers(conn: Connection, asked: Select[*tuple[Any, ...]], **given: object) -> list[bool]:
    """The answers, in order. ``given``: the values of the parameters that the questions name."""
    return [bool(a) for a in conn.execute(asked, given).one()]


def among(conn: Connection, column: ColumnElement[int], ids: Sequence[int]) -> ColumnElement[bool]:
    """Whether a column is one of these, however many: they are one parameter.

    A parameter for each makes another statement for each length, to be written and read anew; for
    a thousand that takes longer than finding them.
    """
    if conn.dialect.name == "postgresql":
        return column == any_(bindparam(None, list(ids), ARRAY(BigInteger)))
    return column.in_(select(func.json_each(json.dumps(list(ids))).table_valued("value").c.value))
