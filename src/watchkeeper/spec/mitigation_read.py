"""Mitigations as written: what may be run from an incident, and with which values. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from watchkeeper.spec.duty_fields import DutyRead, begin, length, nearest_in
from watchkeeper.spec.model import Finding, Severity
from watchkeeper.spec.reader import Reader
from watchkeeper.spec.response import (
    ACTIONS,
    PLAIN_VALUE,
    MitigationDefinition,
    MitigationKind,
    ParameterDefinition,
)
from watchkeeper.spec.response_read import (
    ResponseRead,
    check_known,
    in_clear,
    only_reference,
    referred,
)

MITIGATION_KEYS = (
    "services", "action", "type", "settings", "parameters", "dryRun", "timeout", "confirm", "slo",
)  # fmt: skip
PARAMETER_KEYS = ("name", "title", "default", "choices", "pattern")
STEP_KEYS = ("server", "state", "weight")
SETTINGS: Mapping[MitigationKind, tuple[str, ...]] = {
    MitigationKind.COMMAND: ("run*", "env", "directory"),
    MitigationKind.HTTP: ("url*", "method", "headers", "token", "body", "ca", "allow_private"),
    MitigationKind.KUBERNETES: (
        "url*", "token*", "ca", "namespace", "workload*", "do*", "replicas", "revision",
        "allow_private",
    ),
    MitigationKind.SYSTEMD: ("do*", "unit*", "program"),
    MitigationKind.HAPROXY: ("socket*", "steps*"),
}  # fmt: skip
"""The settings of each type; ``*`` marks those that must be there."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
DOES: Mapping[MitigationKind, tuple[str, ...]] = {
    MitigationKind.KUBERNETES: ("rollback", "scale", "restart"),
    MitigationKind.SYSTEMD: ("restart", "start", "stop", "reload"),
}
STATES = ("ready", "drain", "maint")
WORKLOADS: Mapping[str, tuple[str, ...]] = {
    "rollback": ("deployment",),
    "scale": ("deployment", "statefulset"),
    "restart": ("deployment", "statefulset", "daemonset"),
}
"""Which workloads of Kubernetes each action is for."""
PLACEHOLDER = re.compile(r"(?<!\{)\{([A-Za-z]\w*)\}(?!\})")
"""``{parameter}``; in double braces it is left as it stands."""
SHORTEST, LONGEST = 1.0, 3600.0
_PARAMETER = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "fish", "busybox")
SECRETS = ("authorization", "token", "passw", "secret", "api_key", "api-key", "apikey", "cookie")
"""Names of variables and headers that hold one of these hold a secret."""
_STAND_IN = "1"
"""Stands for a value where only the form around it is looked at."""
_FORMS: Mapping[str, tuple[str, str]] = {
    "namespace": (r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "a namespace, e.g. shop"),
    "workload": (
        r"(deployment|statefulset|daemonset)/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?",
        "kind and name, e.g. deployment/checkout",
    ),
    "replicas": (r"\+?\d{1,5}", "a number, or how many more, e.g. 6 or +2"),
    "revision": (r"\d{1,9}", "a revision's number"),
    "unit": (r"[A-Za-z0-9:_.\\@-]{1,255}", "a unit, e.g. checkout.service"),
    "socket": (r"/[^\0\n]+|[\w.-]+:\d{1,5}|\[[0-9a-f:]+\]:\d{1,5}",
               "a path such as /run/haproxy/admin.sock, or host:port"),
    "server": (r"[\w.:-]+/[\w.:-]+", "backend and server, e.g. shop/main"),
    "weight": (r"\d{1,3}%?", "0 to 256, or a share of the first weight such as 50%"),
    "directory": (r"/[^\0\n]*", "a path that begins with /"),
}  # fmt: skip


def read_mitigation(reader: Reader, duty: DutyRead, response: ResponseRead) -> None:
    """Something that may help, ready to be run from an incident."""
    begun = begin(reader, duty, MITIGATION_KEYS)
    if begun is None:
        return
    name, display, spec = begun
    written = spec.choice("type", [str(k) for k in MitigationKind], required=True)
    action = spec.choice("action", ACTIONS) or "other"
    parameters = tuple(_parameters(spec))
    settings = spec.child("settings", required=True)
    services = referred(spec, "services", "Service", duty)
    slo = duty.refer(spec, "slo", "SLO") or None
    timeout = _timeout(spec)
    if not written or settings is None:
        return
    kind = MitigationKind(written)
    check_known(settings, f"type {kind}", SETTINGS[kind])
    _CHECKS[kind](settings)
    dry_run = _dry_run(spec, kind)
    _placeholders(spec, parameters)
    response.mitigations[name] = MitigationDefinition(
        name, display, reader.place(), kind, dict(settings.data), services, action,
        spec.text("description"), parameters, dry_run, timeout, spec.flag("confirm", True), slo,
    )  # fmt: skip


