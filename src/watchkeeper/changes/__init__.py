"""Changes: what was deployed, configured, flagged or maintained, when, where, by what.

Words. A *change* is something that somebody or something did to a system on purpose: a deployment,
a configuration, a feature flag, infrastructure, maintenance. It has services, a time of beginning
and perhaps an end, an outcome, a version and links. Changes come in by the doors of other systems,
by the API and by the command line. Each message about a change is a *report*; reports with the same
*key* are of the same change, and the change is what its reports say together (`rules.folded`).
*Culprits* are the changes and dependencies to look at first when something fails.
Rules: the order in which reports arrive, and how often, makes no difference; who reported a change
is kept for the audit and never counted or ranked; a change lasts from its start to its end, and one
of which the end was never told is a moment.
"""
