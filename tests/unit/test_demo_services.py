"""The demo's services: they charge, check totals, measure themselves, and fail when told to."""

from __future__ import annotations

import http.client
import json
import random
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from demo import payments, shop
from demo.service import Answer, Request, Service, make_server, route_of


def no_sleep(seconds: float) -> None:
    return


def post(path: str, body: Mapping[str, Any]) -> Request:
    return Request("POST", path, route_of(path), body, "127.0.0.1", "test")


def sample(service: Service, name: str, **labels: str) -> float:
    return service.registry.get_sample_value(name, labels) or 0.0


def charges(service: Service, count: int) -> list[int]:
    return [service.measured(post("/charge", {"amount": 100}))[0].status for _ in range(count)]


def test_payments_fails_the_share_of_charges_it_is_told_to_and_heals() -> None:
    service = payments.build(random.Random(7), no_sleep)
    assert charges(service, 300).count(503) <= 2
    service.measured(post("/admin/fault", {"fail": 0.75}))
    assert 200 <= charges(service, 300).count(503) <= 250
    service.measured(post("/admin/fault", {}))
    assert charges(service, 300).count(503) <= 2


def test_a_delay_makes_charges_slower_by_that_much() -> None:
    slept: list[float] = []
    service = payments.build(random.Random(7), slept.append)
    service.measured(post("/charge", {"amount": 100}))
    service.measured(post("/admin/fault", {"delay": 3.0}))
    service.measured(post("/charge", {"amount": 100}))
    assert slept[0] < 3.0 <= slept[1]


@pytest.mark.parametrize("fault", [{"fail": 1.5}, {"fail": -0.1}, {"delay": 60}])
def test_a_fault_that_makes_no_sense_is_refused_and_changes_nothing(
    fault: Mapping[str, float],
) -> None:
    service = payments.build(random.Random(7), no_sleep)
    assert service.measured(post("/admin/fault", fault))[0].status == 400
    assert charges(service, 100).count(503) == 0


def test_every_request_is_counted_by_route_and_code_but_administration_is_not() -> None:
    service = payments.build(random.Random(7), no_sleep)
    charges(service, 5)
    service.measured(post("/admin/fault", {}))
    service.measured(post("/nowhere", {}))
    assert sample(service, "http_requests_total", route="/charge", code="200") == 5
    assert sample(service, "http_requests_total", route="other", code="404") == 1
    assert sample(service, "http_requests_total", route="/admin/fault", code="200") == 0
    assert sample(service, "http_request_duration_seconds_count", route="/charge") == 5
    name = "http_request_duration_seconds_bucket"
    assert sample(service, name, route="/charge", le="0.3") == 5


def test_an_order_costs_its_items_and_the_shipping() -> None:
    assert shop.order_total({"lamp": 2, "oil": 1}) == 2 * 3990 + 690 + shop.SHIPPING


def checkout(pay: shop.Pay) -> tuple[Service, Answer]:
    service = shop.build(pay, None, random.Random(1), no_sleep)
    return service, service.measured(post("/checkout", {"items": {"bell": 1}}))[0]


def test_a_checkout_whose_receipt_says_the_same_total_is_valid() -> None:
    service, answer = checkout(lambda cents: {"charged": cents})
    assert answer.status == 200
    assert sample(service, "order_checks_total", result="valid") == 1


def test_a_checkout_whose_receipt_says_another_total_is_invalid() -> None:
    service, answer = checkout(lambda cents: {"charged": cents + 1})
    assert answer.status == 200
    assert sample(service, "order_checks_total", result="invalid") == 1
    assert sample(service, "order_checks_total", result="valid") == 0


def test_a_checkout_without_payments_is_a_bad_gateway_and_no_order() -> None:
    service, answer = checkout(lambda cents: None)
    assert answer.status == 502
    assert sample(service, "order_checks_total", result="valid") == 0


def test_an_unknown_item_is_a_server_error_that_is_counted() -> None:
    service = shop.build(lambda cents: None, None, random.Random(1), no_sleep)
    assert service.measured(post("/cart", {"items": {"anchor": 1}}))[0].status == 500
    assert sample(service, "http_requests_total", route="/cart", code="500") == 1


LINE = re.compile(
    r"127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "
    r'"GET /products/lamp HTTP/1\.1" 200 \d+ "-" "agent" 0\.012'
)


def test_the_access_log_is_combined_with_the_duration_and_rotates(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = shop.AccessLog(path, rotate_at=400)
    request = Request("GET", "/products/lamp", "/products/*", {}, "127.0.0.1", "agent")
    for _ in range(5):
        log.write(request, 200, 82, 0.012)
    old = (tmp_path / "access.log.1").read_text().splitlines()
    new = path.read_text().splitlines()
    assert len(old) + len(new) == 5
    assert all(LINE.fullmatch(line) for line in old + new)


def test_both_services_over_real_http_count_what_they_answered() -> None:
    charger = payments.build(random.Random(3), no_sleep)
    with make_server(charger, 0) as pay_server:
        threading.Thread(target=pay_server.serve_forever, daemon=True).start()
        pay = shop.over_http("127.0.0.1", pay_server.server_address[1])
        service = shop.build(pay, None, random.Random(3), no_sleep)
        with make_server(service, 0) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
            connection.request("POST", "/checkout", json.dumps({"items": {"rope": 2}}))
            answer = json.load(connection.getresponse())
            connection.request("GET", "/metrics")
            metrics = connection.getresponse().read().decode()
            connection.close()
            server.shutdown()
        pay_server.shutdown()
    assert answer == {"total": 2990, "charged": 2990}
    assert 'http_requests_total{code="200",route="/checkout"} 1.0' in metrics
    assert sample(charger, "http_requests_total", route="/charge", code="200") == 1


def test_a_body_that_is_not_json_is_the_callers_mistake() -> None:
    service = Service({}, CollectorRegistry())
    with make_server(service, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
        connection.request("POST", "/cart", "{")
        response = connection.getresponse()
        response.read()
        connection.close()
        server.shutdown()
    assert response.status == 400
