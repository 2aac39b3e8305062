"""Postmortems and action items: drafted from the timeline, checked, shared, followed to the end.

Words. A *postmortem* is one Markdown document with versions; its *sections* are found by their
headings. The *whys* are a tree whose leaves are classified. A *finding* of the checks has a line,
a code and a better way. An *action item* has a type, an owner and a due date, and lives on our
board and perhaps in another *tracker* too. A *fingerprint* of cause and alerts tells a recurrence.

Blameless by construction: nothing here counts, ranks or names people as causes.
"""
