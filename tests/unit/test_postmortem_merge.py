"""Two people edit one text: nothing that either wrote is lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.postmortems.merge import MIDDLE, OURS, THEIRS, marked, merge

LINES = st.lists(st.sampled_from(["a", "b", "c", "d", "e", ""]), max_size=8)


def text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, str, str, list[str]]:
    """A base, two edits of it, and the lines that the edits added (each said once in the world)."""
    base = draw(LINES)
    added: list[str] = []

    def edited(name: str) -> list[str]:
        lines = list(base)
        for n in range(draw(st.integers(0, 3))):
            at = draw(st.integers(0, len(lines)))
            if draw(st.booleans()) and at < len(lines):
                del lines[at]
            else:
                new = f"{name}{n}"
                added.append(new)
                lines.insert(at, new)
        return lines

    one, two = edited("one"), edited("two")
    kept = [a for a in added if a in one or a in two]
    return text(base), text(one), text(two), kept


@settings(deadline=None, max_examples=300)
@given(edits())
def test_every_line_that_somebody_added_is_in_what_comes_of_it(
    given_: tuple[str, str, str, list[str]],
) -> None:
    base, one, two, added = given_
    found = merge(base, one, two)
    lines = found.text.splitlines()
    for line in added:
        assert line in lines
    assert (marked(found.text) > 0) == (found.conflicts > 0)


@settings(deadline=None, max_examples=200)
@given(edits())
def test_an_edit_that_only_one_made_is_taken_as_it_is(
    given_: tuple[str, str, str, list[str]],
) -> None:
    base, one, _, _ = given_
    assert merge(base, one, base).text == one
    assert merge(base, base, one).text == one
    assert merge(base, one, one).text == one
    assert merge(base, one, base).conflicts == 0


@settings(deadline=None, max_examples=100)
@given(edits())
def test_it_does_not_matter_who_was_first(given_: tuple[str, str, str, list[str]]) -> None:
    base, one, two, _ = given_
    assert merge(base, one, two).conflicts == merge(base, two, one).conflicts


def test_edits_in_different_places_need_nobody() -> None:
    base = "# T\n\nfirst\n\nlast\n"
    found = merge(base, base.replace("first", "first, better"), base.replace("last", "last, too"))
    assert (found.text, found.conflicts) == ("# T\n\nfirst, better\n\nlast, too\n", 0)


def test_two_edits_of_one_line_are_both_kept_for_a_person() -> None:
    found = merge("a\nb\nc\n", "a\nB\nc\n", "a\nbb\nc\n")
    assert found.conflicts == 1
    assert found.text.splitlines() == ["a", OURS, "B", MIDDLE, "bb", THEIRS, "c"]
    assert marked(found.text) == 2
