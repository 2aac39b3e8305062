"""The documentation is true: its code parses, its commands exist, its links lead somewhere."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest
import yaml

from tests.support.documents import ROOT, Block, all_blocks, command_lines, pages
from watchkeeper.faces.cli.main import cli

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def test_there_is_documentation_to_check() -> None:
    assert len(pages()) >= 6
    assert len(all_blocks("bash", "yaml")) >= 6


def problem(block: Block) -> str:
    """Why this block is not what it says it is; empty when it is."""
    try:
        if block.language == "json":
            json.loads(block.text)
        elif block.language in {"yaml", "yml"}:
            list(yaml.safe_load_all(block.text))
        elif block.language == "python" and block.page.name != "architecture.md":
            ast.parse(block.text)  # (the architecture shows signatures without bodies)
        elif block.language in {"bash", "sh", "console"}:
            text = re.sub(r"^\$ ", "", block.text, flags=re.M)
            command = ["bash", "-n"]
            return subprocess.run(command, input=text, capture_output=True, text=True).stderr
    except (ValueError, SyntaxError, yaml.YAMLError) as error:
        return str(error)
    return ""


def test_code_in_the_docs_parses() -> None:
    found = all_blocks("json", "yaml", "yml", "python", "bash", "sh", "console")
    assert {str(block): why for block in found if (why := problem(block))} == {}


@pytest.mark.parametrize(
    ("language", "text"),
    [("json", "{"), ("yaml", "a: [1"), ("python", "def f("), ("bash", "if then"), ("sh", "'")],
)
def test_code_that_does_not_parse_is_noticed(language: str, text: str) -> None:
    assert problem(Block(ROOT / "README.md", 1, language, (), text))


def relative_links(page: Path) -> list[str]:
    found = LINK.findall(page.read_text(encoding="utf-8"))
    return [link for link in found if not re.match(r"[a-z]+:|#", link)]


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_lead_to_a_file(page: Path) -> None:
    broken = [
        link for link in relative_links(page) if not (page.parent / link.split("#")[0]).exists()
    ]
    assert broken == []


class Loads(HTMLParser):
    """What a page makes a browser load by itself (a link that a reader may follow is none)."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        address = given.get("src") or (given.get("href") if tag == "link" else None)
        if address and given.get("rel") != "canonical":
            self.found.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_no_page_of_the_site_loads_anything_from_another_host(site: Path) -> None:
    html = sorted(site.rglob("*.html"))
    assert len(html) >= 5
    for page in html:
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        assert loads.found, f"{page} loads not even a style sheet"
        assert [a for a in loads.found if re.match(r"([a-z]+:)?//", a)] == []


def test_no_style_of_the_site_loads_anything_from_another_host(site: Path) -> None:
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", text) == [], sheet


def test_every_page_is_in_the_navigation(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    docs = ROOT / "docs"
    missing = [
        str(page.relative_to(docs))
        for page in docs.rglob("*.md")
        if page.relative_to(docs).with_suffix(".html").as_posix() not in home
    ]
    assert missing == []


def test_commands_in_a_shell_block_are_found_behind_variables_pipes_and_comments() -> None:
    text = "$ A=1 wk lint slos | sort  # wk none\nls && watchkeeper \\\n  serve\n# wk status\n"
    block = Block(ROOT / "README.md", 1, "bash", (), text)
    assert list(command_lines(block)) == [["wk", "lint", "slos"], ["watchkeeper", "serve"]]


def command_tree(group: click.Group, path: tuple[str, ...] = ()) -> dict[str, click.Command]:
    """Every command by its words, groups left out: ``ledger import`` → its command."""
    found: dict[str, click.Command] = {}
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None, name
            if isinstance(command, click.Group):
                found |= command_tree(command, (*path, name))
            else:
                found[" ".join((*path, name))] = command
    return found


COMMANDS = command_tree(cli)


def test_every_command_is_documented_with_an_example() -> None:
    shown = {" ".join(words[1:]) for b in all_blocks("bash", "sh") for words in command_lines(b)}
    missing = [name for name in COMMANDS if not any(line.startswith(name) for line in shown)]
    assert missing == []


def wrong_words(words: list[str]) -> str:
    """What is wrong with a command line from the docs; empty when it exists as written."""
    name = next((" ".join(words[1:n]) for n in (3, 2) if " ".join(words[1:n]) in COMMANDS), None)
    if name is None:
        return "" if words[1:2] in ([], ["--help"], ["--version"]) else "no such command"
    known = {o for p in COMMANDS[name].params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
    used = {word.split("=")[0] for word in words if word.startswith("--")}
    return f"no option {sorted(used - known)}" if used - known else ""


def test_every_command_line_in_the_docs_exists_as_written() -> None:
    wrong = {
        f"{block} {' '.join(words)}": problem
        for block in all_blocks("bash", "sh", "console")
        for words in command_lines(block)
        if (problem := wrong_words(words))
    }
    assert wrong == {}


def test_a_command_or_an_option_that_does_not_exist_is_noticed() -> None:
    assert wrong_words(["wk", "lnit", "slos"]) == "no such command"
    assert wrong_words(["wk", "lint", "--fancy", "slos"]) == "no option ['--fancy']"
    assert wrong_words(["wk", "ledger", "export", "--out=x"]) == ""


def test_every_environment_variable_that_is_read_is_documented() -> None:
    read = {
        name
        for path in (ROOT / "src").rglob("*.py")
        for name in re.findall(r"\"(WATCHKEEPER_[A-Z_]+)\"", path.read_text(encoding="utf-8"))
    }
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages())
    assert read
    assert {name for name in read if name not in text} == set()
