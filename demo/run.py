"""``make demo``: start the shop, use it, break it, heal it, and watch it all the while.

Everything listens on loopback, everything started here is ended here, all files are in ``.demo``.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import math
import os
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from demo import changes
from demo.children import Children, port_from
from demo.history import NOTE
from demo.payments import BAD, GOOD
from demo.pipeline import PERSON, Pipeline

ROOT = Path(__file__).resolve().parent.parent
SPECS = ROOT / "demo" / "specs"
REPORT_EVERY = 15
INNOCENT_AFTER = 40.0
"""Seconds after a bad release at which the shop changes something that does no harm."""
WATCHED = "checkout-availability"


@dataclass(frozen=True, slots=True)
class Plan:
    """When payments is broken: first ``after`` seconds, for ``lasts``, again every ``every``."""

    after: float = 60.0
    lasts: float = 180.0
    every: float = 900.0

    def broken(self, elapsed: float) -> bool:
        """Whether payments is to be broken this long after the start."""
        return elapsed >= self.after and (elapsed - self.after) % self.every < self.lasts


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens, on 127.0.0.1."""

    web: int
    shop: int
    payments: int

    @classmethod
    def choose(cls, web: int) -> Ports:
        """Free ports, the usual ones where possible (those written in ``demo/specs``)."""
        shop = port_from(18081)
        payments = port_from(18082, taken=(shop,))
        return cls(port_from(web, taken=(shop, payments)), shop, payments)

    def url(self, port: int) -> str:
        """The address of one of them."""
        return f"http://127.0.0.1:{port}"


def write_specs(source: Path, target: Path, ports: Ports, log: Path) -> None:
    """Copy the specs, with the ports and the log of this run in place of the usual ones."""
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        text = path.read_text(encoding="utf-8")
        text = text.replace("127.0.0.1:18081", f"127.0.0.1:{ports.shop}")
        text = text.replace("127.0.0.1:18082", f"127.0.0.1:{ports.payments}")
        text = text.replace(".demo/shop-access.log", str(log))
        # Mitigations run our own programs, by a path that does not depend on the environment.
        text = text.replace("/srv/demo", str(ROOT)).replace("[python3,", f'["{sys.executable}",')
        (target / path.name).write_text(text, encoding="utf-8")


@contextlib.contextmanager
def alone(state: Path) -> Iterator[None]:
    """Hold the state directory, emptied; a second demo in it is refused."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SystemExit(f"demo: a demo already runs in {state}; stop it first") from None
        for path in state.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "lock":
                path.unlink()
        yield


def get(url: str) -> Any:  # noqa: ANN401 - any JSON
    """The JSON at this address; None when it does not answer yet."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return json.load(response)
    except (OSError, ValueError):
        return None


