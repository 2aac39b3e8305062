"""Access: who may ask for what.

Words: a *token* is a secret shown once and kept only as a hash; its *scopes* say what it opens
(``read`` pages and API, ``push`` measurements, ``write`` corrections, ``admin`` tokens).
A *session* is a browser's sign-in with a token. A *principal* is who a request comes from.
Rules: everything needs a principal except health checks (and, later, the public status page);
secrets never reach a log, a page or the database in the clear.
"""
