"""Where the budget went, as rows: causes with share, time and evidence. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from watchkeeper.causes.accuracy import Accuracy
from watchkeeper.causes.judging import THIN
from watchkeeper.causes.model import Account, Entry, Episode, Hypothesis, Kind
from watchkeeper.causes.shares import apportion
from watchkeeper.faces.web import charts, words
from watchkeeper.kernel import text
from watchkeeper.slo.model import Spend

SHOWN = 7
"""Causes that the SLO's page shows; the rest is one row, and the page of causes has all."""
SURE = 0.85
KINDS: Mapping[Kind, str] = {
    Kind.DEPLOYMENT: "Deployment",
    Kind.INFRASTRUCTURE: "Infrastructure",
    Kind.DEPENDENCY: "Dependency",
    Kind.TRAFFIC_SPIKE: "Traffic spike",
    Kind.UNKNOWN: "Unknown",
}


@dataclass(frozen=True, slots=True)
class OtherRow:
    """What else it might have been."""

    kind: str
    what: str
    score: str
    evidence: str


@dataclass(frozen=True, slots=True)
class CauseRow:
    """A cause. ``at`` is an instant of its episode for the form, '' where there is none."""

    id: str
    kind: str
    kind_value: str
    what: str
    when: str
    sure: str
    share: str
    cost: str
    bad: str
    width: float
    key: str
    mark: str
    evidence: Sequence[str]
    others: Sequence[OtherRow]
    slices: Sequence[str]
    said: str
    note: str
    said_id: str
    at: str


@dataclass(frozen=True, slots=True)
class CausesView:
    """A list of causes that adds up, and the sentence over it."""

    sentence: str
    rows: Sequence[CauseRow]
    more: int
    url: str


@dataclass(frozen=True, slots=True)
class KindRow:
    """How much one kind of cause took."""

    kind: str
    share: str
    bad: str
    width: float


@dataclass(frozen=True, slots=True)
class AccuracyRow:
    """How right attribution has been for one kind."""

    kind: str
    said: str
    true: str
    right: str
    precision: str
    recall: str


def causes_view(
    account: Account, spends: Sequence[Spend] = (), most: int | None = SHOWN
) -> CausesView:
    """The causes of an account; at most so many, the rest of them together in the last row."""
    entries = [e for e in account.entries if e.bad or e.episode is not None]
    extra: list[Entry] = []
    if most is not None and len(entries) > most:
        extra = entries[most - 1 :]
        entries = entries[: most - 1]
    rest = sum((e.bad for e in extra), Fraction(0))
    shares = [_share(e.bad, account) for e in entries] + ([_share(rest, account)] if extra else [])
    percents = whole_percents(shares)
    rows = [_row(e, p, account, spends) for e, p in zip(entries, percents, strict=False)]
    if extra:
        rows.append(_rest(extra, rest, percents[-1], account))
    return CausesView(
        _sentence(account), rows, len(extra) - 1 if extra else 0, words.slo_url(account.slo)
    )


def _share(bad: Fraction, account: Account) -> float:
    return float(bad / account.consumed) if account.consumed > 0 else 0.0


def whole_percents(shares: Sequence[float]) -> list[int]:
    """Shares of one whole in whole percent that add up to 100 (largest remainders)."""
    weights = [Fraction(max(0.0, share)) for share in shares]
    if not any(weights):
        return [0] * len(weights)
    return [int(part) for part in apportion(Fraction(100), weights)]


def _sentence(account: Account) -> str:
    if account.total <= 0:
        return "No evidence in this window."
    if account.consumed <= 0:
        return "Nothing was spent."
    by_kind = sorted(account.by_kind().items(), key=lambda item: (-item[1], item[0]))
    known = [(kind, bad) for kind, bad in by_kind if bad > 0]
    percents = whole_percents([_share(bad, account) for _, bad in known])
    parts = [
        f"{_percent(p)} {KINDS[kind].lower()}" for (kind, _), p in zip(known, percents, strict=True)
    ]
    count = text.count(float(account.consumed))
    return f"{count} bad events: {', '.join(parts)}."


