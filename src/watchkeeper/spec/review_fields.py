"""Weekly reviews as written. Pure."""

from __future__ import annotations

from watchkeeper.spec.duty_fields import DutyRead, begin, check_cron, clock, zone_of
from watchkeeper.spec.duty_people import read_targets
from watchkeeper.spec.reader import Reader
from watchkeeper.spec.review import ReviewDefinition

REVIEW_KEYS = ("team", "day", "time", "cron", "timeZone", "send")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EVERYTHING = "all"
"""In the place of a team: the review of everything."""
EIGHT = 8 * 60


def read_review(reader: Reader, duty: DutyRead) -> None:
    """A team's review of its week."""
    begun = begin(reader, duty, REVIEW_KEYS)
    if begun is None:
        return
    name, display, spec = begun
    team = spec.text("team", required=True, expected="the team whose week it is, or all")
    if team != EVERYTHING:
        duty.refer(spec, "team", "Team")
    send = read_targets(spec, "send", duty)
    if not send:
        spec.lacks("send", "to whom it is sent, e.g. [{team: shop}]")
    duty.reviews[name] = ReviewDefinition(
        name,
        display,
        reader.place(),
        team,
        _cron(spec),
        zone_of(spec),
        send,
        spec.text("description"),
    )


def _cron(spec: Reader) -> str:
    """When it is sent: as written, or from day and time; Mondays at 08:00 when nothing is."""
    written = spec.text("cron")
    if written:
        for key in ("day", "time"):
            if spec.has(key):
                spec.fault(
                    "bad-value", f"both 'cron' and '{key}'", "one of them", f"remove '{key}'", key
                )
        return written if check_cron(spec, written) else "0 8 * * 1"
    day = spec.choice("day", DAYS) or DAYS[0]
    minutes = clock(spec, "time", EIGHT)
    at = EIGHT if minutes is None else minutes % 1440
    return f"{at % 60} {at // 60} * * {(DAYS.index(day) + 1) % 7}"
