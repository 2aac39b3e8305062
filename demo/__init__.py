"""The demo: a small shop that is really run, really used, really broken, and watched.

``shop`` (the front end) and ``payments`` (which shop calls at checkout) are HTTP services on
loopback. ``traffic`` sends them requests at the rate of ``shape``, ``run`` starts everything,
breaks payments after a minute and heals it again. ``history`` makes the thirty days before the
demo began from the same shape; pages say so, since nobody measured them.
"""
