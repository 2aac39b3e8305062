"""Sloth and Pyrra files mean here what they mean there; read directly, or imported as OpenSLO."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from watchkeeper.faces.cli.main import cli
from watchkeeper.kernel.errors import WatchkeeperError
from watchkeeper.spec import load, load_text
from watchkeeper.spec.convert import import_file
from watchkeeper.spec.model import (
    CountsSli,
    Finding,
    HistogramSli,
    Occurrences,
    PrometheusQuery,
    RawSli,
    RollingWindow,
    SloDefinition,
    Specs,
)

PUBLISHED = Path(__file__).resolve().parents[2].parent / "shared/data/slo"
SLOTH = sorted((PUBLISHED / "sloth").glob("*.yml"))
PYRRA = sorted((PUBLISHED / "pyrra").glob("*.yaml"))

SOURCE = """
apiVersion: openslo/v1
kind: DataSource
metadata: {name: prom}
spec: {type: Prometheus, connectionDetails: {url: "http://127.0.0.1:9090", retention: 60d}}
---
"""

TARGETS = {
    # Sloth: objectives are percentages, the period is 30 days.
    "myservice-requests-availability": ("0.999", "30d"),
    "myservice2-requests-availability": ("0.9999", "30d"),
    "myapp-http-availability": ("0.9999", "30d"),
    "k8s-apiserver-requests-availability": ("0.999", "30d"),
    "k8s-apiserver-requests-latency": ("0.99", "30d"),
    "home-wifi-good-wifi-client-satisfaction": ("0.95", "30d"),
    "home-wifi-risk-wifi-client-satisfaction": ("0.999", "30d"),
    # Pyrra: targets are percentages in quotes, each has its own window.
    "apiserver-read-resource-latency": ("0.99", "2w"),
    "nginx-api-errors": ("0.999", "4w"),
    "nginx-api-latency": ("0.9", "4w"),
    "prometheus-blackbox-probe-success": ("0.99", "7d"),
    "pyrra-connect-errors": ("0.99", "2w"),
    "pyrra-connect-latency": ("0.99", "2w"),
    "thanos-query": ("0.99", "4w"),
}


def documents(file: Path) -> list[dict[str, Any]]:
    return [d for d in yaml.safe_load_all(file.read_text(encoding="utf-8")) if d]


def usable(text: str, file: str = "spec.yaml") -> Specs:
    loaded = load_text(text, file)
    assert loaded.specs is not None, [str(f) for f in loaded.errors]
    return loaded.specs


def counts(slo: SloDefinition) -> CountsSli:
    assert slo.sli is not None
    assert isinstance(slo.sli.measurement, CountsSli)
    return slo.sli.measurement


def promql(query: object) -> str:
    assert isinstance(query, PrometheusQuery)
    return query.promql


def imported(kind: str, text: str, file: str = "theirs.yaml") -> tuple[str, list[Finding]]:
    found = import_file(kind, text, file)
    assert found.text is not None, [str(f) for f in found.findings]
    return found.text, list(found.findings)


# ---------------------------------------------------------------- what is published


def test_all_that_is_published_is_there_to_be_read() -> None:
    assert len(SLOTH) == 6
    assert len(PYRRA) == 6


@pytest.mark.parametrize("file", [*SLOTH, *PYRRA], ids=lambda f: f"{f.parent.name}-{f.stem}")
def test_targets_and_windows_of_published_files_are_kept(file: Path) -> None:
    specs = usable(SOURCE + file.read_text(encoding="utf-8"), str(file))
    assert specs.slos
    for slo in specs.slos.values():
        target, window = TARGETS[slo.name]
        assert slo.target == Decimal(target)
        assert isinstance(slo.window, RollingWindow)
        assert slo.window.duration.text == window
        assert slo.method == Occurrences()
        assert slo.sli is not None
        assert slo.sli.source == "prom"


def sloth_slos(data: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    root = data.get("spec", data)
    for slo in root["slos"]:
        yield (
            f"{root['service']}-{slo['name']}",
            slo,
            {
                **root.get("labels", {}),
                **slo.get("labels", {}),
            },
        )


@pytest.mark.parametrize("file", SLOTH, ids=lambda f: f.stem)
def test_queries_and_labels_of_published_sloth_files_are_kept(file: Path) -> None:
    specs = usable(SOURCE + file.read_text(encoding="utf-8"), str(file))
    expected = [found for data in documents(file) for found in sloth_slos(data)]
    assert list(specs.slos) == [name for name, _, _ in expected]
    for name, theirs, labels in expected:
        ours, events = specs.slos[name], theirs["sli"]["events"]
        measured = counts(ours)
        bad = events.get("error_query") or events["errorQuery"]
        total = events.get("total_query") or events["totalQuery"]
        assert promql(measured.bad) == bad.strip()
        assert promql(measured.total) == total.strip()
        assert measured.good is None
        assert dict(ours.labels) == labels
        assert ours.description == theirs["description"]
        assert ours.service in specs.services


@pytest.mark.parametrize("file", SLOTH, ids=lambda f: f.stem)
def test_what_sloth_files_say_of_alerting_is_kept_as_annotations(file: Path) -> None:
    specs = usable(SOURCE + file.read_text(encoding="utf-8"), str(file))
    for data in documents(file):
        for name, theirs, _ in sloth_slos(data):
            kept = specs.slos[name].annotations
            for path, value in leaves(theirs["alerting"], "sloth/alerting"):
                assert kept[path] == value


def leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    else:
        yield path, str(value).lower() if isinstance(value, bool) else str(value)


def pyrra_slos(file: Path) -> Iterator[tuple[dict[str, Any], SloDefinition]]:
    specs = usable(SOURCE + file.read_text(encoding="utf-8"), str(file))
    theirs = documents(file)
    assert list(specs.slos) == [d["metadata"]["name"] for d in theirs]
    for document in theirs:
        yield document, specs.slos[document["metadata"]["name"]]


@pytest.mark.parametrize("file", PYRRA, ids=lambda f: f.stem)
def test_indicators_and_labels_of_published_pyrra_files_are_kept(file: Path) -> None:
    for theirs, ours in pyrra_slos(file):
        ((kind, indicator),) = theirs["spec"]["indicator"].items()
        assert ours.sli is not None
        assert ours.sli.group_by == tuple(indicator.get("grouping", ()))
        assert dict(ours.labels) == theirs["metadata"].get("labels", {})
        measured = ours.sli.measurement
        match kind:
            case "ratio":
                assert promql(counts(ours).bad) == indicator["errors"]["metric"]
                assert promql(counts(ours).total) == indicator["total"]["metric"]
            case "latency":
                assert promql(counts(ours).good) == indicator["success"]["metric"]
                assert promql(counts(ours).total) == indicator["total"]["metric"]
            case "latencyNative":
                assert measured == HistogramSli(indicator["total"]["metric"], 0.2, native=True)
            case "bool_gauge":
                assert measured == RawSli(PrometheusQuery(indicator["metric"]), is_failure=False)
            case _:
                pytest.fail(f"no assertion for {kind}")


def test_the_published_files_hold_every_kind_of_pyrra_indicator() -> None:
    kinds = {k for f in PYRRA for d in documents(f) for k in d["spec"]["indicator"]}
    assert kinds == {"ratio", "latency", "latencyNative", "bool_gauge"}


# ---------------------------------------------------------------- import writes OpenSLO


@pytest.mark.parametrize("file", [*SLOTH, *PYRRA], ids=lambda f: f"{f.parent.name}-{f.stem}")
def test_an_imported_file_means_what_the_original_means(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    written, _ = imported(file.parent.name, text, str(file))
    direct, again = usable(SOURCE + text, str(file)), usable(SOURCE + "\n---\n" + written)
    assert [meaning(s) for s in again.slos.values()] == [meaning(s) for s in direct.slos.values()]
    assert list(again.services) == list(direct.services)


@pytest.mark.parametrize("file", [*SLOTH, *PYRRA], ids=lambda f: f"{f.parent.name}-{f.stem}")
def test_an_imported_file_is_openslo_that_imports_as_itself(file: Path) -> None:
    written, _ = imported(file.parent.name, file.read_text(encoding="utf-8"), str(file))
    assert {d["apiVersion"] for d in yaml.safe_load_all(written)} == {"openslo/v1"}
    again, _ = imported("openslo", written)
    assert again == written


def meaning(slo: SloDefinition) -> tuple[object, ...]:
    return (
        slo.name, slo.display_name, slo.service, slo.target, slo.window, slo.method, slo.sli,
        slo.description, slo.labels, slo.annotations, slo.aspect,
    )  # fmt: skip


# ---------------------------------------------------------------- forms that the examples lack

SLOTH_RAW = """version: prometheus/v1
service: shop
slos:
  - name: freshness
    objective: 99.5
    sli:
      raw:
        error_ratio_query: sum(rate(stale_total[{{.window}}])) / sum(rate(reads_total[{{.window}}]))
    alerting:
      page_alert: {disable: true}
