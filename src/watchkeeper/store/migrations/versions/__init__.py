"""Alembic migrations, in order: ``pre_`` runs before new code starts, ``post_`` after."""
