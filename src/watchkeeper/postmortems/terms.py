"""Words of texts as they are searched: by their stems, with what each weighs. Pure."""

from __future__ import annotations

import re
from collections import Counter

_WORD = re.compile(r"[^\W_]+")
TITLE = 4.0
"""What a word in the title counts, in words of the text."""
SATURATED = 1.2
"""BM25's k1: the tenth time that a word is said tells less than the first."""
MOST_LENGTH = 40


def tokens(text: str) -> list[str]:
    """The stems of all words and numbers of a text, in order."""
    return [stem(m[0])[:MOST_LENGTH] for m in _WORD.finditer(text.casefold())]


def weights(title: str, text: str) -> dict[str, float]:
    """What each word of a postmortem weighs, 0 to k1 + 1."""
    counted: Counter[str] = Counter(tokens(text))
    counted.update({word: int(TITLE) for word in tokens(title)})
    return {w: n * (SATURATED + 1) / (n + SATURATED) for w, n in counted.items()}


def stem(word: str) -> str:
    """A word without its usual English endings, as long as enough is left of it."""
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 4 and not word.endswith("ss"):
            return word[: -len(ending)]
    return word
