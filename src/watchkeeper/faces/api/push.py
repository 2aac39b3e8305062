"""What the OpenAPI description says beside what FastAPI finds out: push endpoints, and errors.

The push endpoints are not FastAPI's (`faces.push`): an answer waits for the disk, and bodies are
read up to a limit. So their description is written here; a test holds the two together.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from watchkeeper.faces.api.models import ErrorOut
from watchkeeper.measure.push.parsing import (
    MOST_ATTRIBUTES,
    MOST_EVENTS,
    MOST_PUSHES,
    MOST_TEXT,
)
from watchkeeper.measure.push.work import MOST_KEY

_EVENTS = {"type": "number", "minimum": 0, "maximum": MOST_EVENTS}
_PUSH: dict[str, Any] = {
    "type": "object",
    "title": "Push",
    "required": ["stream", "total"],
    "additionalProperties": False,
    "properties": {
        "stream": {
            "type": "string",
            "minLength": 1,
            "maxLength": MOST_TEXT,
            "description": "The name that an SLI listens to.",
        },
        "time": {
            "description": "RFC 3339 or epoch seconds, from 400 days back to 10 minutes ahead; "
            "now when absent.",
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}],
        },
        "good": {**_EVENTS, "description": "At most the total. Absent: this counts one part only."},
        "total": _EVENTS,
        "attributes": {
            "type": "object",
            "maxProperties": MOST_ATTRIBUTES,
            "additionalProperties": {
                "anyOf": [
                    {"type": "string", "maxLength": MOST_TEXT},
                    {"type": "integer", "minimum": -(2**63) + 1, "maximum": 2**63 - 1},
                    {"type": "boolean"},
                ]
            },
        },
    },
    "example": {"stream": "import-rows", "good": 99950, "total": 100000},
}
_PUSHED: dict[str, Any] = {
    "type": "object",
    "title": "Pushed",
    "required": ["recorded", "duplicate"],
    "properties": {
        "recorded": {"type": "integer", "description": "How many pushes were recorded."},
        "duplicate": {"type": "boolean", "description": "The key was seen before: nothing added."},
    },
}
_OTLP: dict[str, Any] = {
    "type": "object",
    "title": "ExportMetricsServiceRequest",
    "description": "As opentelemetry-proto's collector/metrics/v1 says.",
    "properties": {"resourceMetrics": {"type": "array", "items": {"type": "object"}}},
}
_OTLP_ANSWER: dict[str, Any] = {
    "type": "object",
    "title": "ExportMetricsServiceResponse",
    "properties": {
        "partialSuccess": {
            "type": "object",
            "properties": {
                "rejectedDataPoints": {"type": ["string", "integer"]},
                "errorMessage": {"type": "string"},
            },
        }
    },
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": MOST_KEY, "pattern": "^[!-~]+$"},
    "description": "The same message with the same key is counted once, for 7 days.",
}
_WRONG = {
    "400": "The body is wrong; nothing was recorded.",
    "401": "No token, or one that opens nothing.",
    "403": "The token lacks the scope `push`.",
    "413": "The body is too large.",
    "415": "The content type or encoding is not read.",
    "503": "The database cannot be used now: send the same again after Retry-After.",
}


_ERRORS = {
    "400": "The request is wrong.",
    "401": "No token, or one that opens nothing.",
    "403": "The token lacks the scope.",
    "404": "No such thing.",
    "503": "The database cannot be used now.",
}
"""What every other operation may answer."""


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _errors(told: dict[str, str]) -> dict[str, Any]:
    error = {"$ref": "#/components/schemas/ErrorOut"}
    return {s: {"description": d, "content": _json(error)} for s, d in told.items()}


def _answers(good: dict[str, Any]) -> dict[str, Any]:
    return {**good, **_errors(_WRONG)}


_BINARY = {"application/x-protobuf": {"schema": {"type": "string", "format": "binary"}}}
PATHS: dict[str, Any] = {
    "/v1/push": {
        "post": {
            "tags": ["push"],
            "summary": "Push",
            "operationId": "push",
            "description": "Records counts: one object, or a list of them as a whole. The answer "
            "comes once they are on disk.",
            "parameters": [_KEY],
            "requestBody": {
                "required": True,
                "content": _json(
                    {
                        "oneOf": [
                            _PUSH,
                            {
                                "type": "array",
                                "items": _PUSH,
                                "minItems": 1,
                                "maxItems": MOST_PUSHES,
                            },
                        ]
                    }
                ),
            },
            "responses": _answers(
                {
                    "202": {"description": "Recorded.", "content": _json(_PUSHED)},
                    "200": {"description": "A repetition.", "content": _json(_PUSHED)},
                }
            ),
        }
    },
    "/v1/otlp/v1/metrics": {
        "post": {
            "tags": ["push"],
            "summary": "OTLP over HTTP",
            "operationId": "push_otlp",
            "description": "OpenTelemetry metrics, as protobuf or JSON, plain or gzipped. The same "
            "is at `/v1/metrics`, where exporters look for it.",
            "parameters": [_KEY],
            "requestBody": {"required": True, "content": {**_json(_OTLP), **_BINARY}},
            "responses": _answers(
                {
                    "200": {
                        "description": "Recorded, but for what `partialSuccess` names.",
                        "content": {**_json(_OTLP_ANSWER), **_BINARY},
                    }
                }
            ),
        }
    },
}


class Api(FastAPI):
    """FastAPI, whose description also tells of errors and of the push endpoints."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        made = super().openapi()
        # Told to FastAPI, they would be made ready for each route, which is most of a start's time.
        found = [operations for path, operations in made["paths"].items() if path not in PATHS]
        for operations in found:
            for operation in operations.values():
                operation["responses"] = {**_errors(_ERRORS), **operation["responses"]}
        made["components"]["schemas"].setdefault("ErrorOut", ErrorOut.model_json_schema())
        made["paths"].update(PATHS)
        return made
