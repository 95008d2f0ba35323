"""What a schema is made of, told alike for each way to make it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, create_engine, inspect

Parts = dict[str, dict[str, Any]]


def describe(url: str) -> Parts:
    """Return the tables of a database: columns, keys, unique constraints and indexes with their conditions."""
    engine = create_engine(url)
    try:
        return {name: _table(engine, name) for name in inspect(engine).get_table_names() if name != "alembic_version"}
    finally:
        engine.dispose()


def _table(engine: Engine, name: str) -> dict[str, Any]:
    look = inspect(engine)
    columns = {one["name"]: (str(one["type"]), one["nullable"], one["default"]) for one in look.get_columns(name)}
    keys = [(one["constrained_columns"], one["referred_table"], one["options"]) for one in look.get_foreign_keys(name)]
    unique = sorted((str(one["name"]), one["column_names"]) for one in look.get_unique_constraints(name))
    indexes = {
        one["name"]: (
            one["column_names"],
            one["unique"],
            {key: str(value) for key, value in one["dialect_options"].items()},
        )
        for one in look.get_indexes(name)
    }
    return {
        "columns": columns,
        "primary key": look.get_pk_constraint(name),
        "foreign keys": sorted(keys, key=str),
        "unique": unique,
        "indexes": indexes,
    }
