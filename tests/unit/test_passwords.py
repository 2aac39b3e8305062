"""How passwords are kept: slow to guess, and as slow for a name that nobody has."""

from __future__ import annotations

import pytest
from argon2 import Type, extract_parameters

from tests.support.quick import SLOW_HASHER
from watchkeeper.access import passwords


def test_passwords_are_kept_with_the_second_recommended_setting_of_rfc_9106(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "HASHER", SLOW_HASHER)
    kept = extract_parameters(passwords.hashed("correct horse battery staple"))
    assert (kept.type, kept.memory_cost, kept.time_cost) == (Type.ID, 64 * 1024, 3)
    assert (kept.parallelism, kept.salt_len, kept.hash_len) == (4, 16, 32)


def test_a_name_that_nobody_has_costs_what_a_wrong_password_costs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "HASHER", SLOW_HASHER)
    passwords.decoy.cache_clear()
    decoy = passwords.decoy()
    passwords.decoy.cache_clear()
    assert extract_parameters(decoy) == extract_parameters(passwords.hashed("correct horse"))
    assert not passwords.matches(decoy, "correct horse")
    assert not passwords.matches(None, "correct horse")


def test_a_password_matches_itself_alone_and_one_of_other_settings_is_made_anew() -> None:
    kept = passwords.hashed("correct horse battery staple")
    assert passwords.matches(kept, "correct horse battery staple")
    assert not passwords.matches(kept, "correct horse battery stable")
    assert not passwords.outdated(kept)
    assert passwords.outdated(SLOW_HASHER.hash("correct horse battery staple"))
