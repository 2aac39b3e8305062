"""An account as JSON and CSV: the same in the API, the pages' exports and the command. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from watchkeeper.causes.accuracy import Accuracy
from watchkeeper.causes.model import Account, Entry, Hypothesis, Label
from watchkeeper.kernel.clock import MINUTE, Minute, iso

HEAD = (
    "kind", "what", "bad", "share", "start", "end", "onset", "ongoing", "score", "change",
    "service", "said_by", "note", "evidence",
)  # fmt: skip


def number(value: Fraction) -> int | float:
    """Whole counts as integers."""
    return int(value) if value.denominator == 1 else float(value)


def account_json(account: Account) -> dict[str, Any]:
    """Everything: what was consumed, by kind, and each cause with its evidence."""
    return {
        "slo": account.slo,
        "window_start": _time(account.start),
        "window_end": _time(account.end),
        "revision": account.revision,
        "consumed": number(account.consumed),
        "total": number(account.total),
        "by_kind": {str(kind): number(bad) for kind, bad in account.by_kind().items()},
        "causes": [entry_json(entry, account.consumed) for entry in account.entries],
    }


def entry_json(entry: Entry, consumed: Fraction) -> dict[str, Any]:
    """One cause. ``also``: what else it might have been, less likely."""
    its, verdict = entry.episode, entry.verdict
    best = verdict.best if verdict is not None and entry.label is None else None
    also = _others(entry)
    return {
        "kind": str(entry.kind),
        "what": entry.what,
        "bad": number(entry.bad),
        "share": float(entry.bad / consumed) if consumed else 0.0,
        "start": _time(its.start) if its else None,
        "end": _time(its.end) if its else None,
        "onset": _time(its.onset) if its else None,
        "ongoing": its.ongoing if its else False,
        "score": best.score if best is not None else None,
        "change": best.change if best is not None else (entry.label.change if entry.label else ""),
        "service": best.service if best is not None else "",
        "evidence": list(best.evidence) if best is not None else [],
        "also": [_hypothesis(h) for h in also],
        "slices": list(verdict.slices) if verdict is not None else [],
        "said": label_json(entry.label) if entry.label is not None else None,
    }


def _others(entry: Entry) -> Sequence[Hypothesis]:
    if entry.verdict is None:
        return ()
    return entry.verdict.hypotheses if entry.label else entry.verdict.hypotheses[1:]


def _hypothesis(said: Hypothesis) -> dict[str, Any]:
    return {
        "kind": str(said.kind),
        "what": said.what,
        "score": said.score,
        "evidence": list(said.evidence),
        "change": said.change,
        "service": said.service,
    }


def label_json(label: Label) -> dict[str, Any]:
    """What a person said."""
    return {
        "id": label.id,
        "slo": label.slo,
        "start": _time(label.start),
        "end": _time(label.end),
        "kind": str(label.kind),
        "what": label.what,
        "note": label.note,
        "change": label.change,
        "by": label.author,
        "at": iso(label.at),
        "we_said": str(label.said),
    }


def accuracy_json(found: Sequence[Accuracy]) -> list[dict[str, Any]]:
    """How right attribution has been, by kind."""
    return [
        {
            "kind": str(a.kind),
            "said": a.said,
            "true": a.true,
            "right": a.right,
            "precision": a.precision,
            "recall": a.recall,
        }
        for a in found
    ]


def account_csv(told: Mapping[str, Any]) -> str:
    """The causes of an account's JSON, one line each, with a head; RFC 4180."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEAD)
    for cause in told["causes"]:
        said = cause["said"] or {}
        row = {**cause, "said_by": said.get("by"), "note": said.get("note")}
        row["evidence"] = " ".join(cause["evidence"])
        writer.writerow([_cell(row[name]) for name in HEAD])
    return out.getvalue()


def _cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula is marked as text."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return "" if value is None else value


def _time(minute: Minute) -> str:
    return iso(minute * MINUTE)
