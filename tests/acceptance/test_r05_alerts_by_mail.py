"""Alerts by e-mail: handed in by SMTP, and each is on disk when it is accepted."""

from __future__ import annotations

import json
import smtplib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage

import pytest

from tests.support.processes import free_port, wait_until
from tests.support.serving import Serve
from watchkeeper.alerting import keys, store_doors
from watchkeeper.alerting.intake.reading import MOST_BYTES
from watchkeeper.faces.letterbox import bound
from watchkeeper.kernel.errors import UserError
from watchkeeper.store import Database

SPECS = """
apiVersion: watchkeeper/v1
kind: Integration
metadata: {name: nagios}
spec: {type: email}
---
apiVersion: watchkeeper/v1
kind: Integration
metadata: {name: json}
spec: {type: generic}
---
apiVersion: watchkeeper/v1
kind: Integration
metadata: {name: slow}
spec: {type: email, perMinute: 1}
"""
KEYS = {name: f"wki_{n:028x}" for n, name in enumerate(("nagios", "json", "slow"), 1)}


@dataclass
class Place:
    """A server that takes mail, and a sender."""

    server: Serve
    port: int

    def send(self, subject: str, *to: str, text: str = "See the runbook.") -> dict[str, str]:
        """What was refused, by address; raises what smtplib raises when nobody took it."""
        message = EmailMessage()
        message["From"], message["To"] = "nagios@mon.example", ", ".join(to)
        message["Subject"] = subject
        message.set_content(text)
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as smtp:
            refused = smtp.send_message(message, to_addrs=list(to))
        return {address: said.decode() for address, (_, said) in refused.items()}

    def alerts(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = self.server.get("/api/v1/alerts")["alerts"]
        return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    where = tmp_path_factory.mktemp("mail")
    (where / "specs").mkdir()
    (where / "specs" / "specs.yaml").write_text(SPECS)
    url = str(where / "wk.db")
    db = Database.open(url)
    with db.write() as conn:
        for name, key in KEYS.items():
            store_doors.add_key(conn, keys.digest(key), name, name, time.time())
    db.close()
    port = free_port()
    server = Serve(where, where / "specs", url)
    server.options += ["--smtp", f"127.0.0.1:{port}"]
    try:
        server.start()
        yield Place(server, port)
    finally:
        server.stop()


def address(name: str) -> str:
    return f"{KEYS[name]}@alerts.example.org"


def test_a_mail_opens_an_alert_and_one_that_says_so_closes_it(place: Place) -> None:
    place.send("PROBLEM: Disk full on db-7", address("nagios"))
    (opened,) = [a for a in place.alerts() if "db-7" in str(a["summary"])]
    assert (opened["state"], opened["source"]) == ("open", "nagios@mon.example")

    place.send("RECOVERY: Disk full on db-7", address("nagios"))
    (closed,) = [a for a in place.alerts() if a["id"] == opened["id"]]
    assert closed["state"] == "closed"


def test_what_was_accepted_survives_kill_9(place: Place) -> None:
    place.send("PROBLEM: Fan of rack 4", address("nagios"))
    place.server.kill()
    place.server.start()
    assert [a["state"] for a in place.alerts() if "rack 4" in str(a["summary"])] == ["open"]


def test_an_unknown_address_is_refused_at_once_and_others_of_the_mail_are_served(
    place: Place,
) -> None:
    refused = place.send("PROBLEM: Lift 2", "nobody@alerts.example.org", address("nagios"))
    assert list(refused) == ["nobody@alerts.example.org"]
    assert "No integration" in refused["nobody@alerts.example.org"]
    assert [a for a in place.alerts() if "Lift 2" in str(a["summary"])]


def test_what_an_integration_cannot_read_is_refused_for_good_and_counted(place: Place) -> None:
    with pytest.raises(smtplib.SMTPDataError) as raised:
        place.send("PROBLEM: not JSON", address("json"))
    assert raised.value.smtp_code == 554

    def counted() -> bool:
        return "JSON" in json.dumps(place.server.get("/api/v1/integrations"))

    wait_until(counted, 20, "the refusal is shown")


def test_a_sender_over_its_limit_is_told_to_come_again(place: Place) -> None:
    place.send("PROBLEM: one", address("slow"))
    with pytest.raises(smtplib.SMTPDataError) as raised:
        place.send("PROBLEM: two", address("slow"))
    assert raised.value.smtp_code == 451
    assert b"Send it again in" in raised.value.smtp_error


def test_a_mail_that_is_too_large_is_refused(place: Place) -> None:
    with pytest.raises(smtplib.SMTPResponseException) as raised:
        place.send("PROBLEM: big", address("nagios"), text="x" * 70 * (MOST_BYTES // 70))
    assert raised.value.smtp_code == 552


@pytest.mark.parametrize("wrong", ["2525", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:smtp"])
def test_an_address_that_is_none_is_said_before_anything_starts(wrong: str) -> None:
    with pytest.raises(UserError, match="no address") as raised:
        bound(wrong)
    assert "HOST:PORT" in raised.value.hint


def test_a_port_that_another_program_has_is_said(place: Place) -> None:
    with pytest.raises(UserError, match="Mail cannot be taken"):
        bound(f"127.0.0.1:{place.port}")
