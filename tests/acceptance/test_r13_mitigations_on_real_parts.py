"""R13: mitigations on real parts: HAProxy, a supervised process, the demo shop; crashes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support import duty
from tests.support.documents import ROOT
from tests.support.haproxy import Proxy, haproxy
from tests.support.kubernetes import TOKEN, Cluster, kubernetes
from tests.support.mitigations import ANN, Bench, command, definition, with_mitigations
from tests.support.processes import answers, free_port, running, wait_until
from tests.support.providers import Provider
from tests.support.providers import running as provider_running
from tests.support.supervisor import supervised
from watchkeeper.incidents.mitigation import executors, rules, work
from watchkeeper.incidents.mitigation.executors import haproxy as haproxy_executor
from watchkeeper.incidents.mitigation.model import Help, Run, RunState
from watchkeeper.measure.scrape.source import ScrapeSource
from watchkeeper.slo import work as slo_work
from watchkeeper.spec import load_text
from watchkeeper.spec.model import SourceDefinition, SourceType, Specs
from watchkeeper.spec.response import MitigationDefinition, MitigationKind, ParameterDefinition
from watchkeeper.store import Database


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """One kind is enough: what differs between the two is tested where runs are kept."""
    made = Database.open(str(tmp_path / "wk.db"))
    yield made
    made.close()


def run_one(db: Database, made: MitigationDefinition, **more: Any) -> Run:  # noqa: ANN401
    """Ask for it in an incident, and carry it out."""
    return Bench(db, with_mitigations(duty.specs(), made)).run(made.name, **more)


# ---------------------------------------------------------------- HAProxy


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with haproxy(tmp_path_factory.mktemp("haproxy")) as found:
        yield found


def fail_over(where: str, to: str = "spare", away: str = "main") -> MitigationDefinition:
    steps = [{"server": f"shop/{to}", "state": "ready"}, {"server": f"shop/{to}", "weight": "50%"},
             {"server": f"shop/{away}", "state": "maint"}]  # fmt: skip
    return definition("switch", MitigationKind.HAPROXY, {"socket": where, "steps": steps})


def test_haproxy_fails_over_by_its_runtime_api_and_back(db: Database, proxy: Proxy) -> None:
    assert proxy.answers() == "main"
    dry = run_one(db, fail_over(proxy.socket), dry_run=True, confirmed=False)
    assert (dry.state, proxy.answers()) == (RunState.SUCCEEDED, "main")
    assert "shop/spare: maint, weight 100 → state ready" in dry.output

    run = run_one(db, fail_over(proxy.socket))
    assert (run.state, proxy.answers()) == (RunState.SUCCEEDED, "spare")

    back = run_one(db, fail_over(proxy.runtime, "main", "spare"))  # over TCP
    assert (back.state, proxy.answers()) == (RunState.SUCCEEDED, "main")


def test_a_slip_in_the_last_step_changes_nothing(db: Database, proxy: Proxy) -> None:
    run = run_one(db, fail_over(proxy.socket, "spare", "mian"))
    assert run.state is RunState.FAILED
    assert "no server shop/mian. It has: shop/main, shop/spare" in run.outcome
    assert proxy.answers() == "main"


def test_no_second_command_gets_into_a_line(db: Database, proxy: Proxy) -> None:
    free = ParameterDefinition("server", "Server", pattern="(?s).*")
    made = definition(
        "switch", MitigationKind.HAPROXY,
        {"socket": proxy.socket, "steps": [{"server": "shop/{server}", "state": "maint"}]}, free,
    )  # fmt: skip
    for value in ("main state maint; disable server shop/main", "main;", "main state"):
        assert run_one(db, made, values={"server": value}).state is RunState.FAILED
    assert proxy.answers() == "main"


def test_a_haproxy_that_does_not_answer_is_said(db: Database, tmp_path: Path) -> None:
    run = run_one(db, fail_over(str(tmp_path / "none.sock")))
    assert run.state is RunState.FAILED
    assert "does not answer: No such file or directory" in run.outcome
    assert haproxy_executor.Server(0x08, 1).state == "drain"


# ---------------------------------------------------------------- systemd


def unit(systemctl: list[str], do: str = "restart", name: str = "checkout.service") -> Any:  # noqa: ANN401
    settings = {"do": do, "unit": name, "program": systemctl}
    return definition("unit", MitigationKind.SYSTEMD, settings)


def pid_of(systemctl: list[str]) -> int:
    shown = subprocess.run(
        [*systemctl, "show", "checkout.service"], capture_output=True, text=True, check=True
    ).stdout
    return int(shown.rpartition("MainPID=")[2])


def test_a_supervised_process_is_restarted_stopped_and_started(
    db: Database, tmp_path: Path
) -> None:
    with supervised(tmp_path, "checkout.service") as systemctl:
        first = pid_of(systemctl)
        dry = run_one(db, unit(systemctl), dry_run=True)
        assert f"MainPID={first}" in dry.output
        assert pid_of(systemctl) == first

        run = run_one(db, unit(systemctl))
        second = pid_of(systemctl)
        assert (run.state, run.output.strip()) == (RunState.SUCCEEDED, "active")
        assert second not in (0, first)
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)

        assert run_one(db, unit(systemctl, "stop")).state is RunState.SUCCEEDED
        assert pid_of(systemctl) == 0
        assert run_one(db, unit(systemctl, "start")).state is RunState.SUCCEEDED
        third = pid_of(systemctl)
        os.kill(third, signal.SIGKILL)  # it is really supervised
        wait_until(lambda: pid_of(systemctl) not in (0, third), what="it is started again")

        absent = run_one(db, unit(systemctl, name="chekout.service"))
        assert (absent.state, absent.outcome) == (RunState.FAILED, "exit status 5")


# ---------------------------------------------------------------- Kubernetes


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setenv("K8S_TOKEN", TOKEN)
    monkeypatch.setattr(executors.kubernetes, "LOOK_EVERY", 0.05)
    with kubernetes() as found:
        yield found


def workload(cluster: Cluster, do: str, **more: Any) -> MitigationDefinition:  # noqa: ANN401
    usual = {"token": {"env": "K8S_TOKEN"}, "namespace": "shop", "allow_private": True}
    settings = {"url": cluster.url, "workload": "deployment/checkout", "do": do, **usual, **more}
    return definition("k8s", MitigationKind.KUBERNETES, settings, timeout=5.0)


def test_a_rollout_is_undone_as_kubectl_does_it(db: Database, cluster: Cluster) -> None:
    dry = run_one(db, workload(cluster, "rollback"), dry_run=True)
    assert (dry.state, cluster.image) == (RunState.SUCCEEDED, "checkout:3")
    assert cluster.patches == [("application/json-patch+json", "All")]

    run = run_one(db, workload(cluster, "rollback"))
    assert (run.state, cluster.image) == (RunState.SUCCEEDED, "checkout:2")
    assert "revision 3 → 2: checkout:2" in run.output
    assert run.outcome == "4 of 4 copies are updated and available"
    run_one(db, workload(cluster, "rollback", revision=1))
    assert cluster.image == "checkout:1"
    gone = run_one(db, workload(cluster, "rollback", revision=9))
    assert "no revision 9. It has: 1, 2" in gone.outcome
    assert TOKEN not in json.dumps([r.output for r in (dry, run, gone)])


def test_copies_are_added_and_pods_made_anew(db: Database, cluster: Cluster) -> None:
    run = run_one(db, workload(cluster, "scale", replicas="+2"))
    assert (run.state, cluster.deployment["spec"]["replicas"]) == (RunState.SUCCEEDED, 6)
    run = run_one(db, workload(cluster, "restart"))
    template = cluster.deployment["spec"]["template"]["metadata"]
    assert run.state is RunState.SUCCEEDED
    assert "kubectl.kubernetes.io/restartedAt" in template["annotations"]


def test_a_rollout_that_does_not_end_is_told_so(db: Database, cluster: Cluster) -> None:
    cluster.stuck = True
    made = replace(workload(cluster, "restart"), timeout=1.0)
    run = run_one(db, made)
    assert run.state is RunState.TIMED_OUT
    assert "has not seen the change yet" in run.outcome


def test_a_wrong_token_is_a_failure_and_not_shown(
    db: Database, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K8S_TOKEN", "another-secret-token")
    run = run_one(db, workload(cluster, "restart"))
    assert run.state is RunState.FAILED
    assert "answered 401" in run.outcome
    assert "another-secret-token" not in run.outcome + run.output


# ---------------------------------------------------------------- HTTP


def flags(its: Provider, method: str, path: str, headers: dict[str, str], body: bytes) -> object:
    assert (method, path) == ("PATCH", "/flags/..%2Fx%3Fy%3D1%23z")
    its.taken.append(json.loads(body))
    return {"on": True}


def flag(url: str, **more: Any) -> MitigationDefinition:  # noqa: ANN401
    settings = {"url": f"{url}/flags/{{flag}}", "method": "PATCH", "body": {"on": "{flag}"}, **more}
    return definition("flag", MitigationKind.HTTP, settings,
                      ParameterDefinition("flag", "Flag", pattern=".*"))  # fmt: skip


def test_a_request_is_sent_once_and_a_value_stays_one_piece_of_the_address(db: Database) -> None:
    with provider_running(flags) as its:
        refused = run_one(db, flag(its.url), values={"flag": "a"})
        assert "not a public address" in refused.outcome
        run = run_one(db, flag(its.url, allow_private=True), values={"flag": "../x?y=1#z"})
        assert run.state is RunState.SUCCEEDED
        assert its.taken == [{"on": "../x?y=1#z"}]
        its.mode = "cut"  # it may have been read
        run = run_one(db, flag(its.url, allow_private=True), values={"flag": "a"})
        assert run.state is RunState.UNKNOWN
        its.mode = "down"
        run = run_one(db, flag(its.url, allow_private=True), values={"flag": "a"})
        assert run.state is RunState.FAILED


# ---------------------------------------------------------------- a server that is killed


SERVER = """
import sys, time
from tests.support import duty
from tests.support.mitigations import command, with_mitigations
from watchkeeper.incidents.mitigation.running import Runner
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.store import Database
import threading
db = Database.open(sys.argv[1])
specs = with_mitigations(duty.specs(), command("revert", sys.executable, "-c", sys.argv[2]))
start = lambda body: threading.Thread(target=body, daemon=True).start()
its = Runner(db, SystemClock(), lambda: specs, "victim", start)
while True:
    its.step()
    time.sleep(0.05)
