"""Incidents: declared in one step, led by roles, told at due times, mitigated first, measured.

Words. An *incident* is what people do about trouble; pages and alerts may have led to it. Its
*severity* is decided by a person. A *role* is held by a person, and handed over with acceptance.
An *update* is what others are told; the next one is always due at a known time. The *timeline*
is append-only: an *entry* has a time of happening and a time of writing, and a digest that
contains that of the entry before it. A *mitigation* is a prepared action with an outcome.

Rules are pure functions of (incident, event, now). What waits is a row with a due time.
"""
