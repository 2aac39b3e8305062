"""Files of an incident: taken by what they are, kept with digests, handed out without danger."""

from __future__ import annotations

import html.parser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from tests.support.duty import SITE, START, specs
from watchkeeper.faces.channel import headers_of
from watchkeeper.incidents import chain, store, work
from watchkeeper.incidents.chat import attaching, files, store_files
from watchkeeper.incidents.chat.files import FileInfo
from watchkeeper.incidents.chat.markdown import TAGS, as_html, as_mrkdwn
from watchkeeper.incidents.keeping import By
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.store import Database

ANN = By("ann", "web")
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"RIFF\1\2\3\4WEBPVP8 ", "image/webp"),
        (b"%PDF-1.7", "application/pdf"),
        (b"\x1f\x8b\x08", "application/gzip"),
        (b"<svg onload=alert(1)>", "text/plain"),
        ("größer".encode(), "text/plain"),
    ],
)
def test_a_file_is_what_its_content_says(content: bytes, kind: str) -> None:
    assert files.checked("x", content, 0)[1] == kind


@pytest.mark.parametrize(
    ("content", "held", "why"),
    [
        (b"", 0, "empty"),
        (b"\x7fELF\2\1\1", 0, "not taken"),
        (b"MZ\x90\0", 0, "not taken"),
        (b"a" * (files.LARGEST + 1), 0, "larger than 10 MiB"),
        (b"a", files.MOST, "100 MiB together"),
    ],
)
def test_what_is_not_taken_says_why(content: bytes, held: int, why: str) -> None:
    with pytest.raises(UserError, match=why):
        files.checked("x", content, held)


@given(st.text(max_size=300))
def test_a_name_is_one_name_and_fits_in_a_header(name: str) -> None:
    safe = files.safe_name(name)
    assert safe
    assert len(safe) <= 150
    assert not set(safe) & set('/\\"\r\n\0')
    made = FileInfo(1, 1, 1, safe, "text/plain", 1, "0" * 64, 0.0, "ann")
    for value in headers_of(made).values():
        value.encode("latin-1")
        assert "\n" not in value


@pytest.mark.parametrize(("kind", "how"), [("image/png", "inline"), ("text/plain", "attachment"),
                                           ("application/pdf", "attachment")])  # fmt: skip
def test_only_images_are_shown_in_place_and_nothing_ever_runs(kind: str, how: str) -> None:
    made = FileInfo(1, 1, 1, "a b.html", kind, 1, "0" * 64, 0.0, "ann")
    given = headers_of(made, inline=True)
    assert given["Content-Disposition"].startswith(how)
    assert given["X-Content-Type-Options"] == "nosniff"
    assert given["Content-Security-Policy"] == "default-src 'none'; sandbox"


def attached(db: Database) -> int:
    with db.write() as conn:
        made = work.declare(conn, specs(), SITE, "Checkout fails", "SEV2", ANN, START)
        attaching.attach(conn, made.id, "../../pool.png", PNG, ANN, START, "The pool, *full*")
    return made.id


def test_a_file_is_on_the_timeline_with_its_digest(db: Database) -> None:
    number = attached(db)
    with db.read() as conn:
        entry = store.entries(conn, number)[-1]
        info, content = attaching.handed_out(conn, number, entry.data["file"]["id"])
        assert attaching.check(conn, number) == []
        with pytest.raises(NotFound):
            attaching.handed_out(conn, number + 1, info.id)
    assert (info.name, info.number, content) == ("pool.png", entry.number, PNG)
    assert entry.text == (f"The pool, *full*\n\n`pool.png`, 28 bytes, sha256 `{files.digest(PNG)}`")


def test_a_file_that_was_altered_is_found(db: Database) -> None:
    number = attached(db)
    with db.write() as conn:
        conn.execute(update(store_files.incident_file).values(content=b"something else"))
    with db.read() as conn:
        found = attaching.check(conn, number)
        incident = store.get(conn, number)
        assert incident is not None
        assert chain.check(incident, store.entries(conn, number)) == []
    assert [b.what for b in found] == ["has a file that was altered"]


# ---------------------------------------------------------------- Markdown


class Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@given(
    st.lists(
        st.sampled_from(
            ["<script>", "alert(1)", "[x](javascript:alert(1))", "<img src=x onerror=y>", "`", "**",
             "```", "\n", "![i](http://e/x.png)", "<a href='data:text/html,x'>", "http://e.org/a?b",
             "|a|b|\n|-|-|\n|c|d|", "> ", "- ", "<style>", "&lt;", "x", " "]
        ),
        max_size=25,
    ).map("".join)
)  # fmt: skip
def test_what_people_write_cannot_run_or_load_anything(text: str) -> None:
    seen = Tags()
    seen.feed(as_html(text))
    for tag, attributes in seen.found:
        assert tag in TAGS
        assert set(attributes) <= {"href", "rel", "start"}
        href = attributes.get("href")
        assert href is None or href.startswith(("http://", "https://", "mailto:"))


def test_markdown_is_read_as_people_mean_it() -> None:
    assert as_html("**no** `x < y`\nsee https://e.org/a_b_c.") == (
        "<p><strong>no</strong> <code>x &lt; y</code><br>\nsee "
        '<a href="https://e.org/a_b_c" rel="noopener noreferrer nofollow">https://e.org/a_b_c</a>.'
        "</p>\n"
    )


def test_slack_is_told_in_its_own_writing_and_nobody_is_called_by_it() -> None:
    said = as_mrkdwn("**Bold** [run](https://e.org/x) <!channel> `**a** <b>` & ~~no~~\n# Title")
    assert said == (
        "*Bold* <https://e.org/x|run> &lt;!channel&gt; `**a** &lt;b&gt;` &amp; ~no~\n*Title*"
    )