"""


def test_kill_9_in_the_middle_leaves_an_unknown_outcome_that_nobody_runs_again(
    tmp_path: Path,
) -> None:
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'a').write('x'); import time; time.sleep(2)"
    path = tmp_path / "wk.db"
    db = Database.open(str(path))
    its = Bench(db, with_mitigations(duty.specs(), command("revert", sys.executable, "-c", code)))
    its.clock.advance(time.time() - its.clock.now())
    asked = its.ask("revert")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    server = [sys.executable, "-c", SERVER, str(path), code]
    with running(server, tmp_path / "log", env, ROOT) as victim:
        wait_until(ran.exists, what="the command runs")
        victim.kill()
        victim.wait()
    assert its.get(asked.run.id).state is RunState.RUNNING
    its.clock.advance(rules.LEASE + 5)
    its.server.step()
    its.end()
    run = its.get(asked.run.id)
    assert run.state is RunState.UNKNOWN
    for _ in range(3):
        its.clock.advance(120)
        assert its.server.step() == 0
    assert ran.read_text() == "x"
    assert "outcome unknown" in its.told()[-1]
    db.close()


# ---------------------------------------------------------------- the demo shop


SHOP = """
apiVersion: openslo/v1
kind: DataSource
metadata: {{name: payments}}
spec: {{type: scrape, connectionDetails: {{url: "{url}/metrics"}}}}
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {{name: payments}}
spec: {{}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {{name: charges}}
spec:
  service: payments
  indicator:
    metadata: {{name: charges}}
    spec:
      ratioMetric:
        counter: true
        bad:
          metricSource:
            metricSourceRef: payments
            spec: {{selector: 'http_requests_total{{route="/charge",code=~"5.."}}'}}
        total:
          metricSource:
            metricSourceRef: payments
            spec: {{selector: 'http_requests_total{{route="/charge"}}'}}
  timeWindow: [{{duration: 28d, isRolling: true}}]
  budgetingMethod: Occurrences
  objectives: [{{target: 0.99}}]
---
"""


class Shop:
    """The demo's payments service, used and measured minute by minute of a virtual clock."""

    def __init__(self, its: Bench, url: str) -> None:
        self.its, self.url = its, url
        found = its.specs.sources["payments"]
        self.source = ScrapeSource(SourceDefinition(found.name, SourceType.SCRAPE, found.settings,
                                                    found.place))  # fmt: skip
        self.slis = [s.sli for s in its.specs.slos.values() if s.sli]
        self.cursor: Any = None
        self.http = httpx2.Client()
        with its.db.write() as conn:
            slo_work.apply_specs(conn, its.specs, its.clock.now())
        self.look()

    def minute(self, charges: int = 20) -> None:
        """A minute in which people pay."""
        for _ in range(charges):
            self.http.post(f"{self.url}/charge", json={"amount": 100})
        self.its.clock.advance(30)
        self.look()
        self.its.clock.advance(30)

    def look(self) -> None:
        """Measure."""
        now = self.its.clock.now()
        batch = self.source.collect(self.slis, self.cursor, now)
        self.cursor = batch.cursor
        with self.its.db.write() as conn:
            slo_work.record_batch(conn, self.its.specs, batch, now)


def shop_specs(url: str) -> Specs:
    """The demo's own mitigation, for a payments service at this address."""
    own = (ROOT / "demo" / "specs" / "mitigations.yaml").read_text(encoding="utf-8")
    documents = own.replace("http://127.0.0.1:18082", url).split("---\n")
    revert = next(d for d in documents if "name: roll-back-payments" in d)
    revert = revert.replace("slo: payments-charges", "slo: charges")
    revert = revert.replace("[python3,", f"[{sys.executable},").replace("/srv/demo", str(ROOT))
    loaded = load_text(SHOP.format(url=url) + revert)
    assert loaded.specs is not None, [str(f) for f in loaded.errors]
    return replace(loaded.specs, duty=duty.specs().duty)


def story(told: list[str]) -> Mapping[str, str]:
    return dict(zip(("asked", "ended", "helped"), told, strict=True))


def test_rolling_the_demo_shop_back_stops_the_burn_and_the_ledger_says_so(
    db: Database, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    serve = [sys.executable, "-m", "demo.payments", "--port", str(port)]
    with running(serve, tmp_path / "payments.log", cwd=ROOT):
        wait_until(lambda: answers(f"{url}/metrics"), what="payments serves")
        its = Bench(db, shop_specs(url), services=("payments",))
        shop = Shop(its, url)
        shop.minute()
        shop.http.post(f"{url}/admin/release", json={"version": "1.6.1"})
        for _ in range(rules.BEFORE):
            shop.minute()
        run = its.run("roll-back-payments", values={"version": "previous"})
        assert run.state is RunState.SUCCEEDED, (run.outcome, run.output)
        assert shop.http.get(f"{url}/admin/release").json()["version"] == "1.5.0"
        for _ in range(rules.AFTER + 3):
            shop.minute()
        with db.write() as conn:
            (checked,) = work.check(conn, its.specs, its.clock.now())
            assert work.check(conn, its.specs, its.clock.now()) == []
        assert checked.helped in (Help.STOPPED, Help.LESS)
        (burn,) = checked.data["burns"]
        assert burn["before"] > 20
        assert burn["after"] < 5
        said = story(its.told())
        assert said["asked"] == f"Asked for: {run.title} (version=previous)"
        assert "succeeded" in said["ended"]
        assert said["helped"].startswith(f"{run.title} (version=previous): It helped")
        assert run.by == ANN.actor
        shop.http.close()
