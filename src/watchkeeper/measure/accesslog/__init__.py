"""Access logs: requests counted from what a web server writes about each.

Words: a *hit* is one parsed line; a *block* is a run of whole lines; a *kind* of hit is everything
about it that a query can ask (status, method, path, host, class of duration), so that queries are
asked once for each kind and not once for each line.
Rules: lines are split, never read as CSV (one unclosed quote would swallow rows); only whole lines
are read; a line that cannot be read is counted and shown, never fatal; where the fast reader is not
certain, the slow one decides, so both always say the same.
"""

from watchkeeper.measure.accesslog.source import AccessLogSource, import_files

__all__ = ["AccessLogSource", "import_files"]
