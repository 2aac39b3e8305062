"""An escalation policy as it was when its page opened, written down. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from watchkeeper.spec.duty import (
    EscalationPolicyDefinition,
    EscalationStep,
    EscalationTarget,
    TargetKind,
)
from watchkeeper.spec.findings import Place


def policy_json(policy: EscalationPolicyDefinition | None) -> str:
    """The policy as JSON; '' for none."""
    return json.dumps(asdict(policy)) if policy is not None else ""


@lru_cache(256)  # many pages keep the same few, and each look at a page reads it
def policy_of(text: str) -> EscalationPolicyDefinition | None:
    """The policy that was written down."""
    if not text:
        return None
    read: dict[str, Any] = json.loads(text)
    steps = tuple(EscalationStep(_targets(s["targets"]), s["wait"]) for s in read["steps"])
    return EscalationPolicyDefinition(
        **{
            **read,
            "place": Place(**read["place"]),
            "steps": steps,
            "fallback": _targets(read["fallback"]),
        }
    )


def _targets(read: Sequence[Mapping[str, str]]) -> tuple[EscalationTarget, ...]:
    return tuple(EscalationTarget(TargetKind(t["kind"]), t["name"], t["address"]) for t in read)
