"""The access log source: follows files and counts the requests in their new lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from watchkeeper.kernel.clock import Minute, Seconds, minute_of
from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.accesslog import files
from watchkeeper.measure.accesslog.asking import Question, needs_path, question, thresholds
from watchkeeper.measure.accesslog.blocks import Wishes, read_block
from watchkeeper.measure.accesslog.files import Mark
from watchkeeper.measure.accesslog.hits import Format, compile_format
from watchkeeper.measure.accesslog.tally import Judge, Tally
from watchkeeper.measure.model import Batch, Note
from watchkeeper.spec.model import SliDefinition, SourceDefinition

BLOCK_BYTES = 8 << 20
MOST_BYTES = 256 << 20
"""How much one collection reads at most; the rest is ``more``."""
LONGEST_SILENCE = 1440
"""Minutes of silence that count as no traffic; after a longer one nobody knows who was watching."""


@dataclass(frozen=True, slots=True)
class _Plan:
    judge: Judge
    wishes: Wishes
    problems: tuple[str, ...]


class AccessLogSource:
    """Counts requests in the access logs that ``path`` (a glob) names.

    Cursor: ``{"files": [[print, length, offset, line, path], …], "until": minute, "gz": {path:
    [size, mtime]}}``; ``gz`` are packed files that need no unpacking to know they are read. Minutes
    without a line are "no traffic" while the log is being followed, "no data" before that.
    """

    def __init__(self, definition: SourceDefinition) -> None:
        self.name = definition.name
        self._pattern = str(definition.settings["path"])
        self._format = compile_format(definition.settings)
        self._planned: tuple[tuple[SliDefinition, ...], _Plan] | None = None

    def collect(
        self, slis: Sequence[SliDefinition], cursor: Mapping[str, Any] | None, now: Seconds
    ) -> Batch:
        """Read what was written since the cursor; see ``measure.model.Source``."""
        plan = self._plan(tuple(slis))
        notes = [Note("error", problem, now) for problem in plan.problems]
        marks = files.marks_of(cursor)
        paths = files.candidates(self._pattern, marks)
        if not any(files.fits(path, self._pattern) for path in paths):
            message = f"no file fits {self._pattern}"
            return Batch((), cursor, (*notes, Note("error", message, now)))
        reading = _Reading(
            self._format, plan, marks, self._pattern, dict((cursor or {}).get("gz", {}))
        )
        for path in paths:
            try:
                reading.take(path)
            except OSError as error:
                notes.append(Note("error", f"{path}: {error.strerror or error}", now))
            if reading.bytes >= MOST_BYTES:
                break
        notes += _notes(reading.tally, now)
        until, seen = _seen(reading, cursor, now)
        counts = tuple(reading.tally.counts(seen))
        return Batch(
            counts,
            files.cursor_of(reading.marks, {"until": until, "gz": reading.packed}),
            notes,
            more=reading.bytes >= MOST_BYTES,
        )

    def _plan(self, slis: tuple[SliDefinition, ...]) -> _Plan:
        if self._planned is None or self._planned[0] != slis:
            self._planned = (slis, make_plan(slis))
        return self._planned[1]


def make_plan(slis: Sequence[SliDefinition]) -> _Plan:
    """The questions of these SLIs; those that cannot be asked of a log become problems."""
    questions: list[Question] = []
    problems: list[str] = []
    for sli in slis:
        try:
            questions.append(question(sli))
        except UserError as error:
            problems.append(str(error))
    return _Plan(Judge(questions), Wishes(needs_path(slis), thresholds(slis)), tuple(problems))


class _Reading:
    """One collection's pass over the files."""

    def __init__(
        self, form: Format, plan: _Plan, marks: list[Mark], pattern: str, packed: dict[str, Any]
    ) -> None:
        self.form, self.plan, self.pattern = form, plan, pattern
        self.packed = packed
        self.marks = list(marks)
        self.tally = Tally(plan.judge)
        self.bytes = 0

    def take(self, path: Path) -> None:
        """Count the lines of a file that were not counted yet."""
        stat = path.stat()
        now = [stat.st_size, stat.st_mtime_ns]
        if self.packed.get(str(path)) == now:
            return
        if self._take(path) and path.suffix == ".gz":
            self.packed[str(path)] = now

    def _take(self, path: Path) -> bool:
        """As ``take``; True when the file was read to its end."""
        with files.open_log(path) as stream:
            head = stream.read(files.PRINT_BYTES)
            mark = files.find_mark(head, self.marks)
            if mark is None:
                if not head or not files.fits(path, self.pattern):
                    return False
                mark = Mark(files.print_of(head), len(head), 0, 0, str(path))
            else:
                self.marks.remove(mark)
                if len(head) > mark.length:
                    mark = replace(mark, print=files.print_of(head), length=len(head))
            offset, line = mark.offset, mark.line
            for block in files.blocks_of(stream, offset, BLOCK_BYTES):
                line += read_block(
                    block, self.form, self.plan.wishes, self.tally, str(path), line + 1
                )
                offset += len(block)
                self.bytes += len(block)
                if self.bytes >= MOST_BYTES:
                    break
        # A rotated file keeps the name that it was followed under, so its next name is found too.
        self.marks.append(replace(mark, offset=offset, line=line))
        return self.bytes < MOST_BYTES


def _notes(tally: Tally, now: Seconds) -> Iterator[Note]:
    if tally.unparsable:
        yield Note("unparsable", f"not a request: {tally.first_unparsable}", now, tally.unparsable)
    if tally.untimed:
        message = (
            "requests without a duration count as too slow; log $request_time at the line's end"
        )
        yield Note("untimed", message, now, tally.untimed)


def _seen(
    reading: _Reading, cursor: Mapping[str, Any] | None, now: Seconds
) -> tuple[Minute | None, list[tuple[Minute, Minute]]]:
    """Until when the log was watched, and the minutes that were watched since the last time."""
    before = (cursor or {}).get("until")
    minutes = reading.tally.minutes
    this = minute_of(now)
    if before is None:
        # The first sight of a log: watched from its first line to its last.
        if not minutes:
            return this, []
        first, last = min(minutes), max(minutes)
        lately = this if 0 <= this - last <= LONGEST_SILENCE else last
        return lately, [(first, lately)]
    start = min([before, *minutes]) if minutes else before
    if this - before > LONGEST_SILENCE and not minutes:
        return this, []
    return max(this, before), [(start, max(this, before))]


def import_files(
    paths: Sequence[Path], slis: Sequence[SliDefinition], definition: SourceDefinition
) -> Iterator[Batch]:
    """Count old files in bulk, a batch per block. Raises OSError when one cannot be read."""
    form, plan = compile_format(definition.settings), make_plan(slis)
    for path in paths:
        line = 0
        with files.open_log(path) as stream:
            for block in files.blocks_of(stream, 0, BLOCK_BYTES):
                tally = Tally(plan.judge)
                line += read_block(block, form, plan.wishes, tally, str(path), line + 1)
                yield Batch(tuple(tally.counts(())), None, tuple(_notes(tally, 0.0)))
