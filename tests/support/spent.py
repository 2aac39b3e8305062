"""Where the budget of a made-up SLO went, as far as its spends tell."""

from __future__ import annotations

from fractions import Fraction

from watchkeeper.causes.model import Account, Entry, Episode, Kind
from watchkeeper.slo.model import SloDetail


def account(of: SloDetail) -> Account:
    """Where its budget went, as far as its spends tell: nobody knows why."""
    status = of.status
    entries = [
        Entry(
            Kind.UNKNOWN,
            "Not known",
            Fraction(s.bad),
            Episode(s.start, s.end, s.start, s.bad, s.bad, s.ongoing),
        )
        for s in of.spends
    ]
    entries.append(Entry(Kind.UNKNOWN, "Everything else", Fraction(of.elsewhere)))
    consumed = sum((e.bad for e in entries), Fraction(0))
    total = Fraction(status.events.total)
    window = (status.window_start, status.window_end)
    return Account(status.name, *window, consumed, total, tuple(entries), of.revision)
