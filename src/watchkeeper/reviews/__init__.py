"""Reviews: the week of a team and of its services on one page, beside the week before.

Words. A *review* is made from what the other rooms know about one week: objectives, budget and its
causes, incidents, action items, on-call load, decisions of the gate. Its summary is computed from
the numbers. Notes and decisions that people took when they read it are kept with it.
"""
