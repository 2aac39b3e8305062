"""PromQL instant selectors as data: ``name{label="value", other=~"re"}``. Pure.

Matching follows Prometheus: a label that is absent equals the empty string, and regular expressions
are anchored at both ends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import promql_parser

NAME = "__name__"


@dataclass(frozen=True, slots=True, order=True)
class Matcher:
    """One condition on a label; ``op`` is ``=``, ``!=``, ``=~`` or ``!~``."""

    label: str
    op: str
    value: str

    def __str__(self) -> str:
        return f"{self.label}{self.op}{quote(self.value)}"

    def accepts(self, labels: Mapping[str, str]) -> bool:
        """True when these labels satisfy the condition."""
        value = labels.get(self.label, "")
        if self.op in ("=", "!="):
            return (value == self.value) is (self.op == "=")
        return (_compiled(self.value).fullmatch(value) is not None) is (self.op == "=~")


@dataclass(frozen=True, slots=True)
class Selector:
    """Which series: all matchers must hold. The metric's name is a matcher on ``__name__``."""

    matchers: tuple[Matcher, ...]

    def __str__(self) -> str:
        return "{" + ",".join(map(str, self.matchers)) + "}"

    @property
    def name(self) -> str:
        """The metric's name when it is given by equality, else an empty string."""
        return next((m.value for m in self.matchers if m.label == NAME and m.op == "="), "")

    def accepts(self, labels: Mapping[str, str]) -> bool:
        """True when a series with these labels (``__name__`` among them) is selected."""
        return all(m.accepts(labels) for m in self.matchers)

    def named(self, name: str, *more: Matcher) -> Selector:
        """The same conditions on another metric, with ``more`` of them."""
        rest = (m for m in self.matchers if m.label != NAME)
        return selector(Matcher(NAME, "=", name), *rest, *more)


def selector(*matchers: Matcher) -> Selector:
    """A selector with its matchers in a canonical order, so that equal ones compare equal."""
    return Selector(tuple(sorted(set(matchers))))


def parse_selector(text: str) -> Selector:
    """Read an instant selector. Raises ValueError, which says what was expected."""
    try:
        tree = promql_parser.parse(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a PromQL selector: {error}") from None
    if not isinstance(tree, promql_parser.VectorSelector):
        raise ValueError(
            f"{text!r} is not an instant selector; write a metric and its labels, "
            'e.g. http_requests_total{code=~"5.."}'
        )
    found = from_tree(tree)
    if found is None:
        raise ValueError(
            f"{text!r} uses offset, @ or an 'or' of matchers; a plain selector is needed"
        )
    return found


def from_tree(tree: promql_parser.VectorSelector) -> Selector | None:
    """The selector of a parsed vector selector; None when it is shifted in time or has ``or``."""
    if tree.offset is not None or tree.at is not None or tree.matchers.or_matchers:
        return None
    matchers = [Matcher(m.name, _operator(m), m.value) for m in tree.matchers.matchers]
    if tree.name:
        matchers.append(Matcher(NAME, "=", tree.name))
    return selector(*matchers)


def _operator(matcher: promql_parser.Matcher) -> str:
    kinds = promql_parser.MatchOp
    pairs = ((kinds.Equal, "="), (kinds.NotEqual, "!="), (kinds.Re, "=~"), (kinds.NotRe, "!~"))
    return next(text for kind, text in pairs if kind == matcher.op)


def quote(value: str) -> str:
    """A PromQL string literal."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def regex_literal(value: str) -> str:
    """``value`` with what RE2 finds special escaped, and nothing else, as it refuses that."""
    return re.sub(r"([.\\+*?()|\[\]{}^$])", r"\\\1", value)


def bound_matcher(threshold: float) -> Matcher:
    """The ``le`` of the classic bucket for ``threshold``, however the bound was written.

    Clients write 0.3, 0.30 or 3e-01 and Prometheus 3 rewrites 1 to 1.0: all name one bucket.
    """
    exact = Decimal(repr(threshold))
    mantissa, exponent = f"{exact:e}".split("e")
    power = int(exponent)
    sign = "-" if power < 0 else r"\+?"
    forms = [_digits(f"{exact:f}"), rf"{_digits(mantissa)}[eE]{sign}0*{abs(power)}"]
    return Matcher("le", "=~", "|".join(forms))


def _digits(number: str) -> str:
    whole, _, part = number.partition(".")
    part = part.rstrip("0")
    return rf"{whole}\.{part}0*" if part else rf"{whole}(\.0*)?"


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)
