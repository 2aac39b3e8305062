"""Mitigations: what may help, run from an incident, with its outcome on the timeline.

A *mitigation* is defined in YAML (`spec.response.MitigationDefinition`). A *run* is one row: asked
for by a person, taken by one server, carried out outside of any transaction, ended. A run whose
server went away in the middle ends as *unknown*: what it did is not known, so nobody runs it again
but a person who has looked. Some minutes after a run its effect is read from the ledger: how fast
the budget burned before and after.
"""
