"""Exposition pages as a source, without a Prometheus.

Words: a *target* is one URL; a *reading* is one page of it. Rules: the cursor holds the last
values, so a restart of ours loses nothing; a counter that fell, or whose process started anew, is a
reset; the first value of a new series counts when its target was read before without it.
"""

from watchkeeper.measure.scrape.source import ScrapeSource

__all__ = ["ScrapeSource"]
