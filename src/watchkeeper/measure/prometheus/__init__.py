"""Prometheus and its kin as a source: raw samples, counted by us.

Words: a *fetch* is one query of raw samples (``selector[span]``) that may serve thousands of SLIs;
a *stream* is a set of SLIs read up to the same time; a *birth* is the first sample of a series.
Rules: ``rate`` and ``increase`` are not asked for where the events can be counted (``promql``); an
event is counted once however time is cut (``series``); partial answers are errors, not silence.
"""

from watchkeeper.measure.prometheus.source import PrometheusSource

__all__ = ["PrometheusSource"]
