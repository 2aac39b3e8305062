"""Schedules: who is on call at an instant, and over an interval.

Words: a *turn* is one person's stretch of a rotation; a *shift* is a stretch of the final schedule
in which nothing changes; a *gap* is a shift without anybody; a *change* is an override, a swap or
leave.
Rules: pure; local wall time in the schedule's zone, through daylight saving time; a later layer
covers those before it wherever it is in force; changes come last.
"""
