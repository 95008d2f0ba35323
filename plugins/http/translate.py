"""The item's own id, back from a signal's native id. Pure: what an item says is read by `hub.sdk.fields`."""

from __future__ import annotations

from collections.abc import Mapping

from hub.sdk.fields import HOLE, filled


def native_id_frame(rule: object, id_path: str) -> tuple[str, str] | None:
    """Return what stands before and after the item's id in a native id, None if the id cannot be had back from it."""
    if rule == id_path:
        return "", ""
    before, hole, after = rule.partition(f"{{{id_path}}}") if isinstance(rule, str) else ("", "", "")
    rest = HOLE.findall(before + after)
    return (before, after) if hole and all(one.startswith("options.") for one in rest) else None


def id_in(native_id: str, rule: object, id_path: str, values: Mapping[str, str]) -> str:
    """Return the item's own id in a native id, "" if it holds none."""
    options = {f"options.{name}": value for name, value in values.items()}
    frame = native_id_frame(rule, id_path) or ("", "")
    before, after = (filled(part, options) or "" for part in frame)
    fits = native_id.startswith(before) and native_id.endswith(after)
    return native_id[len(before) : len(native_id) - len(after)] if fits else ""