def answers(url: str) -> bool:
    """True when this address answers with a success."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def deploy(ports: Ports, version: str) -> None:
    """Put a release of payments out."""
    body = json.dumps({"version": version}).encode()
    url = ports.url(ports.payments) + "/admin/release"
    with urllib.request.urlopen(urllib.request.Request(url, body, method="POST"), timeout=10):
        pass


def tell(ports: Ports, change: Mapping[str, object]) -> None:
    """Record a change with Watchkeeper, as a deployment would."""
    url = ports.url(ports.web) + "/api/v1/changes"
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(change).encode(), headers, method="POST")
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except OSError as error:
        say(f"the change could not be recorded: {error}")


def status_line(slo: Mapping[str, Any]) -> str:
    """One line on an SLO, for those who have no browser here."""
    attainment, left = slo["attainment"], slo["budget"]["remaining_ratio"]
    burn = slo["burn_rate"]
    if attainment is None or left is None:
        return f"{slo['name']}: no data yet"
    rates = "  ".join(f"{w} ×{burn[w]:.1f}" for w in ("5m", "1h") if burn.get(w) is not None)
    word = "BURNING" if slo.get("burning") else slo["state"]
    return f"{slo['name']}: {attainment:.4%}, {left:.1%} of the budget left, burn {rates}, {word}"


class Demo:
    """One run of the demo."""

    def __init__(self, options: argparse.Namespace, children: Children) -> None:
        self.options = options
        self.children = children
        self.state: Path = options.state.resolve()
        self.ports = Ports.choose(options.port)
        self.plan = Plan(after=options.fault_after, lasts=options.fault_seconds)
        self.broken = False
        self.paged = False
        self.releases = 0
        self.innocent_at = math.inf
        self.pipeline: Pipeline

    def prepare(self) -> None:
        """Write specs and history."""
        # Late: the options and a second demo's refusal need not wait for SQLAlchemy.
        from demo.replay import replay, token_for

        log = self.state / "shop-access.log"
        log.touch()
        write_specs(SPECS, self.state / "specs", self.ports, log)
        say("replaying 30 days of history …")
        started = time.monotonic()
        web = self.ports.url(self.ports.web)
        count = replay(self.state / "watchkeeper.db", self.state / "specs", time.time(), web)
        token = token_for(self.state / "watchkeeper.db", PERSON, time.time())
        self.pipeline = Pipeline(web, token, say)
        say(f"{count:,} minutes of counts in {time.monotonic() - started:.1f} s")

    def start(self) -> None:
        """Start the services, Watchkeeper, then the traffic; return when all are ready."""
        p, python = self.ports, sys.executable
        self.children.start("payments", [python, "-m", "demo.payments", "--port", str(p.payments)])
        shop = [python, "-m", "demo.shop", "--port", str(p.shop), "--payments-port"]
        shop += [str(p.payments), "--log", str(self.state / "shop-access.log")]
        self.children.start("shop", shop)
        for name, port in (("payments", p.payments), ("shop", p.shop)):
            url = p.url(port) + "/metrics"
            self.children.wait_for(lambda url=url: answers(url), name)  # type: ignore[misc]
        self.children.start("watchkeeper", self.serve(), {"WATCHKEEPER_DEMO_NOTE": NOTE})
        traffic = [python, "-m", "demo.traffic", "--port", str(p.shop)]
        self.children.start("traffic", traffic)
        self.children.wait_for(lambda: answers(p.url(p.web) + "/readyz"), "watchkeeper")

    def serve(self) -> list[str]:
        """The command that runs Watchkeeper on this run's specs and database."""
        command = [str(Path(sys.executable).with_name("watchkeeper")), "serve"]
        # Relative, as one would type it: the pages show where a definition stands.
        command += ["--specs", os.path.relpath(self.state / "specs")]
        command += ["--db", str(self.state / "watchkeeper.db")]
        command += ["--host", "127.0.0.1", "--port", str(self.ports.web)]
        # Nobody signs in to a demo; it is on a loopback address.
        return [*command, "--interval", "5", "--anonymous-write"]

    def watch(self) -> None:
        """Break and heal payments by the plan, and report, until the time is up."""
        started = time.monotonic()
        reported = 0
        while True:
            time.sleep(0.5)
            elapsed = time.monotonic() - started
            if self.options.seconds and elapsed >= self.options.seconds:
                return
            gone = self.children.dead()
            if gone:
                raise SystemExit(f"demo: {gone} ended unexpectedly\n{self.children.tail(gone)}")
            self.follow_plan(elapsed)
            self.pipeline.step(elapsed)
            if elapsed >= (reported + 1) * REPORT_EVERY:
                reported = int(elapsed // REPORT_EVERY)
                self.report(elapsed)

    def follow_plan(self, elapsed: float) -> None:
        """Break or heal payments when it is time to."""
        broken = self.plan.broken(elapsed)
        if elapsed >= self.innocent_at:
            self.innocent_at = math.inf
            tell(self.ports, changes.innocent(self.releases))
        if broken == self.broken:
            return
        if broken:
            self.releases += 1
            self.innocent_at = elapsed + INNOCENT_AFTER
            tell(self.ports, changes.bad_release(self.releases))
            self.pipeline.begin(self.releases, elapsed)
        else:
            tell(self.ports, changes.rolled_back(self.releases))
        deploy(self.ports, f"1.6.{self.releases}" if broken else GOOD)
        self.broken, self.paged = broken, False
        if broken:
            say(f"RELEASE: payments 1.6.{self.releases} is out, and it is a bad one")
            say(f"FAULT: {BAD.fail:.0%} of the charges fail now, the rest are slow")
            say(f"       for {self.plan.lasts:.0f} s; watch checkout burn: {self.page(WATCHED)}")
            say(f"       and who is paged: {self.ports.url(self.ports.web)}/inbox")
        else:
            say(f"HEALED: payments {GOOD} runs again; what was spent stays spent")

    def report(self, elapsed: float) -> None:
        """Print how checkout is doing."""
        slo = get(self.ports.url(self.ports.web) + f"/api/v1/slos/{WATCHED}")
        if slo is not None:
            say(f"{elapsed:4.0f} s  {status_line(slo)}")
        if self.broken and not self.paged:
            self.point_at_page()

    def point_at_page(self) -> None:
        """Say where the open page is, once somebody is called."""
        web = self.ports.url(self.ports.web)
        pages = get(f"{web}/api/v1/pages?state=open&state=acked") or []
        number = next((p["id"] for p in pages if p["urgency"] == "page"), None)
        if number is None:
            return
        self.paged = True
        say(f"PAGE {number}: {web}/pages/{number}")
        say(f"       declare an incident from it: {web}/incidents/declare?page={number}")
        say("       and roll payments back from the page of the incident")
        say(f"       What may be released now: {web}/budgets/shop-budget")

    def page(self, slo: str) -> str:
        """The address of an SLO's page."""
        return f"{self.ports.url(self.ports.web)}/slo/{slo}"

    def welcome(self) -> None:
        """Say what runs where and what will happen."""
        p = self.ports
        web = p.url(p.web)
        end = f"Ends by itself in {self.options.seconds:.0f} s." if self.options.seconds else ""
        print(
            f"""
  Overview             {web}/
  Checkout's budget    {self.page(WATCHED)}
  May we release?      {web}/budgets   (wk gate check payments --url {web})
  What can we afford?  {web}/afford/payments
  The week in review   {web}/reviews
  What was changed     {web}/changes
  Who is needed now    {web}/alerts
  Phones of on-call    {web}/inbox   (open a page's link there: one tap and it is yours)
  Incidents            {web}/incidents   (1 is of the replayed month)
  Its postmortem       {web}/postmortems/1   (its action items: {web}/actions)
  Told to the public   {web}/status/shop
  API                  {web}/api/v1/slos
  The shop itself      {p.url(p.shop)}/   (metrics: {p.url(p.shop)}/metrics)
  What is watched      {self.state}/specs   (edit: it is read again at once)

  In {self.plan.after:.0f} s a bad release of payments goes out: checkout burns, somebody is called,
  features are halted, and {PERSON} asks you for an exception. Declare an incident from the page and
  roll payments back from there.
  After {self.plan.lasts:.0f} s it is rolled back by itself. The same comes again every
  {self.plan.every / 60:.0f} minutes.
  The 30 days before now are replayed, not measured; the pages say so.
  Break it yourself:   curl -d '{{"version": "1.6.9"}}' {p.url(p.payments)}/admin/release
  Heal it:             curl -d '{{"version": "{GOOD}"}}' {p.url(p.payments)}/admin/release

  Ctrl-C stops everything. {end}
""",
            flush=True,
        )

    def run(self) -> None:
        """The whole run."""
        self.prepare()
        self.start()
        self.welcome()
        self.watch()


def say(text: str) -> None:
    """One line to the terminal, at once."""
    print(f"demo: {text}", flush=True)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options; each can also be given by environment, so that ``make demo X=…`` reaches it."""
    env = os.environ.get
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--seconds", type=float, default=float(env("DEMO_SECONDS") or 0))
    parser.add_argument("--port", type=int, default=int(env("DEMO_PORT") or 8080))
    parser.add_argument("--state", type=Path, default=Path(env("DEMO_STATE") or ROOT / ".demo"))
    parser.add_argument("--fault-after", type=float, default=float(env("DEMO_FAULT_AFTER") or 60))
    parser.add_argument(
        "--fault-seconds", type=float, default=float(env("DEMO_FAULT_SECONDS") or 180)
    )
    return parser.parse_args(arguments)


def main() -> None:
    """Run until Ctrl-C, SIGTERM, or the time is up; leave nothing running."""
    options = parse()

    def stop(number: int, frame: FrameType | None) -> None:
        # From here on a second Ctrl-C must not cut the stopping short.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    with alone(options.state):
        logs = options.state / "logs"
        logs.mkdir()
        try:
            with Children(logs) as children:
                signal.signal(signal.SIGINT, stop)
                signal.signal(signal.SIGTERM, stop)
                Demo(options, children).run()
                say("the time is up; stopping")
        except KeyboardInterrupt:
            pass
        say("everything is stopped")


if __name__ == "__main__":
    main()
