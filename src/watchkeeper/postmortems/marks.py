"""What an incident is known again by: alerts, causes, services, objectives, words. Pure.

A *mark* is one such trait as text, ``alert:checkout/PoolExhausted``. Alerts and causes are
*strong*: they say what broke. Services, objectives, journeys and words only say what it resembles.
The *fingerprint* of an incident is a digest of its strong marks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence

from watchkeeper.alerting.model import Alert
from watchkeeper.incidents.model import Incident
from watchkeeper.postmortems.terms import stem

ALERT, BURN, CAUSE = "alert", "burn", "cause"
SERVICE, SLO, JOURNEY, WORD = "service", "slo", "journey", "word"
STRONG = (ALERT, CAUSE)
MOST_WORDS = 60
"""Of one text, the first ones: what is said first says what it is about."""
MOST_LENGTH = 300
_NAMED = ("alertname", "alert_name", "monitor", "check")
_WORD = re.compile(r"[^\W\d_][\w-]*", re.UNICODE)
_CHANGING = re.compile(r"\b[0-9a-f]{8,}\b|\d+(?:[.,:]\d+)*", re.IGNORECASE)
_SAYS_LITTLE = (
    "about after again all also and any are because been before being but can could did does down"
    " during each error errors fail failed failing fails failure few for from had has have how into"
    " its more most not now off one only other our out over same server service should some such"
    " than that the their them then there these they this those through too under until was were"
    " what when where which while who why will with would you your incident issue outage problem"
    " user users customer customers production"
)
_COMMON = frozenset(_SAYS_LITTLE.split())


def marks_of(incident: Incident, alerts: Iterable[Alert], text: str = "") -> tuple[str, ...]:
    """All marks, each once. ``text``: what else was written of it, such as its root cause."""
    said = f"{incident.title} {incident.summary} {' '.join(incident.causes)} {text}"
    found = [
        *(_alert(each) for each in alerts),
        *_causes(incident),
        *(f"{SERVICE}:{name}" for name in incident.services),
        *(f"{SLO}:{name}" for name in incident.slos),
        *(f"{JOURNEY}:{name}" for name in incident.journeys),
        *(f"{WORD}:{word}" for word in words(said)),
    ]
    return tuple(dict.fromkeys(m[:MOST_LENGTH] for m in found))


def kind_of(mark: str) -> str:
    """What kind a mark is."""
    return mark.partition(":")[0]


def value_of(mark: str) -> str:
    """What a mark says."""
    return mark.partition(":")[2]


def fingerprint(marks: Sequence[str]) -> str:
    """SHA-256, hex, of the strong marks; '' when there are none."""
    strong = sorted(m for m in marks if kind_of(m) in STRONG)
    return hashlib.sha256("\n".join(strong).encode()).hexdigest() if strong else ""


def words(text: str, most: int = MOST_WORDS) -> list[str]:
    """The words that say something, by their stems, in order, each once."""
    found: dict[str, None] = {}
    for match in _WORD.finditer(text.casefold()):
        word = match[0].strip("-")
        if len(word) > 2 and word not in _COMMON:
            found.setdefault(stem(word)[:40])
            if len(found) == most:
                break
    return list(found)


def _alert(alert: Alert) -> str:
    """One that burns a budget is a mark of its own kind: many causes raise the same one."""
    slo = alert.labels.get("slo")
    if slo:
        return f"{BURN}:{slo}"
    name = next((alert.labels[n] for n in _NAMED if alert.labels.get(n)), "")
    # What has no name is known by its summary, without numbers and ids, which change.
    said = name or " ".join(_CHANGING.sub("#", alert.summary.casefold()).split())
    return f"{ALERT}:{alert.service}/{said}"


def _causes(incident: Incident) -> Iterator[str]:
    for cause in incident.causes:
        said = " ".join(cause.casefold().split())
        for service in incident.services or ("",):
            yield f"{CAUSE}:{service}/{said}"
