"""Engine: the one flow, again and again.

Words: a *tick* is one pass of reload → measure → record → evaluate → publish → tidy. The *board* is
what faces read: the last evaluated fleet with the specs it was made from, replaced as a whole.
Rules: what counts is in the database before anybody sees it; a tick that fails leaves the last
board standing and says so; nothing that matters lives only in memory.
"""
