"""What a run prints, bounded: its beginning and its newest; secrets are blotted out."""

from __future__ import annotations

from threading import Lock

from watchkeeper.kernel.secrets import secret

MOST = 65_536
"""Characters that are kept."""
BLOT = "•••"


class Tape:
    """Written by the thread that runs, read by the one that saves."""

    def __init__(self, most: int = MOST) -> None:
        self._half = most // 2
        self._lock = Lock()
        self._head = self._tail = ""
        self._left = 0
        self._secrets: list[str] = []
        self._changed = False

    def reveal(self, value: object, what: str) -> str:
        """The secret behind a reference, which is blotted out from now on. Raises UserError."""
        found = secret(value, what)
        if not isinstance(value, str) and len(found) >= 4:  # shorter ones would blot out words
            self._secrets = sorted({*self._secrets, found}, key=len, reverse=True)
        return found

    def say(self, text: str) -> None:
        """Take what was printed, without what no database takes or what would steer a terminal."""
        kept = "".join(c for c in text if c in "\n\t" or c.isprintable())
        with self._lock:
            room = max(0, self._half - len(self._head))
            self._head += kept[:room]
            self._tail += kept[room:]
            over = len(self._tail) - self._half
            if over > 0:
                self._left += over
                self._tail = self._tail[over:]
            self._changed = True

    def news(self) -> str | None:
        """All that is kept, when something was said since one asked last."""
        return self.text() if self._changed else None

    def text(self) -> str:
        """All that is kept, and how much is not."""
        with self._lock:
            self._changed = False
            cut = f"\n… {self._left:,} characters are left out …\n" if self._left else ""
            return self.blot(self._head + cut + self._tail)

    def blot(self, text: str) -> str:
        """A text without the secrets that were revealed."""
        for each in self._secrets:
            text = text.replace(each, BLOT)
        return text
