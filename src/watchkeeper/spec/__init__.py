"""Spec: what users write, as files in their git.

Words: a *document* is one YAML document with the place of every value; a *finding* is one problem
with file, line, column, what was expected and how to fix it; *specs* are the resolved definitions
of ``spec.model``. A *journey*'s short form, and Sloth and Pyrra files, stand for OpenSLO documents,
and all SLOs go through the one OpenSLO reader.
*Duty* is who is called and how: users, schedules, escalation, channels, alerts in (``spec.duty``).
Rules: nothing raises for bad input; all findings come at once; what cannot be followed is left out
and said; files and time zone tables are the only things read.
"""

from watchkeeper.spec.loading import fingerprint, load, load_text
from watchkeeper.spec.schema import schema

__all__ = ["fingerprint", "load", "load_text", "schema"]