def _timeout(spec: Reader) -> float:
    found = length(spec, "timeout")
    if found is not None and not SHORTEST <= found <= LONGEST:
        written = spec.text("timeout")
        spec.fault("bad-value", f"'timeout' is {written}", "from 1s to 1h", key="timeout")
    return 60.0 if found is None else found


def _dry_run(spec: Reader, kind: MitigationKind) -> Mapping[str, Any]:
    dry = spec.child("dryRun")
    if dry is None:
        return {}
    if kind not in (MitigationKind.COMMAND, MitigationKind.HTTP):
        spec.warn(
            "unused", f"type {kind} has a dry run of its own", "no 'dryRun'", "remove it",
            key="dryRun",
        )  # fmt: skip
        return {}
    dry.only(*(k.rstrip("*") for k in SETTINGS[kind]))
    _CHECKS[kind](dry)
    return dict(dry.data)


# ---------------------------------------------------------------- parameters


def _parameters(spec: Reader) -> Iterator[ParameterDefinition]:
    seen: dict[str, Reader] = {}
    for item in spec.children("parameters"):
        item.only(*PARAMETER_KEYS)
        name = item.text("name", required=True)
        if not name:
            continue
        if not _PARAMETER.fullmatch(name):
            item.fault(
                "bad-value", f"'{name}' is no name of a parameter",
                "small letters, digits and '_', e.g. version", key="name",
            )  # fmt: skip
        if name in seen:
            item.fault(
                "duplicate", f"'{name}' stands twice in 'parameters'", "a name of its own",
                f"rename one of them; the first stands at {seen[name].place('name')}", key="name",
            )  # fmt: skip
            continue
        seen[name] = item
        yield _parameter(item, name)


def _parameter(item: Reader, name: str) -> ParameterDefinition:
    choices, default = item.texts("choices"), item.text("default")
    written = item.text("pattern")
    if choices and written:
        item.warn(
            "unused", "'pattern' beside 'choices'", "one of them", "remove 'pattern'", key="pattern"
        )
    try:
        right = re.compile(written or PLAIN_VALUE)
    except re.error as error:
        item.fault(
            "bad-regex", f"'{written}' is no regular expression: {error}",
            "a pattern that matches the whole value, e.g. v[0-9.]+", key="pattern",
        )  # fmt: skip
        right = re.compile(PLAIN_VALUE)
    fits = default in choices if choices else bool(right.fullmatch(default))
    if default and not fits:
        expected = f"one of {', '.join(choices)}" if choices else f"what fits {right.pattern}"
        item.fault("bad-value", f"'default' is '{default}'", expected, key="default")
    return ParameterDefinition(name, item.text("title") or name, default, choices, right.pattern)


