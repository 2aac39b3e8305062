"""Alerting: from budgets and other systems' signals to alerts that are worth a person's time.

Words: a *policy* has *rules* that say when an SLO alerts, and *guards* that keep it from firing on
thin evidence; a *signal* comes in through an *integration* and opens, changes or closes an *alert*;
an open alert owns its *dedup key*; *triage* rules route, set urgency, drop; a *silence* keeps
people from being called, never alerts from being kept; *backtest* asks what policies would have
done.
Rules: an alert is accepted only when it is committed; policies are pure state machines; every alert
explains itself with its numbers.
"""
