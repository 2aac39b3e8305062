"""Changes: what was deployed, configured, flagged or maintained, when, where, by what.

Words. A *change* is an event that somebody or something made to a system: a deployment, a
configuration, a feature flag, infrastructure, maintenance. It has a service, a time of beginning
and perhaps an end, a version and a link. Changes come in by the doors of other systems, by the API
and by the command line; the same change told twice is one change.
"""
