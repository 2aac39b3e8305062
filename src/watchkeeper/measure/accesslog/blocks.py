"""Reading blocks of whole lines: the fast reader for common and combined logs, and the plain one.

The fast reader looks at eight bytes of every line at a time with numpy. A line that it is not
certain of is left to the plain reader, so both say the same of every line; tests hold them to it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from watchkeeper.measure.accesslog.hits import (
    TIME_BYTES,
    Format,
    Hit,
    minute_of_local,
)
from watchkeeper.measure.accesslog.tally import Tally

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_PAD = 64
_LOW = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_MIX = np.uint64(0x9E3779B97F4A7C15)
# Another start in each process: nobody can write paths that are made to collide.
_SEED = np.uint64(secrets.randbits(64) | 1)
_POWERS = (np.uint64(0x80) << (np.arange(8, dtype=np.uint64) * np.uint64(8))).astype(np.uint64)
_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(9)], dtype=np.uint64)


def _word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


_AFTER_TIME = _word(b'] "')
_PROTOCOL = _word(b" HTTP/")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the queries need to know of a line beyond its status and method."""

    paths: bool
    thresholds: Sequence[float]


def read_block(
    block: bytes, form: Format, wishes: Wishes, tally: Tally, file: str, first_line: int
) -> int:
    """Count a block of whole lines into the tally; returns how many lines it has."""
    if not form.plain or len(block) < 4096:
        return _read_plainly(block.split(b"\n")[:-1], form, wishes, tally, file, first_line)
    return _Fast(block, form, wishes, tally, file, first_line).read()


def _read_plainly(
    lines: Sequence[bytes], form: Format, wishes: Wishes, tally: Tally, file: str, first: int
) -> int:
    for i, line in enumerate(lines):
        _one(line, form, wishes, tally, f"{file}:{first + i}")
    tally.lines += len(lines)
    return len(lines)


def _one(line: bytes, form: Format, wishes: Wishes, tally: Tally, where: str) -> None:
    stripped = line.removesuffix(b"\r")
    if not stripped.strip():
        return  # an empty line says nothing, not something wrong
    hit = form.parse(stripped)
    if hit is None:
        tally.add_unparsable(where, stripped)
        return
    if wishes.thresholds and hit.duration is None:
        tally.untimed += 1
    tally.add_hit(hit)


