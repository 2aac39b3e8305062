"""The navigation: groups of (key, address, word); a frame names the key of its part.

The audit log is shown to admins, the inbox where there is one.
"""

from __future__ import annotations

from collections.abc import Sequence

NAV: Sequence[tuple[str, Sequence[tuple[str, str, str]]]] = (
    (
        "Now",
        (
            ("alerts", "/alerts", "Alerts"),
            ("incidents", "/incidents", "Incidents"),
            ("status", "/status", "Status pages"),
            ("oncall", "/oncall", "On call"),
            ("inbox", "/inbox", "Inbox"),
        ),
    ),
    (
        "Reliability",
        (
            ("slos", "/", "SLOs"),
            ("services", "/services", "Services"),
            ("changes", "/changes", "Changes"),
            ("budgets", "/budgets", "Budget policies"),
        ),
    ),
    (
        "Learning",
        (
            ("reviews", "/reviews", "Weekly review"),
            ("postmortems", "/postmortems", "Postmortems"),
            ("actions", "/actions", "Action items"),
            ("proof", "/learning/proof", "Did it recur?"),
            ("figures", "/learning", "Incident figures"),
        ),
    ),
    (
        "Set-up",
        (
            ("sources", "/sources", "Sources"),
            ("integrations", "/integrations", "Integrations"),
            ("heartbeats", "/heartbeats", "Heartbeats"),
            ("silences", "/silences", "Silences"),
            ("reach", "/reach", "Reach"),
            ("audit", "/audit", "Audit log"),
        ),
    ),
)
