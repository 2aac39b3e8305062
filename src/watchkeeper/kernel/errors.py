"""Errors that say what happened and what to do about it."""

from __future__ import annotations


class WatchkeeperError(Exception):
    """Something went wrong that a person can act on.

    ``message`` says what is wrong, ``hint`` (may be empty) what to do about it.
    Faces render both; the CLI exits with ``exit_status``, the API answers ``http_status``.
    """

    exit_status = 1
    http_status = 500

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UserError(WatchkeeperError):
    """The input is wrong: exit status 2, HTTP 400."""

    exit_status = 2
    http_status = 400


class NotFound(UserError):  # noqa: N818 - it reads as what happened
    """What was asked for does not exist: exit status 2, HTTP 404."""

    http_status = 404


class StoreError(WatchkeeperError):
    """The database cannot be used now (locked, full, unreachable): HTTP 503."""

    http_status = 503
