"""Duty in YAML: the schema for editors agrees with the readers; findings have examples."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.support.duty_specs import (
    EVERYTHING,
    documents,
    schema_of,
)
from watchkeeper.spec import duty_alerts as alerts
from watchkeeper.spec import duty_channels as channels
from watchkeeper.spec import duty_people as people
from watchkeeper.spec import duty_schedules as schedules
from watchkeeper.spec import load_text, native, schema
from watchkeeper.spec.schema_response import RESPONSE

ROOT = Path(__file__).resolve().parents[2]
WRONG = ROOT / "tests" / "specs" / "wrong"

# ---------------------------------------------------------------- the schema for editors


VALIDATOR = Draft202012Validator(schema())


def test_the_schema_takes_what_the_readers_take() -> None:
    Draft202012Validator.check_schema(schema())
    for data in documents(EVERYTHING):
        if data["metadata"]["name"] == "strict":  # more than the whole is for the reader alone
            data["spec"]["consumed"].pop()
        assert list(VALIDATOR.iter_errors(data)) == [], data["metadata"]["name"]


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("User", people.USER_KEYS),
        ("Schedule", schedules.SCHEDULE_KEYS),
        ("EscalationPolicy", people.ESCALATION_KEYS),
        ("Channel", channels.CHANNEL_KEYS),
        ("Integration", channels.INTEGRATION_KEYS),
        ("Heartbeat", channels.HEARTBEAT_KEYS),
        ("TriageRule", alerts.TRIAGE_KEYS),
        ("Maintenance", alerts.MAINTENANCE_KEYS),
        ("AlertPolicy", alerts.POLICY_KEYS),
    ],
)
def test_schema_and_reader_know_the_same_keys(kind: str, keys: tuple[str, ...]) -> None:
    assert set(schema_of(kind)["properties"]) == {*keys, "description"}


STRUCTURAL = ("unknown-key", "missing", "wrong-type", "bad-target")


def _structural(path: Path) -> bool:
    """True when every document is right but for its form, which a schema can tell."""
    findings = path.with_suffix(".txt").read_text().splitlines()
    return all(re.search(rf"error: .*\[({'|'.join(STRUCTURAL)})\]$", f) for f in findings)


WRONG_FORMS = [p for p in sorted(WRONG.glob("duty_*.yaml")) if _structural(p)]


def test_there_are_wrong_forms_to_try() -> None:
    assert len(WRONG_FORMS) >= 12


@pytest.mark.parametrize("path", WRONG_FORMS, ids=lambda p: p.stem)
def test_the_schema_refuses_what_has_the_wrong_form(path: Path) -> None:
    assert not all(VALIDATOR.is_valid(data) for data in documents(path.read_text()))


def test_every_code_of_a_finding_of_duty_has_a_wrong_example() -> None:
    sources = "".join(p.read_text() for p in (ROOT / "src/watchkeeper/spec").glob("duty_*.py"))
    written = set(
        re.findall(r'(?:fault|warn|Finding)\(\s*(?:[^"()]*\s)?"([a-z]+(?:-[a-z]+)*)"', sources)
    )
    written |= set(re.findall(r'Severity\.\w+,\s*"([a-z-]+)"', sources))
    shown = set(re.findall(r"\[([a-z-]+)\]$", "".join(
        p.read_text() for p in WRONG.glob("duty_*.txt")), re.MULTILINE))  # fmt: skip
    assert len(written) > 20
    assert written - shown == set()


# ---------------------------------------------------------------- the reference


def test_the_reference_shows_every_kind_and_nothing_wrong() -> None:
    page = (ROOT / "docs" / "reference" / "duty.md").read_text(encoding="utf-8")
    text = "---\n".join(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    shown = {data["kind"] for data in documents(text)}
    others = {"Team", "Service", "Journey", "CompositeSLO", *RESPONSE}
    assert shown == set(native.KINDS) - others
    # What the examples name but do not define is all that is left to say.
    assert {f.code for f in load_text(text).findings} == {"dangling"}
    assert all(VALIDATOR.is_valid(data) for data in documents(text))
