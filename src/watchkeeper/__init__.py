"""Watchkeeper: reliability engineering as one system.

It watches services' SLOs, keeps an exact ledger of good and total events, and
tells what the error budget says. Rooms (sub-packages) import only what stands
before them in the order given in docs/architecture.md.
"""

__version__ = "0.1.0"
