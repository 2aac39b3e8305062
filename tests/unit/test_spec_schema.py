"""The JSON Schema for editors takes what the readers take, and refuses what has the wrong form."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from tests.support.documents import ROOT, all_blocks
from watchkeeper.faces.cli.main import cli
from watchkeeper.spec import load_text, native, openslo, schema
from watchkeeper.spec.convert import import_file
from watchkeeper.spec.document import read_documents
from watchkeeper.spec.foreign import foreign_kind
from watchkeeper.spec.queries import FIELDS, SETTINGS

VALIDATOR = Draft202012Validator(schema())
WRONG = ROOT / "tests" / "specs" / "wrong"
DEMO = sorted((ROOT / "demo" / "specs").glob("*.yaml"))
PUBLISHED = sorted((ROOT.parent / "shared" / "data" / "slo" / "openslo").rglob("*.yaml"))


def documents(text: str) -> list[Any]:
    """The documents of a text that are ours to check: no YAML trouble, nothing foreign."""
    found, _ = read_documents(text, "spec.yaml")
    return [d.data for d in found if not foreign_kind(d)]


def refused(text: str) -> list[str]:
    return [e.message[:200] for d in documents(text) for e in VALIDATOR.iter_errors(d)]


def codes(path: Path) -> list[str]:
    """The codes of the errors that a wrong spec gives."""
    lines = path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    return [m[1] for line in lines if (m := re.search(r": error: .*\[([a-z-]+)\]$", line))]


# ---------------------------------------------------------------- what is right


def test_the_command_prints_the_schema() -> None:
    result = CliRunner().invoke(cli, ["schema"])
    assert result.exit_code == 0
    assert json.loads(result.output) == schema()
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", DEMO, ids=lambda p: p.stem)
def test_the_specs_of_the_demo_fit_the_schema(path: Path) -> None:
    assert documents(path.read_text(encoding="utf-8"))
    assert refused(path.read_text(encoding="utf-8")) == []


def test_every_definition_in_the_docs_fits_the_schema() -> None:
    ours = re.compile(r"^apiVersion: (openslo|watchkeeper)", re.MULTILINE)
    blocks = [b for b in all_blocks("yaml") if ours.search(b.text)]
    # A scenario for `wk simulate` looks alike, but defines nothing.
    blocks = [b for b in blocks if "kind: Scenario" not in b.text]
    assert len(blocks) >= 10
    assert {str(b): why for b in blocks if (why := refused(b.text))} == {}


def test_specs_published_by_others_fit_the_schema() -> None:
    assert len(PUBLISHED) >= 4
    texts = {p: p.read_text(encoding="utf-8") for p in PUBLISHED}
    assert sum(len(documents(text)) for text in texts.values()) >= 4
    assert {str(p): why for p, text in texts.items() if (why := refused(text))} == {}


@pytest.mark.parametrize(
    "path", [p for p in sorted(WRONG.glob("*.yaml")) if not codes(p)], ids=lambda p: p.stem
)
def test_what_lint_only_warns_of_fits_the_schema(path: Path) -> None:
    assert refused(path.read_text(encoding="utf-8")) == []


# ---------------------------------------------------------------- what is wrong

FORM = (
    "journey-empty", "journey-incomplete", "many-windows", "missing", "one-metric",
    "rolling-calendar", "secret-in-spec", "target-percent", "target-range", "two-indicators",
    "two-rotations", "two-targets", "unknown-api", "unknown-key", "wrong-type",
)  # fmt: skip
"""Codes of errors that stand in one document and that its form alone shows."""
BEYOND_A_SCHEMA = {
    "log_text_for_mapping": "which fields a query may have depends on another document",
    "log_unknown_field": "which fields a query may have depends on another document",
    "target_not_finite": "JSON has no NaN",
}
WRONG_FORMS = [
    p
    for p in sorted(WRONG.glob("*.yaml"))
    if any(code in FORM for code in codes(p)) and not p.stem.startswith(("sloth_", "pyrra_"))
]


def test_there_are_wrong_forms_to_try() -> None:
    assert len(WRONG_FORMS) >= 55
    assert {code for p in WRONG_FORMS for code in codes(p)} >= set(FORM)


@pytest.mark.parametrize("path", WRONG_FORMS, ids=lambda p: p.stem)
def test_what_has_the_wrong_form_is_refused(path: Path) -> None:
    found = refused(path.read_text(encoding="utf-8"))
    assert bool(found) == (path.stem not in BEYOND_A_SCHEMA)


# ---------------------------------------------------------------- the reference

PAGE = (ROOT / "docs" / "reference" / "specs.md").read_text(encoding="utf-8")
KINDS = [(openslo.API, k) for k in openslo.KINDS] + [
    (native.API, k) for k in ("Team", "Service", "Journey", "CompositeSLO")
]


def keys_of(part: Any) -> set[str]:  # noqa: ANN401 - any piece of the schema
    """Every key that a part of the schema names, at any depth."""
    if isinstance(part, list):
        return {key for item in part for key in keys_of(item)}
    if not isinstance(part, dict):
        return set()
    named = set(part.get("properties", {}))
    return named | {key for value in part.values() for key in keys_of(value)}


def section(api: str, kind: str) -> str:
    """What the page says under ``### Kind`` of this API."""
    found = re.search(
        rf"^## [^\n]*`{re.escape(api)}`.*?^### {kind}\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL
    )
    return found[1] if found else ""


