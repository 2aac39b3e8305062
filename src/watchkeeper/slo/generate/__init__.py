"""Rules for Prometheus and dashboards for Grafana, made from the same definitions as our pages.

Words: a *count* is what an SLI gained in one minute, recorded as ``slo:events:count`` and
``slo:bad:count``; every window is a sum of counts, so that a quiet hour weighs what it carried.
Rules: pure functions of the definitions; text out, nothing is written here.
"""

from watchkeeper.slo.generate.grafana import generate_grafana
from watchkeeper.slo.generate.prometheus import generate_prometheus

__all__ = ["generate_grafana", "generate_prometheus"]
