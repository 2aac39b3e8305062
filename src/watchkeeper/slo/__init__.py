"""Objectives and budgets: from counts per minute to what is left, how fast it goes, and until when.

Words. An *event* is good or bad; a *minute* was *seen* or not. The *budget* is (1 − target) of all
events in the window, in events; *consumed* are the bad ones; *remaining* is signed. The *burn rate*
is bad over allowed: 1 spends exactly one budget per window. A *subject* is an SLO, or one label set
of a grouped one. A *correction* is an interval that does not count. The *outlook* is when a budget
runs out, or comes back, if the present error rate goes on and old minutes leave the window.

Rules.
- The ledger holds cumulative counts, so any window is a difference of two entries: exact to the
  event, at the same cost for five minutes as for a year. Late data corrects the past.
- Decisions compare whole numbers, never rounded quotients. Targets are decimals.
- 0 of 0 is no evidence: attainment, burn, remaining ratio are None, and the state is ``no_data``.
- ``state`` speaks of the window, ``look`` of now: a page-level burn shows before a spent budget,
  and an SLI that nobody has seen for an hour shows as no data while its budget is still known.
- Nothing rewrites the past: a changed target counts from the minute it was loaded.

Files. Pure: ``windows`` ``versions`` ``budget`` ``burn`` ``view`` ``exhaustion`` ``slices``
``composite`` ``checks`` ``detail`` ``fleet`` ``allow`` ``subjects``. Reading and writing:
``ledger`` (counts), ``store`` (corrections, versions), ``gather`` (ledger → readings), ``derived``
(rows that are kept equal to their base), ``work`` (the doors). ``generate`` writes Prometheus rules
and Grafana dashboards; ``contract`` is the published JSON.
"""
