"""The channel of an incident: commands, files, and rooms of other chats that say the same.

Words. A *command* is a message that does something (`/sev 1`). A *file* is attached to an entry,
whose digest covers it. A *room* is where an incident goes on in another chat (Slack, Matrix).

The timeline is the outbox of every room: a room knows how far it was told, and is told the rest in
order. What comes from a room is written into the timeline once, whatever the chat sends twice.
"""