def spec_of(api: str, kind: str) -> dict[str, Any]:
    for one in schema()["oneOf"]:
        properties: dict[str, Any] = one["properties"]
        if (properties["apiVersion"]["const"], properties["kind"]["const"]) == (api, kind):
            return dict(properties["spec"])
    raise KeyError(kind)


@pytest.mark.parametrize(("api", "kind"), KINDS, ids=lambda v: str(v))
def test_each_kind_has_a_section_that_names_all_its_keys_and_an_example_that_fits(
    api: str, kind: str
) -> None:
    text = section(api, kind)
    told = set(re.findall(r"`([A-Za-z_]+)`", text))
    own = set(spec_of(api, kind)["properties"])
    assert own - told == set(), f"{kind}: not told"
    # Settings of sources and what is shared have tables of their own.
    everywhere = set(re.findall(r"`([A-Za-z_]+)`", PAGE))
    assert keys_of(spec_of(api, kind)) - everywhere == set()
    examples = [
        d for block in re.findall(r"```yaml\n(.*?)```", text, re.S) for d in documents(block)
    ]
    assert (api, kind) in {(d["apiVersion"], d["kind"]) for d in examples}


def test_no_key_is_told_that_does_not_exist() -> None:
    known = set().union(*(keys_of(spec_of(api, kind)) for api, kind in KINDS))
    for names in (*FIELDS.values(), *SETTINGS.values()):
        known |= set(names)
    rows = re.findall(r"^\| ((?:`[A-Za-z_]+`(?:, )?)+) \|", PAGE, re.MULTILINE)
    told = {key for row in rows for key in re.findall(r"\w+", row)}
    assert len(told) > 60
    assert told - known - {str(kind) for kind in SETTINGS} == set()


@pytest.mark.parametrize("kind", SETTINGS, ids=str)
def test_each_source_has_a_row_with_its_settings_and_its_fields(kind: str) -> None:
    row = re.search(rf"^\| `{kind}`[^|]*\|([^|]*)\|([^|]*)\|$", PAGE, re.MULTILINE)
    assert row is not None
    settings = {next(t for t in SETTINGS if t == kind): set(re.findall(r"`(\w+)`", row[1]))}
    assert settings == {t: set(SETTINGS[t]) for t in settings}
    assert set(re.findall(r"`(\w+)`", row[2])) == set(FIELDS[next(iter(settings))])


def test_the_page_as_a_whole_is_a_set_of_specs_that_lint_finds_nothing_wrong_with() -> None:
    text = "---\n".join(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
    assert [str(f) for f in load_text(text, "specs.md").findings] == []


def how_to(name: str) -> list[str]:
    text = (ROOT / "docs" / "how-to" / f"{name}.md").read_text(encoding="utf-8")
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)


def test_the_journey_of_the_how_to_is_without_findings_and_makes_the_three_that_it_names() -> None:
    loaded = load_text("---\n".join(how_to("define-a-journey")))
    assert [str(f) for f in loaded.findings] == []
    assert loaded.specs is not None
    assert set(loaded.specs.slos) == {
        "checkout-availability", "checkout-latency", "checkout-correctness",
    }  # fmt: skip


def test_the_foreign_files_of_the_how_to_become_what_it_says() -> None:
    source, sloth, pyrra = how_to("import-from-sloth-and-pyrra")
    loaded = load_text("---\n".join((source, sloth, pyrra)))
    assert [str(f) for f in loaded.findings] == []
    assert loaded.specs is not None
    slos = loaded.specs.slos
    assert {n: (s.service, str(s.target), str(s.window.duration)) for n, s in slos.items()} == {
        "myservice-requests-availability": ("myservice", "0.999", "30d"),
        "nginx-api-errors": ("web", "0.999", "4w"),
    }
    grouped = slos["nginx-api-errors"].sli
    assert grouped is not None
    assert (grouped.source, grouped.group_by) == ("prometheus", ("handler",))
    for kind, text in (("sloth", sloth), ("pyrra", pyrra)):
        imported = import_file(kind, text, f"{kind}.yaml")
        assert imported.text is not None
        assert refused(imported.text) == []