class _Fast:
    """One block, read eight bytes of every line at a time."""

    def __init__(
        self, block: bytes, form: Format, wishes: Wishes, tally: Tally, file: str, first: int
    ) -> None:
        self.block = block
        self.form, self.wishes, self.tally = form, wishes, tally
        self.file, self.first = file, first
        padded = block + b"\0" * _PAD
        size = len(padded)
        self.bytes: npt.NDArray[np.uint8] = np.frombuffer(padded, np.uint8)
        # Every byte's own eight: words[i] is bytes i to i + 7, unaligned, without a copy.
        self.words: U64 = np.ndarray((size - 7,), "<u8", padded, strides=(1,))

    def read(self) -> int:
        """Count every line; those of the fast reader by kind, the others one by one."""
        ends: I64 = np.flatnonzero(self.bytes[: len(self.block)] == 10)
        starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
        sure, opened = self._times(starts, ends)
        quotes: I64 = np.flatnonzero(self.bytes[: len(self.block)] == 34)
        begin = opened + 30
        sure, closed = self._requests(sure, begin, ends, quotes)
        status = self._status(sure, closed, ends)
        kinds, sure = self._kinds(sure, begin, closed, ends, status)
        minutes, sure = self._minutes(sure, opened)
        self._count(sure, kinds, minutes, starts, ends)
        for i in np.flatnonzero(~sure).tolist():
            line = self.block[int(starts[i]) : int(ends[i])]
            _one(line, self.form, self.wishes, self.tally, f"{self.file}:{self.first + i}")
        self.tally.lines += len(ends)
        return len(ends)

    def _find(self, at: I64, byte: int, rounds: int) -> I64:
        """Where ``byte`` first stands at or after each place; -1 beyond ``rounds`` eights."""
        found = np.full(len(at), -1, np.int64)
        active = np.arange(len(at))
        pattern = _LOW * np.uint64(byte)
        for k in range(rounds):
            place = np.minimum(at[active] + 8 * k, len(self.words) - 1)
            mark = _zero_bytes(self.words[place] ^ pattern)
            hit = mark != 0
            found[active[hit]] = place[hit] + _first_mark(mark[hit])
            active = active[~hit]
            if not len(active):
                break
        return found

    def _times(self, starts: I64, ends: I64) -> tuple[Flags, I64]:
        opened = self._find(starts, 0x5B, 12)
        sure = (opened >= 0) & (opened + 36 <= ends)
        opened = np.where(sure, opened, 0)
        after = self.words[opened + 27] & _MASKS[3]
        seconds = self.words[opened + 19]
        digits = _is_digit(seconds) & _is_digit(seconds >> np.uint64(8))
        return sure & (after == _AFTER_TIME) & digits, opened

    def _requests(self, sure: Flags, begin: I64, ends: I64, quotes: I64) -> tuple[Flags, I64]:
        place = np.searchsorted(quotes, begin)
        inside = place < len(quotes)
        closed = quotes[np.minimum(place, len(quotes) - 1)] if len(quotes) else np.zeros_like(begin)
        fine = sure & inside & (closed + 5 <= ends)
        closed = np.where(fine, closed, 8)
        # A backslash before the quote may escape it: the plain reader knows.
        return fine & (self.bytes[closed - 1] != 0x5C), closed

    def _status(self, sure: Flags, closed: I64, ends: I64) -> I64:
        """The status; -1 where it is none, or where the line does not go on with a space."""
        word = self.words[closed + 1]
        digits = _is_digit(word >> np.uint64(8)) & _is_digit(word >> np.uint64(16))
        digits &= _is_digit(word >> np.uint64(24))
        after = (word >> np.uint64(32)) & np.uint64(0xFF)
        spaced = (word & np.uint64(0xFF)) == np.uint64(32)
        stops = (after == np.uint64(32)) | (closed + 5 == ends)
        value = (
            ((word >> np.uint64(8)) & np.uint64(15)) * np.uint64(100)
            + ((word >> np.uint64(16)) & np.uint64(15)) * np.uint64(10)
            + ((word >> np.uint64(24)) & np.uint64(15))
        ).astype(np.int64)
        return np.where(sure & digits & spaced & stops, value, -1)

    def _kinds(
        self, sure: Flags, begin: I64, closed: I64, ends: I64, status: I64
    ) -> tuple[U64, Flags]:
        """A number for each line that is the same for lines of one kind."""
        method_mark = _zero_bytes(
            self.words[np.minimum(begin, len(self.words) - 1)] ^ (_LOW * np.uint64(32))
        )
        method_end = _first_mark(np.where(method_mark != 0, method_mark, _POWERS[0]))
        protocol = self.words[np.maximum(closed - 9, 0)]
        version = self.words[np.maximum(closed - 3, 0)]
        fine = sure & (status >= 0) & (method_mark != 0) & (closed - begin >= method_end + 10)
        fine &= (protocol & _MASKS[6]) == _PROTOCOL
        fine &= _is_digit(version) & ((version >> np.uint64(8)) & np.uint64(255) == np.uint64(46))
        fine &= _is_digit(version >> np.uint64(16))
        kind = self.words[np.minimum(begin, len(self.words) - 1)] & _MASKS[method_end]
        kind = _mixed(kind ^ (status.astype(np.uint64) << np.uint64(52)))
        if self.wishes.paths:
            path = np.where(fine, begin + method_end + 1, 0)
            kind = self._path(kind, path, np.where(fine, closed - 9, 0))
        if self.wishes.thresholds:
            classes, fine = self._durations(fine, ends)
            kind = _mixed(kind ^ classes.astype(np.uint64))
        return kind, fine

    def _path(self, kind: U64, at: I64, end: I64) -> U64:
        """Mix the path, up to a question mark, into each line's number."""
        kind = kind.copy()
        question = _LOW * np.uint64(0x3F)
        active = np.flatnonzero(end > at)
        at = at.copy()
        while len(active):
            here = at[active]
            left = np.minimum(end[active] - here, 8)
            word = self.words[here] & _MASKS[left]
            mark = _zero_bytes(word ^ question)
            cut = mark != 0
            length = np.where(
                cut, np.minimum(_first_mark(np.where(cut, mark, _POWERS[0])), left), left
            )
            kind[active] = _mixed(kind[active] ^ (word & _MASKS[length])) + length.astype(np.uint64)
            at[active] += 8
            active = active[~cut & (at[active] < end[active])]
        return kind

    def _durations(self, fine: Flags, ends: I64) -> tuple[I64, Flags]:
        """The class of each duration (how many thresholds it exceeds), read from the line's end."""
        if not self.form.last_is_duration:
            return np.zeros(len(ends), np.int64), fine & False
        # nginx writes seconds with three decimals: d.ddd, dd.ddd, … up to five digits before.
        tail = self.words[np.maximum(ends - 8, 0)]
        b = [(tail >> np.uint64(8 * i)) & np.uint64(255) for i in range(8)]
        digit = [(x >= 48) & (x <= 57) for x in b]
        ok = digit[7] & digit[6] & digit[5] & (b[4] == 46) & digit[3]
        n = [
            np.where(d, x - np.uint64(48), np.uint64(0)).astype(np.int64)
            for d, x in zip(digit, b, strict=True)
        ]
        millis = n[5] * 100 + n[6] * 10 + n[7] + n[3] * 1000
        more = ok.copy()
        for place, factor in ((2, 10_000), (1, 100_000), (0, 1_000_000)):
            ok &= ~more | digit[place] | (b[place] == 32)
            more &= digit[place]
            millis += np.where(more, n[place] * factor, 0)
        ok &= ~more
        seconds = (millis / 1000.0) * self.form.unit
        classes = np.searchsorted(np.asarray(self.wishes.thresholds), seconds, side="left")
        return classes.astype(np.int64), fine & ok

    def _minutes(self, sure: Flags, opened: I64) -> tuple[I64, Flags]:
        """The minute of each line; equal neighbours are worked out once."""
        lines = np.flatnonzero(sure)
        minutes = np.full(len(sure), -1, np.int64)
        if not len(lines):
            return minutes, sure
        at = opened[lines] + 1
        parts = (
            self.words[at],
            self.words[at + 8],
            self.words[at + 16] & _MASKS[2],
            self.words[at + 18] >> np.uint64(16),
        )
        changes = np.ones(len(lines), bool)
        changes[1:] = np.logical_or.reduce([p[1:] != p[:-1] for p in parts])
        runs = np.flatnonzero(changes)
        values = np.empty(len(runs), np.int64)
        for i, run in enumerate(runs.tolist()):
            place = int(at[run])
            minute = minute_of_local(self.block[place : place + TIME_BYTES])
            values[i] = -1 if minute is None else minute
        minutes[lines] = np.repeat(values, np.diff(np.append(runs, len(lines))))
        return minutes, sure & (minutes >= 0)

    def _count(self, sure: Flags, kinds: U64, minutes: I64, starts: I64, ends: I64) -> None:
        lines = np.flatnonzero(sure)
        if not len(lines):
            return
        numbers, examples, kind = np.unique(kinds[lines], return_index=True, return_inverse=True)
        when, minute = np.unique(minutes[lines], return_inverse=True)
        cells = len(examples) * len(when)
        table = np.bincount(kind * len(when) + minute, minlength=cells).reshape(len(examples), -1)
        known, judge = lines[examples].tolist(), self.tally.judge
        verdicts = [
            judge.known(number, partial(self._example, line, starts, ends))
            for number, line in zip(numbers.tolist(), known, strict=True)
        ]
        self.tally.add_table(verdicts, when.tolist(), table.astype(np.int64))

    def _example(self, i: int, starts: I64, ends: I64) -> Hit:
        """The plain reader's word on one line of a kind: it speaks for all of them."""
        hit = self.form.parse(self.block[int(starts[i]) : int(ends[i])].removesuffix(b"\r"))
        if hit is None:
            raise AssertionError("the fast reader took a line that is no request")
        return hit


def _zero_bytes(word: U64) -> U64:
    """High bits that mark zero bytes; exact for the lowest one, which is all that is used."""
    marks: U64 = (word - _LOW) & ~word & _HIGH
    return marks


def _first_mark(mark: U64) -> I64:
    """Which of the eight bytes the lowest mark is at."""
    lowest = mark & (~mark + np.uint64(1))
    return np.searchsorted(_POWERS, lowest).astype(np.int64)


def _is_digit(word: U64) -> Flags:
    byte = word & np.uint64(255)
    return (byte >= np.uint64(48)) & (byte <= np.uint64(57))


def _mixed(number: U64) -> U64:
    """A well-mixed 64-bit number of this one."""
    mixed = (number ^ _SEED) * _MIX
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(32))
