"""The HTTP API of Prometheus and of what speaks like it (Thanos, Mimir, VictoriaMetrics)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from watchkeeper.kernel.clock import Seconds
from watchkeeper.measure.http import FetchError, Http, without_secrets

Result = list[dict[str, Any]]


class BadQueryError(FetchError):
    """The server does not understand this query; asking again will not help."""


class TooMuchError(FetchError):
    """The server refuses to load that many samples, or gave up; ask for less."""


class Api:
    """Queries of one server. ``queries`` counts what was asked, for the budget and the tests."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._base = str(settings["url"]).rstrip("/")
        self._http = Http(settings, timeout=30.0)
        self.queries = 0
        self.warnings: list[str] = []

    def now(self) -> Seconds:
        """The server's clock, to the millisecond."""
        data = self._ask("query", {"query": "time()"})
        return float(data["result"][0])

    def instant(self, query: str, at: Seconds) -> Result:
        """Evaluate at one time: series with ``value``, or ``values`` for a range selector."""
        return list(self._ask("query", {"query": query, "time": f"{at:.3f}"})["result"])

    def range(self, query: str, start: Seconds, end: Seconds, step: int) -> Result:
        """Evaluate at start, start + step, … end: a list of series with ``values``."""
        form = {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": str(step)}
        return list(self._ask("query_range", form)["result"])

    def label_values(self, label: str, match: str, start: Seconds, end: Seconds) -> list[str]:
        """The values that a label has in the series that ``match`` selects."""
        form = {"match[]": match, "start": f"{start:.3f}", "end": f"{end:.3f}"}
        series = self._ask("series", form)
        return sorted({str(s[label]) for s in series if label in s})

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _ask(self, what: str, form: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        self.queries += 1
        response = self._http.post(f"{self._base}/api/v1/{what}", form)
        where = without_secrets(self._base)
        try:
            answer = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict) or "status" not in answer:
            raise FetchError(
                f"{where} answered HTTP {response.status_code} without Prometheus' JSON",
                "does `url` lead to the Prometheus API, without /api/v1?",
                response.status_code,
            )
        if answer["status"] != "success":
            raise _failure(where, response.status_code, answer)
        self._check_warnings(where, answer)
        return answer["data"]

    def _check_warnings(self, where: str, answer: Mapping[str, Any]) -> None:
        """A partial answer is no answer: what is missing would be taken for silence."""
        for warning in answer.get("warnings") or ():
            text = str(warning)
            if not text.startswith("PromQL "):
                raise FetchError(f"{where} gave a partial answer: {text[:300]}")
            self.warnings.append(text)


def _failure(where: str, status: int, answer: Mapping[str, Any]) -> FetchError:
    kind, text = str(answer.get("errorType", "")), str(answer.get("error", ""))[:300]
    message = f"{where} answered {kind or status}: {text}"
    if (
        "too many samples" in text
        or "exceeded maximum" in text
        or "limit" in text
        or kind == "timeout"
    ):
        return TooMuchError(message, "", status)
    if kind == "bad_data" or (kind == "execution" and status == 422):
        return BadQueryError(message, "", status)
    return FetchError(message, "", status)
