"""Causes: what the error budget was spent on, and how sure that is.

Words. An *episode* is an interval in which an SLI burnt more than it may. A *hypothesis* says what
an episode was caused by: a deployment, infrastructure, a dependency, a traffic spike; *unknown* is
always one. *Evidence* is shown with each. The shares of an episode add up to exactly its bad
events, and over a window all causes to exactly what was consumed.
"""
