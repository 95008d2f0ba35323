"""What stands inside of columns that hold JSON, on both databases."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Text, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class _JsonText(FunctionElement[Any]):
    type = Text()
    inherit_cache = True


@compiles(_JsonText)
def _json_by_arrows(element: _JsonText, compiler: SQLCompiler, **options: Any) -> str:
    column, path = (compiler.process(one, **options) for one in element.clauses)
    return f"(({column})::json #>> string_to_array({path}, '.'))"


@compiles(_JsonText, "sqlite")
def _json_by_path(element: _JsonText, compiler: SQLCompiler, **options: Any) -> str:
    column, path = (compiler.process(one, **options) for one in element.clauses)
    return f"json_extract({column}, '$.' || {path})"


def json_value(column: ColumnElement[Any], path: str) -> ColumnElement[Any]:
    """Return the text at a dotted path of a column that holds JSON; None if there is none."""
    return _JsonText(column, literal(path))
