"""What is written about response: read in full, checked, the same in schema and docs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.documents import ROOT
from tests.support.duty_specs import EVERYTHING, doc, documents, schema_of
from watchkeeper.spec import load_text, mitigation_read, response_read, schema
from watchkeeper.spec.mitigation_read import PLACEHOLDER
from watchkeeper.spec.model import Loaded, Specs
from watchkeeper.spec.response import (
    DAY,
    MINUTE,
    NO_RESPONSE,
    PLAIN_VALUE,
    MitigationKind,
    TrackerKind,
)
from watchkeeper.spec.schema_response import RESPONSE

PAGE = (ROOT / "docs" / "reference" / "response.md").read_text(encoding="utf-8")
EXAMPLES = "---\n".join(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
AROUND = """
apiVersion: watchkeeper/v1
kind: Service
metadata: {name: payments}
spec: {}
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: hooks}
spec: {type: webhook, settings: {secret: {env: HOOKS}}}
---
apiVersion: watchkeeper/v1
kind: Team
metadata: {name: storefront}
spec: {}
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: push}
spec: {type: push}
---
apiVersion: watchkeeper/v1
kind: Journey
metadata: {name: checkout}
spec: {service: shop, source: push, availability: {target: 99%, total: {stream: checkout}}}
"""
VALIDATOR = Draft202012Validator(schema())
KEYS = {
    "IncidentPolicy": response_read.POLICY_KEYS,
    "Mitigation": mitigation_read.MITIGATION_KEYS,
    "StatusPage": response_read.PAGE_KEYS,
    "Tracker": response_read.TRACKER_KEYS,
}


def read() -> Specs:
    """The examples of the page; what they name is defined by others, or left out."""
    text = re.sub(r"\{schedule: (support|reviews)\}", "{schedule: primary}", EXAMPLES)
    loaded = load_text("---\n".join([EVERYTHING, AROUND, text]))
    assert loaded.specs is not None, [str(f) for f in loaded.errors]
    return loaded.specs


# ---------------------------------------------------------------- what is read


def test_the_examples_of_the_page_are_right_and_what_they_name_is_all_that_lacks() -> None:
    assert {f.code for f in load_text(EXAMPLES).findings} == {"dangling"}
    assert {d["kind"] for d in documents(EXAMPLES)} == set(RESPONSE)
    assert [e.message for d in documents(EXAMPLES) for e in VALIDATOR.iter_errors(d)] == []


def test_a_severity_keeps_what_is_not_said_of_it_and_others_do_not_exist() -> None:
    severities = read().response.severities
    assert list(severities) == ["SEV1", "SEV2", "SEV3", "SEV4"]
    assert severities["SEV2"] == NO_RESPONSE.severities["SEV2"]
    assert severities["SEV1"].update_every == 15 * MINUTE
    assert severities["SEV4"].update_every is None
    assert severities["SEV4"].action_within == 30 * DAY


def test_roles_are_filled_from_the_targets_that_are_written() -> None:
    roles = read().response.roles
    assert list(roles) == ["commander", "comms", "ops", "scribe"]
    assert [t.name for t in roles["comms"].targets] == ["primary", "cho"]
    assert roles["commander"].severities == ("SEV1", "SEV2", "SEV3")
    assert roles["scribe"].severities == ("SEV1",)


def test_mitigations_have_settings_parameters_and_a_dry_run() -> None:
    mitigations = read().response.mitigations
    assert {m.kind for m in mitigations.values()} == set(MitigationKind)
    one = mitigations["roll-back-payments"]
    assert (one.services, one.action, one.timeout, one.confirm) == (
        ("payments",),
        "revert",
        120,
        True,
    )
    assert one.slo == "checkout-availability"
    assert [(p.name, p.default) for p in one.parameters] == [("version", "previous")]
    assert one.dry_run["run"][-1] == "--plan"


def test_a_status_page_has_components_and_a_tracker_its_people() -> None:
    response = read().response
    page = response.status_pages["public"]
    assert page.public
    assert [c.name for c in page.components] == ["checkout", "shop", "search"]
    assert page.components[2].slos == ("checkout-availability",)
    assert (page.channel, page.webhooks, page.measured) == ("mail", "hooks", True)
    assert [(t.name, t.severity, t.phase) for t in page.templates] == [
        ("card-trouble", "SEV2", "investigating")
    ]
    tracker = response.trackers["issues"]
    assert (tracker.kind, tracker.teams) == (TrackerKind.GITHUB, ("storefront",))
    assert tracker.settings["token"] == {"env": "GITHUB_TOKEN"}


def test_without_a_policy_the_usual_severities_and_roles_hold() -> None:
    loaded = load_text(doc("Team", {}))
    assert loaded.specs is not None
    assert loaded.specs.response.severities == NO_RESPONSE.severities
    assert loaded.specs.response.roles == NO_RESPONSE.roles


# ---------------------------------------------------------------- what is refused


def mitigation(**settings: Any) -> Loaded:  # noqa: ANN401 - any setting
    return load_text(doc("Mitigation", {"type": "command", "settings": settings}))


@pytest.mark.parametrize(
    "run",
    [
        ["sh", "-c", "{x}"],
        ["/bin/sh", "-xc", "echo {x}"],
        ["env", "bash", "-c", "true", "{x}"],
        ["busybox", "sh", "-c", "{x}"],
        ["{x}"],
        ["/opt/{x}/deploy"],
    ],
)
def test_what_a_person_types_never_becomes_code_or_the_program(run: list[str]) -> None:
    assert "injectable" in {f.code for f in mitigation(run=run).errors}


def test_a_shell_without_a_parameter_is_the_writers_own_affair() -> None:
    assert mitigation(run=["sh", "-c", "systemctl restart a && sleep 1"]).findings == ()


def test_double_braces_are_left_alone() -> None:
    assert PLACEHOLDER.findall("{a} {{b}} {{.Names}} { c } {d}") == ["a", "d"]
    assert mitigation(run=["docker", "inspect", "-f", "{{json}}"]).findings == ()


def test_the_usual_value_cannot_be_an_option_nor_hold_a_space_or_a_newline() -> None:
    for wrong in ("-rf", "--force", "a b", "a\nb", "a;b", "$(a)", "a'b", "", "ä", "a" * 201):
        assert re.fullmatch(PLAIN_VALUE, wrong) is None, wrong
    for right in ("v1.2.3", "release/2026-11-27", "user@host:/path", "a" * 200):
        assert re.fullmatch(PLAIN_VALUE, right), right


# ---------------------------------------------------------------- schema and docs


@pytest.mark.parametrize("kind", sorted(KEYS))
def test_schema_and_reader_know_the_same_keys(kind: str) -> None:
    assert set(schema_of(kind)["properties"]) == {*KEYS[kind], "description"}


def test_the_page_names_every_key_and_setting() -> None:
    known = {k for keys in KEYS.values() for k in keys}
    known |= {*response_read.SEVERITY_KEYS, *response_read.ROLE_KEYS, *response_read.COMPONENT_KEYS}
    known |= {*mitigation_read.PARAMETER_KEYS, *mitigation_read.STEP_KEYS}
    for settings in (*mitigation_read.SETTINGS.values(), *response_read.TRACKER_SETTINGS.values()):
        known |= {s.rstrip("*") for s in settings}
    assert {k for k in known if not re.search(rf"\b{k}\b", PAGE)} == set()
