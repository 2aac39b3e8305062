"""On call: who is called when, and until somebody has it.

Words: a *schedule* says who is on call; an *escalation policy* says who is called in which order; a
*page* is a running escalation for one or more alerts, with a snapshot of its policy; a *drill* is a
page that proves the way works; *load* is what being on call costs.
Rules: an open page always has a next step; an acknowledged page sends no more; edits never break a
running escalation; load is counted by rotation, never by person.
"""