def texts_in(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, str]]:
    """Every text inside of a value, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inside in value.items():
            yield from texts_in(inside, (*path, key))
    elif isinstance(value, list):
        for i, inside in enumerate(value):
            yield from texts_in(inside, (*path, i))


def _placeholders(spec: Reader, parameters: tuple[ParameterDefinition, ...]) -> None:
    """Every ``{…}`` must be a parameter, and every parameter somewhere."""
    known, used = [p.name for p in parameters], set()
    for block in ("settings", "dryRun"):
        for path, text in texts_in(spec.data.get(block)):
            for name in PLACEHOLDER.findall(text):
                used.add(name)
                if name not in known:
                    _unknown(spec, (*spec.path, block, *path), name, known)
    for i, parameter in enumerate(parameters):
        if parameter.name not in used:
            place = spec.document.place((*spec.path, "parameters", i))
            message = f"parameter '{parameter.name}' stands in no setting"
            fix = f"write {{{parameter.name}}} where it goes, or remove it"
            spec.findings.append(Finding(place, Severity.WARNING, "unused", message, "", fix))


def _unknown(spec: Reader, path: tuple[str | int, ...], name: str, known: list[str]) -> None:
    spec.findings.append(
        Finding(
            spec.document.place(path),
            Severity.ERROR,
            "unknown-parameter",
            f"{{{name}}} is no parameter",
            f"one of: {', '.join(known)}" if known else "a name that stands in 'parameters'",
            nearest_in(name, known) or f"add {{name: {name}}} to 'parameters'",
        )
    )


def _form(settings: Reader, key: str) -> str:
    """A text of the right form, with any value for its parameters; '' when absent or wrong."""
    text = settings.text(key)
    pattern, expected = _FORMS[key]
    if text and not re.fullmatch(pattern, PLACEHOLDER.sub(_STAND_IN, text)):
        settings.fault("bad-value", f"'{key}' is '{text}'", expected, key=key)
        return ""
    return text


# ---------------------------------------------------------------- settings of each type


def _command(settings: Reader) -> None:
    _arguments(settings, "run")
    _form(settings, "directory")
    env = settings.child("env")
    if env is not None:
        _values(env)


def _arguments(settings: Reader, key: str) -> None:
    """An argument list whose program is fixed, and of which no shell reads a parameter."""
    written = settings.data.get(key)
    if isinstance(written, str):
        settings.fault(
            "command-as-text", f"'{key}' is one text", "a list of arguments: no shell splits it",
            f"write {key}: [{', '.join(_split(written))}]", key=key,
        )  # fmt: skip
        return
    arguments = settings.texts(key)
    if not arguments:
        if isinstance(written, list) and not written:
            settings.fault("missing", f"'{key}' is empty", "a program", "list it", key=key)
        return
    if PLACEHOLDER.search(arguments[0]):
        settings.fault(
            "injectable", f"the program depends on {arguments[0]}", "a program that stands here",
            "make a mitigation for each", key=key,
        )  # fmt: skip
    shells = [i for i, a in enumerate(arguments) if a.rpartition("/")[2] in _SHELLS]
    if shells and any(re.fullmatch(r"-\w*c", a) for a in arguments[shells[0] :]):
        code = next((a for a in arguments[shells[0] :] if PLACEHOLDER.search(a)), "")
        if code:
            read = PLACEHOLDER.findall(code)[0]
            settings.fault(
                "injectable", f"a shell would read what is given for '{read}'",
                "an argument list without a shell",
                "put the script into a file and give it the parameter as an argument", key=key,
            )  # fmt: skip


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that is not closed
        return text.split()


def _values(table: Reader) -> None:
    """Texts, or references; what sounds like a secret must be one."""
    for key, value in table.data.items():
        if isinstance(value, Mapping | list):
            only_reference(table, key)
        elif isinstance(value, str) and any(s in key.lower() for s in SECRETS):
            in_clear(table, key)
        else:
            table.text(key)


def _http(settings: Reader) -> None:
    _url(settings)
    settings.choice("method", METHODS)
    settings.flag("allow_private")
    for key in ("token", "ca"):
        only_reference(settings, key)
    headers = settings.child("headers")
    if headers is not None:
        _values(headers)


def _url(settings: Reader) -> None:
    text = settings.text("url").strip()
    if not text:
        return
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        usable = usable and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        fix = "" if "://" in text else f"write https://{text}"
        settings.fault("bad-url", f"'url' is '{text}'", "an address such as https://…", fix, "url")
    elif PLACEHOLDER.search(parts.netloc):
        settings.fault(
            "injectable", "the host of 'url' depends on a parameter", "a host that stands here",
            "make a mitigation for each", key="url",
        )  # fmt: skip
    elif parts.password is not None:
        settings.fault(
            "secret-in-spec", "'url' holds a password", "an address without one",
            "write token: {env: NAME}", key="url",
        )  # fmt: skip


def _kubernetes(settings: Reader) -> None:
    _url(settings)
    settings.flag("allow_private")
    for key in ("token", "ca"):
        only_reference(settings, key)
    _form(settings, "namespace")
    workload = _form(settings, "workload")
    do = settings.choice("do", DOES[MitigationKind.KUBERNETES])
    kinds = WORKLOADS.get(do, ())
    if workload and kinds and workload.partition("/")[0] not in kinds:
        settings.fault(
            "bad-value", f"'{do}' is not for '{workload}'", f"a {' or '.join(kinds)}",
            key="workload",
        )  # fmt: skip
    for key, use in (("replicas", "scale"), ("revision", "rollback")):
        _form(settings, key)
        if settings.has(key) and do and do != use:
            settings.warn("unused", f"'{key}' with do: {do}", f"do: {use}", "remove it", key=key)
    if do == "scale" and not settings.has("replicas"):
        settings.lacks("replicas", "how many, or how many more, e.g. 6 or +2")


def _systemd(settings: Reader) -> None:
    settings.choice("do", DOES[MitigationKind.SYSTEMD])
    _form(settings, "unit")
    if settings.has("program"):
        _arguments(settings, "program")


def _haproxy(settings: Reader) -> None:
    _form(settings, "socket")
    for step in settings.children("steps"):
        step.only(*STEP_KEYS)
        step.text("server", required=True)
        _form(step, "server")
        if step.has("state") == step.has("weight"):
            step.fault(
                "bad-value", "a step that changes " + ("two things" if step.has("state") else
                                                       "nothing"),
                "one of 'state' and 'weight'", "make two steps" if step.has("state") else
                "add state: maint",
            )  # fmt: skip
        if not PLACEHOLDER.search(step.text("state")):
            step.choice("state", STATES)
        weight = _form(step, "weight")
        if weight.isdigit() and int(weight) > 256:
            step.fault("bad-value", f"'weight' is {weight}", "0 to 256", key="weight")
    if settings.has("steps") and not settings.data["steps"]:
        settings.fault("missing", "'steps' is empty", "at least one", "add one", key="steps")


_CHECKS: Mapping[MitigationKind, Callable[[Reader], None]] = {
    MitigationKind.COMMAND: _command,
    MitigationKind.HTTP: _http,
    MitigationKind.KUBERNETES: _kubernetes,
    MitigationKind.SYSTEMD: _systemd,
    MitigationKind.HAPROXY: _haproxy,
}
