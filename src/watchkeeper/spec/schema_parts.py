"""Parts that the JSON Schemas of all kinds are built from."""

from __future__ import annotations

from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
FIXED: dict[str, Any] = {"type": "string", "pattern": r"^(\d+(ms|[smhdw]))+$"}
DURATION: dict[str, Any] = {"type": "string", "pattern": r"^(\d+(ms|[smhdw]))+$|^\d+[MQY]$"}
SHARE: dict[str, Any] = {
    "oneOf": [
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        {"type": "string", "pattern": r"^\s*(100(\.0+)?|\d{1,2}(\.\d+)?)\s*%\s*$"},
    ]
}
TEXT_TABLE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean", "array"]},
}
TEXTS: dict[str, Any] = {
    "oneOf": [TEXT, {"type": "array", "items": {"type": ["string", "number"]}}],
}
EXTENSIONS = {"^x-": True}


def an_object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:  # noqa: ANN401
    """A mapping with these keys, extension keys, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        "patternProperties": EXTENSIONS,
    }


def any_case(word: str) -> str:
    """A pattern for the word in large and small letters; JSON Schema has no flag for it."""
    return "".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in word)
