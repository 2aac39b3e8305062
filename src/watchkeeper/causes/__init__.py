"""Causes: what the error budget was spent on, and how sure that is.

Words. An *episode* is an interval in which an SLI burnt more than it may; its *onset* is the minute
in which it got worse. A *hypothesis* says what an episode was caused by: a deployment,
infrastructure, a dependency, a traffic spike; *unknown* is always one, and is the answer when
evidence is thin. *Evidence* is shown with each. The *verdict* is the likeliest of them, or what a
person said (a *label*). A *suspect* is a service with failures that its own callees do not explain;
the *standing* of a change is that of its service among the suspects.

Rules. The shares of an episode add up to exactly its bad events, and over a window all causes to
exactly what was consumed: they are apportioned in whole events, never rounded apart. Verdicts are
kept, so that pages are quick and history outlives the changes it was judged by; counts are always
read from the ledger anew, so late data and corrections move them at once. What a person says holds
for an interval, not for a row, so it survives both. Nothing here names or counts people's mistakes.
"""
