"""Whether an outcome fulfils a check. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.accesslog.asking import statuses
from watchkeeper.spec.model import CountsSli, ProbeCheck, SliDefinition

PORTS = {"http": 80, "https": 443}
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, and where to. ``scheme`` is http, https, tcp or tls; ``path`` has the query."""

    scheme: str
    host: str
    port: int
    path: str
    method: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def shown(self) -> str:
        """The target for people; without the query, which may hold a secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if PORTS.get(self.scheme) == self.port else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path.partition('?')[0]}"

    @property
    def encrypted(self) -> bool:
        """True when a certificate is shown."""
        return self.scheme in ("https", "tls")

    @property
    def speaks_http(self) -> bool:
        """True when the answer has a status."""
        return self.scheme in ("http", "https")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one probe.

    ``failure`` says why there was no whole answer. ``seconds`` is the time until the answer was
    read, ``certificate_until`` when the certificate runs out (None: there was none).
    """

    began: Seconds
    seconds: float
    failure: str = ""
    status: int = 0
    body: str = ""
    certificate_until: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """An SLI's check, ready to be judged: good when it is fulfilled, or when not, if ``bad``."""

    sli: str
    request: Request
    statuses: frozenset[int]
    pattern: re.Pattern[str] | None
    within: float | None
    certificate_days: float | None
    bad: bool = False

    def judge(self, outcome: Outcome) -> tuple[bool, str]:
        """Whether the event is good, and why not."""
        why = self._missed(outcome)
        if self.bad and not outcome.failure:
            return (True, "") if why else (False, "what makes it bad holds")
        return not why, why

    def _missed(self, outcome: Outcome) -> str:
        """The first assertion that does not hold; the words are the same each time."""
        if outcome.failure:
            return outcome.failure
        if self.request.speaks_http and outcome.status not in self.statuses:
            return f"answered status {outcome.status}"
        if self.pattern is not None and not self.pattern.search(outcome.body):
            return "the answer lacks the expected text"
        if self.within is not None and outcome.seconds > self.within:
            return f"took longer than {self.within:g} s"
        return self._certificate(outcome)

    def _certificate(self, outcome: Outcome) -> str:
        if self.certificate_days is None:
            return ""
        if outcome.certificate_until is None:
            return "showed no certificate"
        days = (outcome.certificate_until - outcome.began) / DAY
        if days < self.certificate_days:
            return f"the certificate runs out within {self.certificate_days:g} days"
        return ""


def check_of(sli: SliDefinition, verified: bool) -> Check:
    """The check of an SLI. Raises UserError when it cannot be probed.

    With both ``total`` and ``good`` (or ``bad``) every probe counts, and that one is judged.
    ``verified`` is False when certificates are not verified; then their age cannot be known.
    """
    measurement = sli.measurement
    if not isinstance(measurement, CountsSli):
        raise UserError("it cannot be probed", "give a target and what is expected of it")
    if sli.group_by:
        raise UserError(f"a probe has no labels to group by: {', '.join(sli.group_by)}")
    query = measurement.good or measurement.bad or measurement.total
    if not isinstance(query, ProbeCheck):
        raise UserError(f"a probe needs a target, not {type(query).__name__}")
    request = request_of(query)
    if query.min_certificate_days is not None and not (request.encrypted and verified):
        raise UserError(
            f"{request.shown} has no certificate that is verified",
            "min_certificate_days is for https:// and tls:// without insecure_skip_verify",
        )
    return Check(
        sli.key,
        request,
        statuses(query.expect_status),
        body_pattern(query.expect_body),
        query.expect_within,
        query.min_certificate_days,
        measurement.good is None and measurement.bad is not None,
    )


def request_of(check: ProbeCheck) -> Request:
    """What a check sends. Raises UserError for a target that is no address."""
    hint = "write http://…, https://…, tcp://host:port or tls://host:port"
    try:
        parts = urlsplit(check.target)
        port = parts.port
    except ValueError as error:
        raise UserError(f"the target {check.target!r} is no address: {error}", hint) from None
    if parts.scheme not in ("http", "https", "tcp", "tls") or not parts.hostname:
        raise UserError(f"the target {check.target!r} is no address", hint)
    if parts.username is not None:
        raise UserError(
            "the target holds a user or a password", "they would be shown; leave it out"
        )
    port = port or PORTS.get(parts.scheme)
    if port is None:
        raise UserError(f"the target {check.target!r} has no port", hint)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        path += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]")
    return Request(
        parts.scheme,
        parts.hostname,
        port,
        path if parts.scheme in PORTS else "",
        check.method.upper() if parts.scheme in PORTS else "",
        _headers(check.headers),
        check.body,
    )


def body_pattern(expected: str) -> re.Pattern[str] | None:
    """What the body must hold: a text, or between slashes a regular expression; "" for anything.

    Raises UserError when the expression is none.
    """
    if not expected:
        return None
    if len(expected) > 2 and expected.startswith("/") and expected.endswith("/"):
        try:
            return re.compile(expected[1:-1], re.DOTALL)
        except re.error as error:
            raise UserError(f"expect_body {expected!r} is no expression: {error}") from None
    return re.compile(re.escape(expected))


def _headers(given: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    headers = tuple(sorted((str(k), str(v)) for k, v in given.items()))
    for name, value in headers:
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or re.search(r"[\r\n\0]", value):
            raise UserError(f"the header {name!r} cannot be sent")
    return headers
