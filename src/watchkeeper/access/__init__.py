"""Access: who may ask for what.

Words: an *account* is a person who signs in with a password; their *role* (viewer < responder <
editor < admin) holds everywhere, and *team roles* add to it for what a team owns. A *token* is a
secret for programs, shown once and kept only as a hash; its *scopes* say what it opens, and one
that belongs to an account never opens more than the account. A *session* is a browser's sign-in.
A *principal* is who a request comes from; a *permission* is what a door asks for.
Rules: everything needs a principal except health checks, sign-in and doors with keys of their own;
what is not declared needs an admin; roles are read at each request, so that a change holds at once;
secrets never reach a log, a page or the database in the clear; the last admin stays one.
"""
