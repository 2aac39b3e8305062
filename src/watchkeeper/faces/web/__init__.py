"""Web: the pages that people read, rendered on the server and kept live by events.

Words: a *view* is what a template shows: plain values, already worded (built by pure functions,
``now`` handed in). An *ask* is what the address of the overview asks for: search, filters, order
and page. A *part* is a piece of a page that htmx fetches again when the board changes.
Rules: a page computes nothing that is not in `Fleet` or `SloDetail`; state is always shape, word
and colour; every page works without JavaScript, except that it draws no charts (their tables are
there) and does not refresh itself; nothing is loaded from another host; no inline script. Inline
style *attributes* are used for the lengths of bars only, which the policy allows with
``style-src-attr``; style elements are not.
"""
