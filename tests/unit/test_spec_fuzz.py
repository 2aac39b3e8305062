"""Whatever is written, lint answers: findings with a place, exit status 0 or 2, never a crash."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.documents import ROOT
from tests.support.duty_specs import EVERYTHING
from watchkeeper.faces.cli.main import cli
from watchkeeper.spec import load_text
from watchkeeper.spec.model import Severity

DEMO = ROOT / "demo" / "specs"
SLOTH = """
version: prometheus/v1
service: shop
slos:
  - name: answers
    objective: 99.9
    sli:
      events:
        error_query: sum(rate(http_requests_total{code=~"5.."}[{{.window}}]))
        total_query: sum(rate(http_requests_total[{{.window}}]))
"""
PYRRA = """
apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata: {name: answers}
spec:
  target: "99"
  window: 4w
  indicator: {latency: {success: {metric: a}, total: {metric: b}, grouping: [c]}}
"""
PAGE = (ROOT / "docs" / "reference" / "specs.md").read_text(encoding="utf-8")
RESPONSE = (ROOT / "docs" / "reference" / "response.md").read_text(encoding="utf-8")
GOOD = [
    *(p.read_text(encoding="utf-8") for p in sorted(DEMO.glob("*.yaml"))),
    "---\n".join(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)),
    "---\n".join(re.findall(r"```yaml\n(.*?)```", RESPONSE, re.DOTALL)),
    EVERYTHING,
    SLOTH,
    PYRRA,
]
FINDING = re.compile(r"spec\.yaml:(\d+):(\d+): (error|warning): \S.* \[[a-z-]+\]")


def answers(text: str) -> int:
    """Lint the text; the exit status that it would have."""
    loaded = load_text(text)
    # A file ends where YAML says it does: at any line break it knows, perhaps one line further.
    lines = len(re.split("\r\n|[\n\r\x85\u2028\u2029]", text)) + 1
    for finding in loaded.findings:
        match = FINDING.fullmatch(str(finding))
        assert match is not None, str(finding)
        assert 1 <= int(match[1]) <= lines
        assert int(match[2]) >= 1
    failed = any(f.severity is Severity.ERROR for f in loaded.findings)
    assert (loaded.specs is None) == failed
    return 2 if failed else 0


# ---------------------------------------------------------------- mutated text

PIECES = st.sampled_from(
    [
        "", " ", "  ", "\t", "\n", "---\n", "- ", ": ", "{", "}", "[", "]", "*a", "&a ", "<<: *a",
        "!!binary ", "!x ", '"', "'", "|", ">", "#", "%", "null", "~", ".nan", ".inf", "-1",
        "1e400", "9" * 400, "0", "yes", "2026-13-45", "\x00", "\ufeff", "\u2028", "é", "\ud7ff",
        "[[", "{{.window}}", "5m", "100%",
    ]
)  # fmt: skip


@st.composite
def mutated_texts(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 2, 7, 40, 400])))
        text = text[:start] + draw(PIECES | st.text(max_size=5)) + text[end:]
    return text


@settings(deadline=None, max_examples=250)
@example("a: !!python/object/apply:os.system [x]\n")
@example("? [a]\n: b\n")
@example("- 1\n- 2\n")
@given(mutated_texts())
def test_lint_answers_to_a_good_file_with_letters_changed(text: str) -> None:
    assert answers(text) in (0, 2)


# ---------------------------------------------------------------- mutated data

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**20), st.floats(), st.text(max_size=6),
    st.sampled_from(
        ["99.9", "99.9%", "5m", "-5m", "1M", "Europe/Berlin", "x{", "sum(", "sum(rate(x[5m]))",
         "{a=~\"(\"}", "0 3 * * *", "2026-01-01", "*", "openslo/v1", "SLO", "http://[", "+49 1"]
    ),
    st.sampled_from([[], {}, [[]], [{}], [None], {"a": {}}, {"spec": {}}, {"env": ["x"]}, {1: 2}]),
)  # fmt: skip


def places(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401
    """The path of every value in this data."""
    inside = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    return [at, *(p for key, value in inside for p in places(value, (*at, key)))]


@st.composite
def mutated_data(draw: st.DrawFn) -> str:
    documents = [d for d in yaml.safe_load_all(draw(st.sampled_from(GOOD))) if d]
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from([p for p in places(documents) if len(p) > 1]))
        holder: Any = documents
        for key in path[:-1]:
            holder = holder[key]
        match draw(st.sampled_from(["value", "remove", "rename", "copy"])):
            case "value":
                holder[path[-1]] = copy.deepcopy(draw(VALUES))
            case "remove":
                del holder[path[-1]]
            case "rename" if isinstance(holder, dict):
                holder[draw(st.text(max_size=4) | st.integers() | st.none())] = holder.pop(path[-1])
            case _:
                other = draw(st.sampled_from([p for p in places(documents) if len(p) > 1]))
                value: Any = documents
                for key in other:
                    value = value[key]
                holder[path[-1]] = copy.deepcopy(value)
    return yaml.safe_dump_all(documents, allow_unicode=True)


@settings(deadline=None, max_examples=350)
@example("metadata: {name: a}\n---\nmetadata: {name: a}\n")
@example("? 'a\n\n  b'\n: 1\n")
@example('"a\\u2028\\x85\\r": "b\\nc"\n')
@given(mutated_data())
def test_lint_answers_to_a_good_file_with_values_exchanged(text: str) -> None:
    assert answers(text) in (0, 2)


def test_what_is_mutated_was_good() -> None:
    assert [answers(text) for text in GOOD if text.startswith(("\nversion", "\napi"))] == [0, 0, 0]
    together = "---\n".join(GOOD[: len(list(DEMO.glob("*.yaml")))])
    assert answers(together) == 0


@settings(deadline=None, max_examples=25)
@given(text=mutated_texts() | mutated_data())
def test_the_command_says_the_same_and_exits_with_0_or_2(
    tmp_path_factory: Any,  # noqa: ANN401 - the fixture's type is private
    text: str,
) -> None:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    (folder / "spec.yaml").write_text(text, encoding="utf-8", newline="")
    result = CliRunner().invoke(cli, ["lint", str(folder)])
    assert not isinstance(result.exception, Exception), result.exception
    assert result.exit_code == answers((folder / "spec.yaml").read_text(encoding="utf-8"))
