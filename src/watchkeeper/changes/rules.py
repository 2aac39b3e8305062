"""What reports say together, and what a sender's words mean. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TypeVar

from watchkeeper.changes.model import MITIGATION, Change, ChangeKind, Intent, Outcome, Report, Told
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.errors import UserError
from watchkeeper.spec.model import Specs

V = TypeVar("V")

AHEAD = 366 * 86400.0
"""Seconds into the future in which maintenance may be planned."""
OPEN_FOR = 86400.0
"""Seconds for which a change in progress is held to go on if nothing more is heard of it."""
MOST_REPORTS = 50
"""Reports that are kept of one change."""
LIMITS: Mapping[str, int] = {
    "summary": 1000, "environment": 100, "version": 200, "previous_version": 200, "source": 500,
    "reporter": 200,
}  # fmt: skip
MOST_SERVICES, MOST_LABELS, MOST_KEY, MOST_NAME = 50, 100, 400, 300

AGAINST = 120.0
"""Seconds after the start of a mitigation in which trouble that seems to begin was there before:
measurements are of whole minutes, and an onset is found within one of them."""
TESTING = frozenset(
    ("staging", "stage", "stg", "test", "testing", "qa", "uat", "dev", "devel", "development",
     "preview", "review", "sandbox", "ci", "local", "localhost", "integration")
)  # fmt: skip
"""Names of environments where no user is."""


def checked(told: Told, now: Seconds) -> Told:
    """The report within our limits: longer texts are cut. Raises UserError for what cannot be."""
    if not (told.summary or told.version or told.services):
        raise UserError(
            "A change needs a summary, a version or a service.", "Say what was changed."
        )
    if len(told.key) > MOST_KEY:
        raise UserError(f"The key has more than {MOST_KEY} characters.", "Use a shorter one.")
    for name in ("started_at", "ended_at"):
        at = getattr(told, name)
        if at is not None and not 0 <= at <= now + AHEAD:
            raise UserError(f"{name} is too far in the future.", "At most a year from now.")
    start, end = told.started_at, told.ended_at
    if start is not None and end is not None and end < start:
        said = f"{iso(end)} is before {iso(start)}"
        raise UserError(f"The change ends before it starts: {said}.", "Check both times.")
    texts = {name: getattr(told, name).strip()[:most] for name, most in LIMITS.items()}
    names = (s.strip()[:MOST_NAME] for s in told.services)
    return replace(
        told,
        **texts,
        services=tuple(dict.fromkeys(n for n in names if n))[:MOST_SERVICES],
        links=tuple((t[:200], u[:2000]) for t, u in told.links[:20]),
        labels={k[:200]: v[:1000] for k, v in list(told.labels.items())[:MOST_LABELS]},
        at=told.at if told.at is not None and told.at <= now else None,
    )


def key_of(told: Told, scope: str, fresh: str) -> str:
    """By which reports of one change are known: the sender's key, within its door (``scope``).

    Without one, a report that says when the change happened is known by what it says, so that it
    may come again; of any other, each is a change of its own (``fresh`` is a new unique id).
    """
    if told.key:
        return f"{scope}:{told.key}"
    when = next((t for t in (told.started_at, told.at, told.ended_at) if t is not None), None)
    if when is None:
        return f"{scope}:new:{fresh}"
    what = [told.kind, sorted(told.services), told.environment, told.version, told.summary, when]
    return f"{scope}:of:{_digest(what)}"


def digest(told: Told) -> str:
    """Equal for reports that say the same."""
    return _digest(asdict(told))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:40]


def folded(key: str, reports: Sequence[Report]) -> Change:
    """The change of which these are the reports.

    A function of their set: neither order of arrival nor repetition matters. It began at the
    earliest start and ended at the latest end that was told. Where no start was, it began when it
    was first told of; where no end was, one that had been in progress ended when it was first told
    to be over, one that was rolled back when that was told. Its services are all that were named;
    of everything else the latest word counts. ValueError when there are no reports.
    """
    inorder = sorted({r.digest: r for r in reports}.values(), key=lambda r: (r.at, r.digest))
    told = [r.told for r in inorder]
    starts = [t.started_at for t in told if t.started_at is not None] or [r.at for r in inorder]
    ends = [t.ended_at for t in told if t.ended_at is not None] or _over(inorder)
    started = min([*starts, *ends])
    ended = max(ends, default=None)
    first = min(inorder, key=lambda r: (r.written_at, r.digest))
    services = tuple(dict.fromkeys(s for t in told for s in t.services))
    version = _last(told, lambda t: t.version)
    return Change(
        id=0,
        key=key,
        kind=_last(told, lambda t: t.kind, ChangeKind.OTHER),
        intent=_last(told, lambda t: t.intent, Intent.UNKNOWN),
        services=services,
        environment=_last(told, lambda t: t.environment),
        summary=_last(told, lambda t: t.summary) or _named(services, version),
        version=version,
        previous_version=_last(told, lambda t: t.previous_version),
        started_at=started,
        ended_at=ended,
        outcome=_outcome(told),
        links=tuple(dict.fromkeys(link for t in told for link in t.links))[:20],
        source=_last(told, lambda t: t.source),
        reported_by=first.by,
        reported_at=first.written_at,
        updated_at=max(r.written_at for r in inorder),
    )


def _over(inorder: Sequence[Report]) -> list[Seconds]:
    """When a change of which no end was told was first told to be over."""
    over = [r for r in inorder if r.told.outcome not in (None, Outcome.IN_PROGRESS)]
    undone = [r.at for r in over if r.told.outcome is Outcome.ROLLED_BACK]
    going = any(r.told.outcome is Outcome.IN_PROGRESS for r in inorder)
    return (undone or [r.at for r in over if going])[:1] if len(inorder) > 1 else []


def _last(told: Sequence[Told], of: Callable[[Told], V], nothing: V | str = "") -> V:
    said = [of(t) for t in told]
    return next((v for v in reversed(said) if v != nothing), said[-1])


def _outcome(told: Sequence[Told]) -> Outcome:
    """The latest that was told. A change of which none was told is over: its sender tells of what
    has happened."""
    said = [t.outcome for t in told if t.outcome is not None]
    return said[-1] if said else Outcome.SUCCEEDED


def _named(services: Sequence[str], version: str) -> str:
    return " ".join(p for p in (", ".join(services), version) if p)


def until(change: Change) -> Seconds:
    """When it is held to be over: its end; a day after its start while in progress; else then."""
    if change.ended_at is not None:
        return change.ended_at
    return change.started_at + (OPEN_FOR if change.outcome is Outcome.IN_PROGRESS else 0.0)


def made_against(change: Change, onset: Seconds) -> bool:
    """True when a change was made against trouble that began at about then, and so is no cause of
    it. Trouble that begins a while after a mitigation may well come of it."""
    return change.source == MITIGATION and onset < change.started_at + AGAINST


def away_from_users(change: Change) -> bool:
    """True when it was made where no user is, by the usual names of such environments."""
    words = change.environment.lower().replace("_", "-").replace("/", "-").split("-")
    return any(w in TESTING for w in words) and not {"prod", "production", "live"} & set(words)


# ---------------------------------------------------------------- whose


def known_as(names: Sequence[str], specs: Specs, otherwise: str | None) -> tuple[str, ...]:
    """The services that a sender means, by our names for them.

    A name is a service's own or the one that is shown, in any case, or the address of its
    repository among its links; what comes last in a path may stand for all of it. When none of the
    names is known to us, ``otherwise`` (the door's service) counts, else the names as they came.
    """
    found = [s for n in names if (s := _service(n, specs)) is not None]
    if found:
        return tuple(dict.fromkeys(found))
    if otherwise:
        return (otherwise,)
    return tuple(dict.fromkeys(names))


def _service(name: str, specs: Specs) -> str | None:
    if name in specs.services:
        return name
    low = name.strip().lower().rstrip("/")
    for service in specs.services.values():
        said = {service.name.lower(), service.display_name.lower()}
        if low in said or any(_same_place(u, low) for u in service.links.values()):
            return service.name
    last = low.rpartition("/")[2]
    return next((s for s in specs.services if last and s.lower() == last), None)


def _same_place(url: str, name: str) -> bool:
    if "/" not in name:
        return False
    at = url.lower().rstrip("/").removesuffix(".git")
    return at == name.removesuffix(".git") or at.endswith(f"/{name}")
