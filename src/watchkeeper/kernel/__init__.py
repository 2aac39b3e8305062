"""Kernel: what every room shares and what depends on nothing.

Words: *Seconds* are whole or fractional UTC epoch seconds; a *Minute* is the
number of a UTC minute since the epoch (``seconds // 60``). Minute ``m`` holds
the events in ``[60 m, 60 m + 60)``. Intervals of minutes are half-open ``[a, b)``.
Rules: no I/O, no SQL, no globals; the clock is always handed in.
"""
