"""Other trackers: GitHub, GitLab, Jira. Each speaks the published API and nothing else."""

from __future__ import annotations

from watchkeeper.postmortems.trackers.github import GitHub
from watchkeeper.postmortems.trackers.gitlab import GitLab
from watchkeeper.postmortems.trackers.jira import Jira
from watchkeeper.postmortems.trackers.model import Tracker
from watchkeeper.postmortems.trackers.settings import TrackerSettings
from watchkeeper.spec.response import TrackerDefinition, TrackerKind


def open_tracker(definition: TrackerDefinition) -> Tracker:
    """A client for this tracker. Raises TransportError when a setting is missing."""
    settings = TrackerSettings(definition)
    match definition.kind:
        case TrackerKind.GITHUB:
            return GitHub(settings)
        case TrackerKind.GITLAB:
            return GitLab(settings)
        case TrackerKind.JIRA:
            return Jira(settings)
