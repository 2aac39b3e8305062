"""Status pages: what others are told about components, incidents and planned work.

Words. A *page* shows *components*, each under a public name. A *case* is an incident with the
updates that people wrote; a *story* is a case as one page tells it. A *notice* is an update that
subscribers have not all been told of yet. A *subscriber* is an address that proved itself.

A public page says what people said and no more: see `rules` for how a component's state follows
from updates, and `history` for how days and shares do. An internal page also says what burns.
"""
