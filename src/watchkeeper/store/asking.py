"""Asking whether anything is due: several questions in one statement, which is made once.

Whatever is asked many times a second is asked this way: building a statement costs more than
running it, and on PostgreSQL each question is a journey to the server and back.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select


def ask(*questions: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """One statement that answers them all; keep it, SQLAlchemy keeps its text with it."""
    return select(*questions)


def answers(conn: Connection, asked: Select[*tuple[Any, ...]], **given: object) -> list[bool]:
    """The answers, in order. ``given``: the values of the parameters that the questions name."""
    return [bool(a) for a in conn.execute(asked, given).one()]
