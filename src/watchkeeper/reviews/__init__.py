"""Reviews: the week of a team and of its services on one page, beside the week before.

Words. A *review* is made from what the other rooms know about one week: objectives, budget and its
causes, incidents, action items, on-call load, decisions of the gate. Its summary is computed from
the numbers. Notes and decisions that people took when they read it are kept with it. A *week* goes
from Monday to Monday by the wall clock of the team's zone. *Spent* is the share of a whole window's
budget that the week's bad events are.

Rules. A review is *frozen* when it is sent or when somebody writes a note on it: from then on it
reads as it was. Nothing in it is counted by person.

Files. Pure: ``weeks`` ``model`` ``wording`` ``rules`` (sentences and questions) ``sections``
``render``. ``gather`` reads the other rooms, ``store`` keeps, ``work`` has the doors.
"""
