"""For whom doors are, by room: what is held against every route of the application."""

from __future__ import annotations

from tests.support.mitigations import mitigation_doors


def gate_doors(viewers: set[str], responders: set[str], editors: set[str]) -> dict[str, set[str]]:
    """Of budget policies and the gate."""
    reading = (
        "/budgets", "/budgets.csv", "/budgets/{name:path}", "/gate", "/gate.csv", "/gate/{uid}",
        "/afford/{service}", "/afford/{service}/costs.csv", "/afford/{service}/all.json",
        "/api/v1/afford", "/parts/budgets", "/api/v1/budgets", "/api/v1/budgets/{name:path}",
        "/api/v1/gate/standing", "/api/v1/gate/watch", "/api/v1/gate/decisions",
        "/api/v1/gate/decisions/{uid}", "/api/v1/gate/replay", "/api/v1/gate/exceptions",
    )  # fmt: skip
    return {
        **{f"GET {path}": viewers for path in reading},
        "POST /gate/exceptions": responders,
        "POST /gate/exceptions/{id}/approve": editors,
        "POST /gate/exceptions/{id}/revoke": responders,
        "POST /api/v1/gate/check": editors,
        "POST /api/v1/gate/flagger": editors,
        "POST /api/v1/gate/admission": editors,
        "POST /api/v1/gate/exceptions": responders,
        "POST /api/v1/gate/exceptions/{exception_id}/approve": editors,
        "POST /api/v1/gate/exceptions/{exception_id}/revoke": responders,
    }


def learning_doors(
    viewers: set[str], responders: set[str], editors: set[str]
) -> dict[str, set[str]]:
    """Of weekly reviews, and of what was learnt."""
    return {
        "GET /api/v1/learning/digests": viewers,
        "POST /api/v1/learning/digests": editors,
        "POST /api/v1/learning/digests/me": responders,
        "DELETE /api/v1/learning/digests/me": responders,
        "DELETE /api/v1/learning/digests/{digest_id}": editors,
        "GET /api/v1/learning/figures": viewers,
        "GET /api/v1/learning/proofs": viewers,
        "GET /api/v1/reviews": viewers,
        "PATCH /api/v1/reviews/notes/{note_id}": responders,
        "GET /api/v1/reviews/{team:path}/{week}": viewers,
        "POST /api/v1/reviews/{team:path}/{week}/notes": responders,
        "POST /api/v1/reviews/{team:path}/{week}/send": responders,
        "GET /learning": viewers,
        "GET /learning.csv": viewers,
        "GET /learning.json": viewers,
        "POST /learning/digests/me": responders,
        "GET /learning/proof": viewers,
        "GET /learning/proof.csv": viewers,
        "GET /reviews": viewers,
        "POST /reviews/notes/{id}": responders,
        "GET /reviews/{team:path}/{week}": viewers,
        "GET /reviews/{team:path}/{week}.json": viewers,
        "GET /reviews/{team:path}/{week}.md": viewers,
        "GET /reviews/{team:path}/{week}.pdf": viewers,
        "POST /reviews/{team:path}/{week}/notes": responders,
        "POST /reviews/{team:path}/{week}/send": responders,
    }


def response_doors(viewers: set[str], responders: set[str]) -> dict[str, set[str]]:
    """Of mitigations, and of the incident's channel: its commands, files, rooms in other chats."""
    inside = "/api/v1/incidents/{incident_id}"
    return {
        **mitigation_doors(viewers, responders),
        "POST /incidents/{id}/attach": responders,
        "GET /incidents/{id}/files/{file}": viewers,
        f"POST {inside}/commands": responders,
        f"GET {inside}/files": viewers,
        f"POST {inside}/files": responders,
        f"GET {inside}/files/{{file_id}}": viewers,
        f"GET {inside}/rooms": viewers,
    }
