"""Simulate: the whole product under a virtual clock, on the user's own configuration.

Words: a *scenario* says what happens when (errors of an SLO, an alert from outside, a channel that
fails, a person who acknowledges) and what is *expected* (who is called, by what, how soon).
Rules: the same tick, the same pager, the same rules as in production; only the clock, the
measurements and the channels are made up; nothing leaves the machine; the same scenario gives the
same answer.
"""
