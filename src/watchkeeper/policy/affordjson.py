"""What can be afforded as JSON and CSV, the same by API, page and command. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from watchkeeper.causes.contract import number
from watchkeeper.kernel.clock import MINUTE, Minute, Seconds, iso
from watchkeeper.policy import affordwords as words
from watchkeeper.policy.affording import Afford, CostOf, CostRow, Purse
from watchkeeper.policy.ladder import NextNine, Rung

HEAD = ("by", "of", "n", "costly", "bad", "mean_share", "median_share", "p10_share", "p90_share",
        "mean_low", "mean_high", "mean_bad", "mean_minutes", "fit_expected", "fit_cautious",
        "few")  # fmt: skip


def afford_json(found: Afford) -> dict[str, Any]:
    """Everything. Shares are of the objective's budget, minutes those of full outage."""
    its, spent = found.recovery, found.spent
    return {
        "service": found.service,
        "slo": found.purse.slo,
        "as_of": iso(found.as_of),
        "history_from": iso(found.since),
        "answer": words.answer(found),
        "budgets": [_purse(p) for p in found.purses],
        "limits": [
            {"name": line.name, "policy": line.policy, "left": line.left, "room": float(line.room),
             "objectives": list(line.parts)}
            for line in found.lines
        ],
        "costs": [_cost(row, found) for row in found.costs],
        "changes": [_change(c, found) for c in found.changes],
        "attributed": {
            "consumed": number(found.consumed),
            "changes": number(sum(spent.own.values(), Fraction(0))),
            "changes_elsewhere": number(spent.elsewhere),
            "changes_not_recorded": number(spent.unnamed),
            "other": number(spent.other),
        },
        "recovery": {
            "says": words.recovers(found),
            "usable_at": _time(its.usable_at),
            "healthy_at": _time(its.healthy_at),
            "whole_at": _time(its.whole_at),
            "path": [{"at": iso(at), "left": left} for at, left in its.path],
        },
        "outage": _outage(found),
        "targets": [_rung(r) for r in found.rungs],
        "next_nine": _next(found.next_nine),
    }  # fmt: skip


def _purse(its: Purse) -> dict[str, Any]:
    return {
        "slo": its.slo,
        "policy": its.policy,
        "target": its.target,
        "window": its.window,
        "left": its.left,
        "budget": float(its.budget),
        "budget_minutes": its.minutes,
        "until": _time(its.until),
    }


def _cost(row: CostRow, found: Afford) -> dict[str, Any]:
    seen, fit = row.spread, row.fit
    each = {"mean": seen.mean, "median": seen.median, "p10": seen.p10, "p90": seen.p90,
            "mean_low": seen.low, "mean_high": seen.high}  # fmt: skip
    budget, minutes = float(found.purse.budget), found.purse.minutes
    return {
        "by": row.group.by,
        "of": row.group.of,
        "n": seen.n,
        "costly": seen.costly,
        "at_most_costly": seen.may_cost,
        "bad": number(row.total),
        "each_bad": each,
        "each_share": {k: None if v is None else v / budget for k, v in each.items()},
        "each_minutes": {k: None if v is None else v / budget * minutes for k, v in each.items()},
        "fit": {"expected": fit.expected, "cautious": fit.cautious, "few": fit.few},
        "says": words.fits(row, found),
    }


def _change(its: CostOf, found: Afford) -> dict[str, Any]:
    change, share = its.change, float(its.bad / found.purse.budget)
    return {
        "id": change.id,
        "what": change.summary,
        "version": change.version,
        "kind": str(change.kind),
        "intent": str(change.intent),
        "at": iso(change.started_at),
        "bad": number(its.bad),
        "share": share,
        "minutes": share * found.purse.minutes,
    }


def _outage(found: Afford) -> dict[str, Any]:
    its = found.outage
    if its is None:
        return {"says": words.outage(found)}
    return {
        "says": words.outage(found),
        "start": _minute(its.episode.start),
        "end": _minute(its.episode.end),
        "bad": number(its.bad),
        "share": its.share,
        "left_after": its.left,
        "state_after": str(its.state),
    }


def _rung(its: Rung) -> dict[str, Any]:
    return {
        "target": str(its.target),
        "now": its.now,
        "bad": number(its.bad),
        "total": number(its.total),
        "budget": float(its.budget),
        "consumed": its.consumed,
        "depleted_days": its.depleted_days,
        "halted": its.halted,
        "pages": its.pages,
    }


def _next(its: NextNine) -> dict[str, Any]:
    return {
        "says": words.next_nine(its),
        "target": str(its.target),
        "bad": number(its.bad),
        "budget": float(its.budget),
        "must_disappear": number(its.surplus),
        "met_without": its.met,
        "causes": [
            {
                "kind": str(gone.entry.kind),
                "what": gone.entry.what,
                "start": _minute(gone.entry.episode.start) if gone.entry.episode else None,
                "bad": number(gone.entry.bad),
                "bad_left": number(gone.left),
            }
            for gone in its.causes
        ],
    }


def costs_csv(told: Mapping[str, Any]) -> str:
    """What changes cost, of the JSON: a line for each kind and intent, with a head; RFC 4180."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEAD)
    for row in told["costs"]:
        share = row["each_share"]
        cells = (row["by"], row["of"], row["n"], row["costly"], row["bad"], share["mean"],
                 share["median"], share["p10"], share["p90"], share["mean_low"],
                 share["mean_high"], row["each_bad"]["mean"], row["each_minutes"]["mean"],
                 row["fit"]["expected"], row["fit"]["cautious"], row["fit"]["few"])  # fmt: skip
        writer.writerow(["" if cell is None else cell for cell in cells])
    return out.getvalue()


def _time(at: Seconds | None) -> str | None:
    return None if at is None else iso(at)


def _minute(at: Minute) -> str:
    return iso(at * MINUTE)
