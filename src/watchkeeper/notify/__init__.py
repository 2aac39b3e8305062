"""Notify: messages through channels, until somebody has them.

Words: a *channel* is a configured way to send; a *transport* sends one message to one address and
says what came of it; a *delivery* is a row of the outbox: one message due to one address, claimed
with a lease, tried again until sent or no longer wanted.
Rules: what a decision sends is written by the transaction that made it; a crash between "sent" and
"recorded" is an unknown outcome, so the message is sent again and marked; a failing channel hands
over to the next; no secret in a log.
"""
