"""Policies: when an SLO's budget is worth a person's time. Pure state machines.

Words: a *rule* is a condition with an urgency; *guards* ask for evidence; a *decision* turns the
rules that hold now, and what was open before, into signals.
Rules: one alert per SLO and urgency; a page includes the ticket; an alert closes only after its
rules have been false for the policy's hold.
"""
