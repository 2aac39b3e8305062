"""Recording and alerting rules for Prometheus, as files that promtool accepts. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.slo.generate.promql import Sampling
from watchkeeper.slo.generate.rules import Group, Rule, groups, subject
from watchkeeper.spec.model import SloDefinition, Specs

HEADER = """\
# Made by Watchkeeper from SLO definitions; do not edit, generate again.
# Counts are recorded each minute and windows are sums of counts. A range such as [4m59s] holds
# the five counts of five minutes both before and after Prometheus 3, whose ranges differ.
"""


def generate_prometheus(
    specs: Specs,
    shards: int | None = None,
    *,
    per_group: bool = False,
    names: Sequence[str] | None = None,
    lookback: str = "1h",
) -> Mapping[str, str]:
    """Rule files by relative file name, the same for the same definitions.

    Plain: one file, ``watchkeeper.rules.yaml``. ``per_group``: one file for each SLO.
    ``shards``: files for each of that many Prometheus servers (``shard-0-of-4.…``); an SLO's rules
    stay together, and going from n to n + 1 servers moves one SLO in n + 1.
    ``names`` picks SLOs (NotFound for one that is not defined). ``lookback`` is how long a
    series may be silent and still be the same series, not a new one.
    Raises UserError for an SLO that cannot be written as rules, saying which and why.
    """
    if shards is not None and shards < 1:
        raise UserError(f"{shards} shards", "give a number of Prometheus servers, 1 or more")
    files: dict[str, list[Group]] = {}
    for slo in _chosen(specs, names):
        made = groups(subject(specs, slo), Sampling(lookback=lookback))
        files.setdefault(_file(slo, shards, per_group), []).extend(made)
    return {name: render(found) for name, found in sorted(files.items())}


def _chosen(specs: Specs, names: Sequence[str] | None) -> Iterable[SloDefinition]:
    if names is None:
        return specs.slos.values()
    missing = [name for name in names if name not in specs.slos]
    if missing:
        raise NotFound(f"no SLO {', '.join(missing)}", "see `wk lint` for the names defined")
    return [specs.slos[name] for name in names]


def _file(slo: SloDefinition, shards: int | None, per_group: bool) -> str:
    name = f"{file_name(slo.name)}.rules.yaml" if per_group else "watchkeeper.rules.yaml"
    return name if shards is None else f"shard-{shard_of(slo.name, shards)}-of-{shards}.{name}"


def file_name(text: str) -> str:
    """The text as a file name without surprises; one that had to be changed gets a hash."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip(".") or "_"
    return safe if safe == text else f"{safe}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def shard_of(name: str, shards: int) -> int:
    """Which of the servers keeps this name: the highest hash wins (rendezvous hashing)."""
    return max(range(shards), key=lambda i: hashlib.sha256(f"{i}/{name}".encode()).digest())


def render(found: Iterable[Group]) -> str:
    """The rule file's text."""
    body = {"groups": [_group(g) for g in found]}
    text = yaml.dump(body, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)
    return HEADER + str(text)


def _group(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "interval": f"{group.minutes}m",
        "rules": [_rule(rule) for rule in group.rules],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    named = {"record": rule.record} if rule.record else {"alert": rule.alert}
    made: dict[str, Any] = {**named, "expr": rule.expr}
    if rule.labels:
        made["labels"] = dict(rule.labels)
    if rule.annotations:
        made["annotations"] = dict(rule.annotations)
    return made


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, as a person would."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
