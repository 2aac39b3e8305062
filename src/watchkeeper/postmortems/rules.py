"""What becomes of a postmortem, and when its owner must be told. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import UserError
from watchkeeper.postmortems import whys
from watchkeeper.postmortems.checks import ERROR, check
from watchkeeper.postmortems.document import parse
from watchkeeper.postmortems.model import Finding, Postmortem, PostmortemState
from watchkeeper.spec.response import DAY

SOON = DAY
"""Seconds before it is due at which the owner is reminded; at most a third of the time given."""
AGAIN = DAY
"""Seconds between two reminders of one that is late; these go to the team as well."""
YEAR = 365 * DAY
MOST_TEXT = 500_000


@dataclass(frozen=True, slots=True)
class Reminder:
    """What is said. ``escalate``: the team is told, not only the owner."""

    text: str
    escalate: bool


def checked(text: str) -> str:
    """A text that may be kept. Raises UserError."""
    if len(text) > MOST_TEXT:
        raise UserError(
            f"The postmortem is longer than {MOST_TEXT:,} characters.", "Link what is long."
        )
    if not text.strip():
        raise UserError("The postmortem is empty.", "Old versions are kept; take one of them back.")
    return text.replace("\r\n", "\n").rstrip() + "\n"


def next_look(its: Postmortem, now: Seconds) -> Seconds | None:
    """When somebody must be told of it next; None: never.

    Before it is due, when it is due, then each day until it is published. One that is published
    comes back each year, for those who have forgotten or never knew.
    """
    if its.state is PostmortemState.PUBLISHED:
        if its.published_at is None:
            return None
        years = max(1, int((now - its.published_at) // YEAR) + 1)
        return its.published_at + years * YEAR
    if its.due_at is None:
        return None
    soon = its.due_at - min(SOON, (its.due_at - its.created_at) / 3)
    if now < soon:
        return soon
    if now < its.due_at:
        return its.due_at
    return its.due_at + ((now - its.due_at) // AGAIN + 1) * AGAIN


def reminder(its: Postmortem, now: Seconds) -> Reminder | None:
    """What to say of one that must be looked at now."""
    if its.state is PostmortemState.PUBLISHED:
        years = round((now - (its.published_at or now)) / YEAR)
        ago = "a year" if years <= 1 else f"{years} years"
        return Reminder(f"was published {ago} ago. Does what was learnt still hold?", False)
    if its.due_at is None:
        return None
    if now < its.due_at:
        hours = max(1, round((its.due_at - now) / 3600))
        return Reminder(f"is due in {hours} hour{'s' if hours > 1 else ''}", False)
    days = int((now - its.due_at) // DAY)
    if not days:
        return Reminder("is due now", True)
    return Reminder(f"is late by {days} day{'s' if days > 1 else ''}", True)


def asked_for_review(its: Postmortem) -> Postmortem:
    """In review by others. Raises UserError."""
    if its.state is not PostmortemState.DRAFT:
        raise UserError(f"It is {its.state} already.", "Nothing has to be done.")
    return replace(its, state=PostmortemState.IN_REVIEW)


def approved(its: Postmortem, by: str) -> Postmortem:
    """Read and found good by somebody else than its owner. Raises UserError."""
    if its.state is not PostmortemState.IN_REVIEW:
        raise UserError(f"It is {its.state}, not in review.", "Ask for a review first.")
    if by == its.owner:
        raise UserError("Nobody reviews their own postmortem.", "Somebody else approves it.")
    names = list(dict.fromkeys([*its.data.get("approved", ()), by]))
    return replace(its, data={**its.data, "approved": names})


def published(its: Postmortem, by: str, why: str, now: Seconds) -> Postmortem:
    """Shown to all.

    Needs a text without errors and an approval after a review; or a reason why not, which is kept.
    Raises UserError.
    """
    if its.state is PostmortemState.PUBLISHED:
        raise UserError("It is published already.", "Nothing has to be done.")
    lacks = missing(its)
    if lacks and not why.strip():
        raise UserError(
            f"It is not ready: {'; '.join(lacks)}.", "Mend that, or say why it is published so."
        )
    data = {**its.data, "despite": why.strip()} if lacks else dict(its.data)
    return replace(
        its, state=PostmortemState.PUBLISHED, published_at=now, published_by=by, data=data
    )


def missing(its: Postmortem) -> list[str]:
    """What stands between this text and its publication."""
    errors = errors_of(its.text)
    found = [f"line {f.line}: {f.message}" for f in errors[:5]]
    if len(errors) > 5:
        found.append(f"and {len(errors) - 5} more")
    ends = whys.unended([why for _, why in whys.of_document(parse(its.text))])
    if ends:
        found.append(
            f"the five whys are not complete: {ends} branch{'es' if ends > 1 else ''} "
            f"end{'' if ends > 1 else 's'} neither (systemic) nor (process)"
        )
    if its.reviewers and not its.data.get("approved"):
        found.append("nobody has approved it")
    return found


def errors_of(text: str) -> list[Finding]:
    """What must be mended before others read it."""
    return [f for f in check(text) if f.severity == ERROR]


def taken_back(its: Postmortem, why: str) -> Postmortem:
    """A draft again. Raises UserError."""
    if its.state is PostmortemState.DRAFT:
        raise UserError("It is a draft.", "Nothing has to be done.")
    if not why.strip():
        raise UserError("Taking it back needs a reason.", "Say what was wrong with it.")
    data = {k: v for k, v in its.data.items() if k != "approved"}
    return replace(its, state=PostmortemState.DRAFT, published_at=None, published_by="", data=data)
