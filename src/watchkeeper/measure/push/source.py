"""What the engine opens for a push source: there is nothing to fetch, clients come to us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from watchkeeper.kernel.clock import Seconds
from watchkeeper.measure.model import Batch
from watchkeeper.spec.model import SliDefinition, SourceDefinition


class PushSource:
    """Healthy and empty at every tick: pushes are recorded when they arrive.

    It never sets a cursor, so it cannot get in the way of the state that pushes keep.
    """

    def __init__(self, definition: SourceDefinition) -> None:
        self.name = definition.name

    def collect(
        self, slis: Sequence[SliDefinition], cursor: Mapping[str, Any] | None, now: Seconds
    ) -> Batch:
        """Nothing, and no error."""
        del slis, cursor, now
        return Batch()
