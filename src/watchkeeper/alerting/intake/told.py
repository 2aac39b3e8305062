"""Any JSON that tells of a change, by a mapping of our fields to places in it, or by usual names.

Pure. The same names are those of ``POST /api/v1/changes``.
"""

from __future__ import annotations

from collections.abc import Mapping

from watchkeeper.alerting.intake.generic import mapped
from watchkeeper.alerting.intake.model import Asked, Understood
from watchkeeper.alerting.intake.reading import Fields, items, links_of, plain, time_of, wrong
from watchkeeper.changes import words
from watchkeeper.changes.model import ChangeKind, Outcome, Told
from watchkeeper.kernel.clock import Seconds

USUAL: Mapping[str, tuple[str, ...]] = {
    "summary": ("summary", "title", "message", "description", "text", "name"),
    "kind": ("kind", "type", "change_type"),
    "intent": ("intent", "change_kind"),
    "service": ("service", "service_name", "serviceName", "app", "application", "component"),
    "environment": ("environment", "env", "stage"),
    "version": ("version", "release", "tag", "revision", "sha", "commit"),
    "previous_version": ("previous_version", "previousVersion", "from"),
    "started_at": ("started_at", "startedAt", "start", "at", "timestamp", "time", "created_at"),
    "ended_at": ("ended_at", "endedAt", "finished_at", "finishedAt", "end", "timeEnd"),
    "outcome": ("outcome", "status", "state", "result", "conclusion"),
    "key": ("key", "dedup_key", "dedupKey", "id", "deployment_id"),
    "url": ("url", "link", "href"),
    "source": ("source", "origin"),
    "actor": ("actor", "user", "by", "author"),
}
_OUR_OWN = ("key", "summary", "service", "services", "environment", "version", "outcome")


def parse(document: object, asked: Asked) -> list[Understood]:
    """An object is one change, a list one for each of its objects."""
    if isinstance(document, list):
        return [_one(each, asked) for each in items(document, "")]
    return [_one(Fields(document), asked)]


def _one(fields: Fields, asked: Asked) -> Told:
    found = {name: _field(fields, asked, name) for name in USUAL}
    services = tuple(s.strip() for s in found["service"].split(",") if s.strip())
    if not services and "service" not in asked.mapping:
        services = tuple(fields.texts("services"))
    if not (found["summary"] or found["version"] or services):
        where = asked.mapping.get("summary", "summary")
        raise wrong(fields.at(where), "a text that says what was changed", "or map 'summary'")
    started, ended = (_time(found[n], fields.at(n)) for n in ("started_at", "ended_at"))
    outcome = _outcome(found["outcome"], fields.at("outcome"), ended)
    kind = words.kind_of(found["kind"])
    over = outcome in (Outcome.FAILED, Outcome.ROLLED_BACK) or ended is not None
    return Told(
        summary=found["summary"],
        kind=words.kind_in(found["summary"]) if kind is ChangeKind.OTHER else kind,
        intent=words.intent_of(found["intent"]),
        services=services,
        environment=found["environment"],
        version=found["version"],
        previous_version=found["previous_version"],
        started_at=started,
        ended_at=ended,
        outcome=outcome,
        links=links_of([("Link", found["url"])]),
        source=found["source"],
        key=found["key"],
        reporter=found["actor"],
        at=ended if over and ended is not None else started,
        labels={
            k[:200]: plain(v)[:1000]
            for k, v in fields.data.items()
            if v is not None and k not in _OUR_OWN
        },
    )


def _field(fields: Fields, asked: Asked, name: str) -> str:
    if name in asked.mapping:
        return mapped(fields.data, asked.mapping[name])
    for usual in USUAL[name]:
        value = fields.data.get(usual)
        if value is not None and value != "" and not isinstance(value, dict | list):
            return plain(value)
    return ""


def _outcome(word: str, path: str, ended: Seconds | None) -> Outcome | None:
    """Raises UserError for a word that nobody knows: a guess would be taken for the truth."""
    if not word:
        return Outcome.SUCCEEDED if ended is not None else None
    found = words.outcome_of(word)
    if found is None:
        raise wrong(path, f"one of {', '.join(Outcome)}, or a usual word for one")
    return found


def _time(text: str, path: str) -> Seconds | None:
    try:
        return time_of(float(text), path)
    except ValueError:
        return time_of(text, path)
