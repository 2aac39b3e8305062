"""What senders' words mean: kinds, outcomes, intents, by the usual names for them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from watchkeeper.changes.model import ChangeKind, Intent, Outcome

_KINDS: Mapping[ChangeKind, str] = {
    ChangeKind.DEPLOYMENT: "deployment deployments deploy deployed redeploy release released "
    "rollout rollback upgrade upgraded ship shipped delivery promote promotion canary",
    ChangeKind.CONFIGURATION: "configuration config configs configured setting settings secret "
    "parameter",
    ChangeKind.FLAG: "flag flags feature-flag feature_flag featureflag toggle experiment",
    ChangeKind.INFRASTRUCTURE: "infrastructure infra node nodes cluster scale scaled scaling "
    "terraform network dns certificate database migration failover kernel",
    ChangeKind.MAINTENANCE: "maintenance patching patch reboot",
}  # fmt: skip
_KIND = {w: kind for kind, words in _KINDS.items() for w in words.split()}
_OUTCOMES: Mapping[Outcome, str] = {
    Outcome.IN_PROGRESS: "in_progress in-progress started start running pending queued progressing "
    "created waiting requested",
    Outcome.SUCCEEDED: "succeeded success successful finished finish completed complete done ok "
    "passed deployed true healthy",
    Outcome.FAILED: "failed failure fail error errored canceled cancelled timed_out aborted false "
    "degraded",
    Outcome.ROLLED_BACK: "rolled_back rolled-back rolledback rollback reverted undone",
}
_OUTCOME = {w: outcome for outcome, words in _OUTCOMES.items() for w in words.split()}
_INTENTS: Mapping[Intent, str] = {
    Intent.FEATURE: "feature feat enhancement",
    Intent.RELIABILITY: "reliability fix bugfix hotfix stability rollback revert",
    Intent.SECURITY: "security cve vulnerability",
}
_INTENT = {w: intent for intent, words in _INTENTS.items() for w in words.split()}
_DEPLOYS = re.compile(r"(?:^|[^a-z])(?:re)?(?:deploy|releas|rollout|ship|promot|deliver)")


def kind_of(word: str) -> ChangeKind:
    """The kind that a word stands for; of a word that nobody knows: other."""
    return _KIND.get(word.strip().lower(), ChangeKind.OTHER)


def kind_in(text: str) -> ChangeKind:
    """The kind that a sentence speaks of, by its first word that tells."""
    words = re.findall(r"[a-z_-]+", text.lower())
    return next((_KIND[w] for w in words if w in _KIND), ChangeKind.OTHER)


def outcome_of(word: str) -> Outcome | None:
    """The outcome that a word stands for; None when it stands for none."""
    return _OUTCOME.get(word.strip().lower().replace(" ", "_"))


def intent_of(word: str) -> Intent:
    """The intent that a word stands for."""
    return _INTENT.get(word.strip().lower(), Intent.UNKNOWN)


def deploys(name: str) -> bool:
    """Whether a pipeline of this name brings something to users, and does not only test it."""
    return _DEPLOYS.search(name.lower()) is not None
