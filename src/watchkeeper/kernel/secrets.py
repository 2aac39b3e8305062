"""Secrets by reference: to an environment variable or a file, never written in specs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from watchkeeper.kernel.errors import UserError

_KEPT = re.compile(r"\{(env|file): ([^{}]+)\}")


def as_text(reference: Mapping[str, object]) -> str:
    """``{env: NAME}`` as a text that can be kept where texts are; it holds no secret."""
    kind, where = next(iter(reference.items()))
    return f"{{{kind}: {where}}}"


def is_reference(text: str) -> bool:
    """True for what `as_text` made."""
    return _KEPT.fullmatch(text) is not None


def resolve(text: str, what: str) -> str:
    """The secret behind a kept reference; any other text is what it is. Raises UserError."""
    kept = _KEPT.fullmatch(text)
    return secret({kept[1]: kept[2]}, what) if kept else text


def secret(value: object, what: str) -> str:
    """The text behind ``{env: NAME}`` or ``{file: PATH}`` (a plain string is taken as it is).

    Raises UserError, which names the reference and never the value.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        kind, where = next(iter(value.items()))
        if kind == "env":
            found = os.environ.get(str(where))
            if found is None:
                raise UserError(
                    f"{what}: environment variable {where} is not set", "set it, or use file"
                )
            return found
        if kind == "file":
            try:
                return Path(str(where)).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise UserError(f"{what}: cannot read {where}: {error.strerror}") from None
    raise UserError(f"{what} is not a reference", "write {env: NAME} or {file: PATH}")
