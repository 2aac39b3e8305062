"""Mitigations for tests: definitions, an incident, a runner that is stepped by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from sqlalchemy import Connection

from tests.support import duty
from tests.support.duty import HERE, SITE
from watchkeeper.incidents import store as incidents
from watchkeeper.incidents import work as incidents_work
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.mitigation import store, work
from watchkeeper.incidents.mitigation.model import Run
from watchkeeper.incidents.mitigation.running import Runner
from watchkeeper.incidents.mitigation.work import Asked
from watchkeeper.incidents.model import EntryKind
from watchkeeper.kernel.clock import VirtualClock
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import (
    MitigationDefinition,
    MitigationKind,
    ParameterDefinition,
    Response,
)
from watchkeeper.store import Database

T = TypeVar("T")
ANN, BEN = By("ann", "web"), By("ben", "api")


def definition(
    name: str, kind: MitigationKind, settings: Mapping[str, Any], *parameters: ParameterDefinition,
    **more: Any,  # noqa: ANN401 - any field
) -> MitigationDefinition:  # fmt: skip
    """A mitigation."""
    return MitigationDefinition(name, name.capitalize(), HERE, kind, settings,
                                parameters=parameters, **more)  # fmt: skip


def command(name: str, *run: str, **more: Any) -> MitigationDefinition:  # noqa: ANN401
    """One that runs a command."""
    given = [ParameterDefinition(p, p) for p in more.pop("asks", ())]
    return definition(name, MitigationKind.COMMAND, {"run": list(run)}, *given, **more)


def with_mitigations(known: Specs, *mitigations: MitigationDefinition) -> Specs:
    """Specs that define these."""
    return replace(known, response=Response(mitigations={m.name: m for m in mitigations}))


@dataclass
class Bench:
    """One incident, and servers that carry mitigations out. Threads are joined by `end`."""

    db: Database
    specs: Specs
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(duty.START))
    services: tuple[str, ...] = ("checkout",)
    incident: int = 0
    threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.incident = self.do(
            lambda c: incidents_work.declare(
                c, self.specs, SITE, "Checkout fails", "SEV2", ANN, self.clock.now(),
                services=self.services,
            )
        ).id  # fmt: skip
        self.server = self.another("server-1")

    def do(self, act: Callable[[Connection], T]) -> T:
        with self.db.write() as conn:
            return act(conn)

    def another(self, owner: str) -> Runner:
        """A server."""

        def start(body: Callable[[], None]) -> None:
            thread = threading.Thread(target=body, daemon=True)
            self.threads.append(thread)
            thread.start()

        return Runner(self.db, self.clock, lambda: self.specs, owner, start)

    def ask(self, name: str, by: By = ANN, **more: Any) -> Asked:  # noqa: ANN401
        """Ask for a run, confirmed unless told otherwise."""
        values = more.pop("values", {})
        named = {"confirmed": True, **more}
        return self.do(
            lambda c: work.request(
                c, self.specs, self.incident, name, values, by, self.clock.now(), **named
            )
        )

    def end(self) -> None:
        """Wait for all that is under way."""
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()

    def run(self, name: str, **more: Any) -> Run:  # noqa: ANN401
        """Ask for a run, carry it out, and give what became of it."""
        asked = self.ask(name, **more)
        self.server.step()
        self.end()
        return self.get(asked.run.id)

    def get(self, run_id: int) -> Run:
        with self.db.read() as conn:
            found = store.get(conn, run_id)
        assert found is not None
        return found

    def told(self) -> list[str]:
        """What the timeline says of mitigations."""
        with self.db.read() as conn:
            found = incidents.entries(conn, self.incident, kinds=[EntryKind.MITIGATION])
        return [e.text for e in found]


def mitigation_doors(viewers: T, responders: T) -> dict[str, T]:
    """For whom the routes of mitigations are: everybody may look, who responds may run."""
    inside = "/api/v1/incidents/{incident_id}"
    return {
        "GET /incidents/{id}/mitigations/{name}": responders,
        "POST /incidents/{id}/mitigations/{name}": responders,
        "GET /incidents/{id}/runs/{run}": viewers,
        "GET /parts/incidents/{id}/runs/{run}": viewers,
        f"GET {inside}/mitigations": viewers,
        f"POST {inside}/mitigations/{{name}}": responders,
        f"GET {inside}/runs": viewers,
        f"GET {inside}/runs/{{run_id}}": viewers,
    }