"""

PYRRA_GAUGE = """apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata: {name: probes, annotations: {runbook: "https://wiki.example/probes"}}
spec:
  target: "99"
  window: 1w
  indicator: {boolGauge: {metric: 'probe_success{job="blackbox"}', grouping: [target]}}
  alerting: {disabled: true}
"""


def test_a_raw_error_ratio_of_sloth_is_a_failure_ratio() -> None:
    slo = usable(SOURCE + SLOTH_RAW).slos["shop-freshness"]
    assert slo.sli is not None
    assert slo.sli.measurement == RawSli(
        PrometheusQuery(
            "sum(rate(stale_total[{{.window}}])) / sum(rate(reads_total[{{.window}}]))"
        ),
        is_failure=True,
    )


def test_the_kubernetes_form_of_a_raw_error_ratio_is_the_same() -> None:
    lines = [
        line.replace("error_ratio_query", "errorRatioQuery").replace("page_alert", "pageAlert")
        for line in SLOTH_RAW.splitlines()[1:]
    ]
    text = (
        "apiVersion: sloth.slok.dev/v1\nkind: PrometheusServiceLevel\n"
        "metadata: {name: shop, namespace: monitoring}\nspec:\n  " + "\n  ".join(lines) + "\n"
    )
    plain = usable(SOURCE + SLOTH_RAW).slos["shop-freshness"]
    crd = usable(SOURCE + text).slos["shop-freshness"]
    assert (crd.sli, crd.target, crd.window) == (plain.sli, plain.target, plain.window)


def test_both_spellings_of_pyrras_gauge_are_read_and_its_annotations_kept() -> None:
    for text in (PYRRA_GAUGE, PYRRA_GAUGE.replace("boolGauge", "bool_gauge")):
        slo = usable(SOURCE + text).slos["probes"]
        assert slo.sli is not None
        assert slo.sli.measurement == RawSli(PrometheusQuery('probe_success{job="blackbox"}'))
        assert slo.sli.group_by == ("target",)
        assert slo.annotations["runbook"] == "https://wiki.example/probes"
        assert slo.annotations["pyrra/alerting.disabled"] == "true"


def test_a_directory_may_hold_files_of_all_tools_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "source.yaml").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "sloth.yml").write_text(SLOTH_RAW, encoding="utf-8")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "pyrra.yaml").write_text(PYRRA_GAUGE, encoding="utf-8")
    loaded = load(tmp_path)
    assert loaded.specs is not None, [str(f) for f in loaded.errors]
    assert set(loaded.specs.slos) == {"shop-freshness", "probes"}


def test_a_service_that_is_defined_properly_stands_beside_a_sloth_file() -> None:
    own = "apiVersion: watchkeeper/v1\nkind: Service\nmetadata: {name: shop}\nspec: {tier: 1}\n"
    specs = usable(f"{SOURCE}{SLOTH_RAW}---\n{own}")
    assert specs.services["shop"].tier == 1


def test_without_a_source_an_imported_file_is_kept_and_said_to_have_no_data() -> None:
    loaded = load_text(SLOTH_RAW, "sloth.yml")
    assert loaded.specs is not None
    assert [(f.code, f.place.line) for f in loaded.findings] == [("no-source", 8)]


# ---------------------------------------------------------------- the command


def wk(*arguments: str | Path) -> tuple[int, str]:
    """Exit status, and all that is said."""
    result = CliRunner().invoke(cli, ["import", *map(str, arguments)])
    if isinstance(result.exception, WatchkeeperError):
        return result.exception.exit_status, f"{result.output}{result.exception}"
    return result.exit_code, result.output


@pytest.mark.parametrize(("kind", "files"), [("sloth", SLOTH[:2]), ("pyrra", PYRRA)])
def test_all_that_is_imported_into_a_directory_can_be_read_together(
    kind: str, files: list[Path], tmp_path: Path
) -> None:
    for half in (files[:3], files[3:]):  # the second time beside what is there
        if half:
            assert wk(kind, *half, "--out", tmp_path)[0] == 0
    loaded = load(tmp_path)
    assert [str(f) for f in loaded.errors] == []
    assert len(list(tmp_path.iterdir())) == len(files)


def test_a_service_that_is_defined_where_it_is_imported_to_stays_as_it_is(tmp_path: Path) -> None:
    own = "apiVersion: watchkeeper/v1\nkind: Service\nmetadata: {name: shop}\nspec: {tier: 1}\n"
    (tmp_path / "theirs.yml").write_text(SLOTH_RAW)
    out = tmp_path / "own"
    out.mkdir()
    (out / "services.yaml").write_text(SOURCE + own)
    assert wk("sloth", tmp_path / "theirs.yml", "--out", out)[0] == 0
    loaded = load(out)
    assert loaded.specs is not None, [str(f) for f in loaded.errors]
    assert loaded.specs.services["shop"].tier == 1
    assert set(loaded.specs.slos) == {"shop-freshness"}


def test_files_of_one_name_are_told_apart_and_none_is_written_over(tmp_path: Path) -> None:
    files = [tmp_path / team / "slo.yml" for team in ("red", "blue")]
    for file in files:
        file.parent.mkdir()
        file.write_text(SLOTH_RAW.replace("freshness", file.parent.name))
    out = tmp_path / "out"
    assert wk("sloth", *files, "--out", out)[0] == 0
    assert sorted(p.name for p in out.iterdir()) == ["blue-slo.yaml", "red-slo.yaml"]
    before = (out / "red-slo.yaml").read_text()
    status, said = wk("sloth", *files, "--out", out)
    assert (status, "--force" in said) == (2, True)
    assert wk("sloth", *files, "--out", out, "--force")[0] == 0
    assert (out / "red-slo.yaml").read_text() == before
    status, said = wk("sloth", files[0], tmp_path / "blue/../red/slo.yml", "--out", out)
    assert (status, "would both become" in said) == (2, True)


def test_one_wrong_file_and_nothing_is_written(tmp_path: Path) -> None:
    good, wrong = tmp_path / "good.yml", tmp_path / "wrong.yml"
    good.write_text(SLOTH_RAW)
    wrong.write_text(PYRRA_GAUGE)
    status, said = wk("sloth", good, wrong, "--out", tmp_path / "out")
    assert (status, "import it as pyrra" in said) == (2, True)
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------- what cannot be imported


def test_a_file_of_another_tool_is_refused_with_the_right_kind_to_give() -> None:
    found = import_file("pyrra", SLOTH_RAW, "sloth.yml")
    assert found.text is None
    assert "import it as sloth" in str(found.findings[0])


def test_a_broken_file_gives_its_own_lines_and_no_text() -> None:
    broken = SLOTH_RAW.replace("objective: 99.5", "objective: high")
    found = import_file("sloth", broken, "sloth.yml")
    assert found.text is None
    errors = [f for f in found.findings if f.severity == "error"]
    assert [(f.place.file, f.place.line) for f in errors] == [("sloth.yml", 5)]
