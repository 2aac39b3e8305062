"""Words that blame, and what to write instead. Pure.

A system may fail to do something; a sentence is pointed out only where a *person* is said to have
failed, or where hindsight says what somebody should have known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_PERSON = (
    r"(?:he|she|they|who|somebody|someone|nobody|(?:the |an? |our )?(?:on-?call |junior |senior )?"
    r"(?:engineer|operator|developer|admin(?:istrator)?|responder|employee|colleague|intern)s?"
    r"|@[\w-]+)"
)
_TEAM = r"(?:we|the [\w-]+ team|our team)"


@dataclass(frozen=True, slots=True)
class Blame:
    """Where in a text, which words, and what to write instead."""

    start: int
    words: str
    better: str


_RULES: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern, re.IGNORECASE), better)
    for pattern, better in (
        (
            rf"\b{_PERSON} (?:should|ought to|could easily|must) (?:not )?have\b",
            "Say what was known at the time, and what made it look right.",
        ),
        (
            rf"\b{_TEAM} should (?:not )?have (?:known|noticed|realised|realized|seen|expected)\b",
            "Say what would have shown it, and make that an action item.",
        ),
        (
            rf"\b(?:{_PERSON}|{_TEAM}) (?:had )?(?:failed|neglected|forgot|forgotten|did not bother"
            r"|didn't bother|refused)(?: to)?\b",
            "Say what made the step easy to leave out, such as a check that nothing asks for.",
        ),
        (
            rf"\b(?:{_PERSON}|the user) (?:did not|didn't) (?:think|bother|check|notice|look|read"
            r"|reali[sz]e|test|care)\b",
            "Say what would have made them look: what was shown, what was not.",
        ),
        (
            rf"\b(?:{_PERSON}) (?:made (?:a|the) mistake|screwed up|messed up|broke)\b",
            "Say what the system allowed, and what would have stopped it.",
        ),
        (
            r"\b(?:human|operator|user|pilot) error\b",
            "That is where the search begins: say what made the action seem right.",
        ),
        (
            r"\b(?:careless(?:ly|ness)?|negligen(?:t|ce)|incompeten(?:t|ce)|stupid(?:ly|ity)?|lazy"
            r"|laziness|sloppy|sloppiness|idiot\w*)\b",
            "Leave the judgement out; say what happened.",
        ),
        (
            r"\b(?:to blame|at fault|(?:is|was) the culprit|(?:my|his|her|their|whose) fault)\b",
            "Say how it came about, not whose it is.",
        ),
        (
            rf"\bcaused by (?:{_PERSON})\b",
            "Name the change and what let it through, not the person.",
        ),
    )
)
NAMED = re.compile(r"(?<![\w./])@[A-Za-z][\w-]*(?!\.\w)")
"""Somebody by handle; addresses of mail are no handles."""


def blames(text: str) -> Iterator[Blame]:
    """All of these in a text, in order, each place once."""
    found: dict[int, Blame] = {}
    for pattern, better in _RULES:
        for match in pattern.finditer(text):
            found.setdefault(match.start(), Blame(match.start(), match[0], better))
    yield from (found[at] for at in sorted(found))
