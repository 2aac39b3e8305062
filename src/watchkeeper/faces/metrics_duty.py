"""The pager's numbers at `/metrics`: what waits, what failed, what the audit found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from watchkeeper.engine.board import Posting
from watchkeeper.notify.figures import Figures as Deliveries
from watchkeeper.oncall.audit import CODES
from watchkeeper.oncall.figures import Figures as Pages

Samples = Sequence[tuple[Mapping[str, str], float]]
STATES = ("open", "acked")
URGENCIES = ("page", "ticket")


def lines(pages: Pages, deliveries: Deliveries, posting: Posting) -> Iterator[str]:
    """The lines; what is always there is there with 0, so that rules can rely on it."""
    known = {("alert", s, u): 0 for s in STATES for u in URGENCIES} | dict(pages.pages)
    yield from _family(
        "watchkeeper_pages",
        "gauge",
        "Pages that are not resolved; 'open': nobody has them.",
        [({"kind": k, "state": s, "urgency": u}, n) for (k, s, u), n in known.items()],
    )
    yield from _family(
        "watchkeeper_pages_opened_total",
        "counter",
        "Pages opened since the first.",
        [({"kind": kind}, n) for kind, n in pages.opened.items()],
    )
    yield from _alone(
        "watchkeeper_page_oldest_due_seconds",
        "gauge",
        "Since when the oldest step of a page is due that nobody has taken.",
        pages.oldest_due,
    )
    channels = [*posting.specs.duty.channels]
    for name, text, counts in (
        ("due", "Messages that are due now.", deliveries.due),
        ("waiting", "Messages whose time has not come.", deliveries.waiting),
        ("sending", "Messages that a replica is sending.", deliveries.leased),
    ):
        yield from _family(f"watchkeeper_deliveries_{name}", "gauge", text, _each(channels, counts))
    yield from _family(
        "watchkeeper_deliveries_failed_total",
        "counter",
        "Messages that failed for good; the next channel was tried.",
        _each(channels, deliveries.failed),
    )
    yield from _alone(
        "watchkeeper_delivery_oldest_due_seconds",
        "gauge",
        "Since when the oldest message is due that nobody has taken.",
        deliveries.oldest_due,
    )
    yield from _alone(
        "watchkeeper_deliveries_taken_over_total",
        "counter",
        "Messages taken over from replicas that are gone.",
        deliveries.taken_over,
    )
    yield from _alone(
        "watchkeeper_replicas", "gauge", "Replicas that say they live.", deliveries.replicas
    )
    broken = dict.fromkeys(CODES, 0) | {f.code: f.count for f in posting.broken}
    yield from _family(
        "watchkeeper_audit_faults",
        "gauge",
        "Promises that the engine's last audit found broken; normally all 0.",
        [({"code": code}, n) for code, n in broken.items()],
    )
    yield from _alone(
        "watchkeeper_readiness_faults",
        "gauge",
        "What would keep a page from reaching somebody: gaps, people without contacts.",
        sum(f.count for f in posting.weak),
    )


def _each(channels: Sequence[str], counts: Mapping[str, int]) -> Samples:
    known = dict.fromkeys(channels, 0) | dict(counts)
    return [({"channel": name}, n) for name, n in known.items()]


def _alone(name: str, kind: str, text: str, value: float) -> Iterator[str]:
    yield from _family(name, kind, text, [({}, value)])


def _family(name: str, kind: str, text: str, samples: Samples) -> Iterator[str]:
    yield f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
    for labels, value in samples:
        inner = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
        yield f"{name}{{{inner}}} {float(value)!r}\n" if inner else f"{name} {float(value)!r}\n"


def escaped(text: str) -> str:
    """A label's value in the text format."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
