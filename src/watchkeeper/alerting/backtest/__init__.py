"""Backtest: what alert policies would have done over any history, against labelled incidents.

Words: a *history* is good, total and seen events of one SLI, step by step (a minute, or finer); a
*plan* is a named set of rules with its guards, as an alert policy has, or a rule as teams have it
in Prometheus (``RatioRule``); an *alarm* is the time from where an alert would have opened to where
it would have closed; *detection time* runs from an incident's start to the first alarm, *reset
time* from its end to the end of the last alarm that told of it.

Rules: the decisions are those of ``alerting.policies`` at each step (a property test compares them
with the machine itself), decided from cumulative counts for all steps at once; whole numbers are
compared, never rounded quotients; a recommendation says its reason.

Files. Pure: ``model`` ``windows`` ``conditions`` ``chances`` ``alarms`` ``score`` ``grid`` ``run``.
Reading: ``history`` (ledger, CSV, Prometheus).
"""
