"""Budget policies: what a budget obliges to, the release gate, exceptions, what can be afforded.

Words. A *policy* maps the budget that remains to a *state* (healthy, at risk, depleted) and says
what each state means for each kind of change. The *gate* answers whether a change may go out now;
its *decision* is signed and kept. An *exception* lets a change pass: with a reason, an approver who
is somebody else, and an end.
"""
