"""Intake: other systems' messages, read into our words. Pure.

One module for each format, each with ``parse(document, asked) -> list[Understood]``: signals about
alerts, and reports of *changes* (a deployment, a configuration), which `changes` keeps.
Rules: a message that cannot be understood is refused whole, with the path of what is wrong and what
was expected; a severity that we do not know calls somebody rather than nobody; nothing a sender
writes is ever interpreted as anything but text.
"""
