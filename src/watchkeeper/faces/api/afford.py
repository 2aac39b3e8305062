"""The API of what can be afforded."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from watchkeeper.faces.afford import Affording
from watchkeeper.faces.services import Services
from watchkeeper.policy.affording import HISTORY_DAYS, LONGEST_DAYS
from watchkeeper.policy.affordjson import afford_json


def afford_routes(router: APIRouter, services: Services) -> None:
    """Add the route."""
    affording = Affording(services)

    @router.get("/afford", tags=["gate"])
    def afford(
        service: Annotated[str, Query(max_length=300)],
        slo: Annotated[str, Query(max_length=500, description="by this objective alone")] = "",
        days: Annotated[int, Query(ge=1, le=LONGEST_DAYS, description="of history")] = HISTORY_DAYS,
    ) -> dict[str, Any]:
        """What changes have cost, how many more fit, what other targets would have meant."""
        return afford_json(affording.of(service, slo, days))