def _percent(whole: int) -> str:
    return f"{whole} %" if whole else "< 1 %"


def _row(entry: Entry, percent: int, account: Account, spends: Sequence[Spend]) -> CauseRow:
    its, label = entry.episode, entry.label
    best = entry.verdict.best if entry.verdict is not None and label is None else None
    share = _share(entry.bad, account)
    hot = its is not None and (its.ongoing or share >= 0.2)
    return CauseRow(
        id=f"{its.start if its else 0}-{entry.kind}-{label.id if label else ''}",
        kind=KINDS[entry.kind],
        kind_value=str(entry.kind),
        what=entry.what,
        when=_when(its),
        sure=f"Said by {label.author}" if label else _sure(best),
        share=_percent(percent),
        cost=f"{text.count(float(entry.bad))} bad",
        bad=text.number(float(entry.bad), 0),
        width=_wide(share),
        key="none" if its is None else "burn" if hot else "watch",
        mark=_mark(its, spends),
        evidence=best.evidence if best is not None else (),
        others=_others(entry),
        slices=entry.verdict.slices if entry.verdict is not None else (),
        said=f"Said by {label.author}, {words.day_clock(label.at)} UTC" if label else "",
        note=label.note if label else "",
        said_id=label.id if label else "",
        at=str(its.start * 60) if its else "",
    )


def _rest(extra: Sequence[Entry], bad: Fraction, percent: int, account: Account) -> CauseRow:
    others = words.plural(len(extra) - 1, "smaller cause")
    when = f"{others}, and steady errors outside of episodes"
    return CauseRow(
        "rest", "", "", "Everything else", when, "", _percent(percent),
        f"{text.count(float(bad))} bad", text.number(float(bad), 0),
        _wide(_share(bad, account)), "none", "", (), (), (), "", "", "", "",
    )  # fmt: skip


def _when(its: Episode | None) -> str:
    if its is None:
        return "steady errors below the target's pace"
    length = text.duration((its.end - its.start) * 60)
    going = ", still going on" if its.ongoing else ""
    return f"{words.minute_clock(its.start)}, {length}{going}"


def _sure(best: Hypothesis | None) -> str:
    if best is None or best.kind is Kind.UNKNOWN:
        return ""
    return "very likely" if best.score >= SURE else "likely"


def _others(entry: Entry) -> list[OtherRow]:
    if entry.verdict is None:
        return []
    found = entry.verdict.hypotheses if entry.label else entry.verdict.hypotheses[1:]
    return [
        OtherRow(
            KINDS[h.kind],
            h.what,
            "likely" if h.score > THIN else "thin evidence",
            " ".join(h.evidence),
        )
        for h in found
        if h.kind is not Kind.UNKNOWN
    ]


def _mark(its: Episode | None, spends: Sequence[Spend]) -> str:
    if its is None:
        return ""
    for number, spend in enumerate(spends, 1):
        if charts.marked(spend, number) and its.start < spend.end and its.end > spend.start:
            return str(number)
    return ""


def _wide(share: float) -> float:
    return round(100 * min(1.0, max(0.0, share)), 2)


def kind_rows(account: Account) -> list[KindRow]:
    """How much each kind took; all kinds, so that what took nothing is seen as well."""
    by_kind = account.by_kind()
    shares = [_share(bad, account) for bad in by_kind.values()]
    percents = whole_percents(shares)
    return [
        KindRow(
            KINDS[kind],
            _percent(p) if bad else "0 %",
            text.number(float(bad), 0),
            _wide(share),
        )
        for (kind, bad), p, share in zip(by_kind.items(), percents, shares, strict=True)
    ]


def accuracy_rows(found: Sequence[Accuracy]) -> list[AccuracyRow]:
    """How right attribution has been; none while nobody has said anything."""
    if not any(a.said or a.true for a in found):
        return []
    return [
        AccuracyRow(
            KINDS[a.kind],
            str(a.said),
            str(a.true),
            str(a.right),
            text.whole_percent(a.precision) if a.said else text.NOTHING,
            text.whole_percent(a.recall) if a.true else text.NOTHING,
        )
        for a in found
    ]
