"""What pydantic found wrong with a YAML source, in plain sentences that say what to write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from press.notebooks import near

BRANCHES = {"float", "int", "str", "constrained-str"}  # parts of a place that pydantic adds for a choice of types
PATTERNS = {r"^[a-z][a-z0-9-]+$": "small letters, digits and hyphens, starting with a letter",
            r"^sec-": "the label of a section, sec-…", r"^\s*<<.+>>\s*$": "a number"}
TYPES = {"string": "text", "float": "a number", "int": "a whole number", "bool": "true or false", "list": "a list",
         "dict": "keys with values", "model": "keys with values"}
Known = Callable[[list[str]], Iterable[str]]


def sentences(errors: Iterable[dict[str, Any]], known: Known) -> Iterator[tuple[list[str], str]]:
    """(place, sentence) of each of pydantic's errors; a key that is missing since it is misspelt is named once.

    known: the keys that the place of a key allows.
    """
    errors = [error | {"loc": [str(part) for part in error["loc"] if part not in BRANCHES]} for error in errors]
    told: set[tuple[str, ...]] = set()
    for error in sorted(errors, key=lambda error: error["type"] != "extra_forbidden"):
        place = error["loc"]
        message = _sentence(error, known)
        if tuple(place) not in told:
            yield place, message
        told |= {tuple(place), (*place[:-1], message.rpartition("did you mean ")[2].rstrip("?"))}


def _sentence(error: dict[str, Any], known: Known) -> str:
    place, kind, context = error["loc"], error["type"], error.get("ctx", {})
    name = next((part for part in reversed(place) if not part.isdigit()), "the whole")
    if kind == "extra_forbidden":
        return f"unknown key {name!r}; {near(name, known(place))}"
    if kind == "missing":
        return f"{name} is missing; write it"
    if kind in ("too_short", "too_long"):
        end = f"at least {context['min_length']}" if kind == "too_short" else f"at most {context['max_length']}"
        return f"{name} has {context['actual_length']} entries; expected {end}"
    if kind == "string_too_short":
        return f"{name} is empty or too short; expected {context['min_length']} characters or more"
    if kind.startswith("union_tag"):
        return _tag(error["input"], context)
    if kind == "value_error":
        return error["msg"].removeprefix("Value error, ")
    return f"{name} is {_shown(error['input'])}; expected {_expected(error)}"


def _tag(given: Any, context: dict[str, Any]) -> str:
    kinds = context.get("expected_tags", "").replace("'", "").split(", ")
    if "tag" in context:
        return f"kind is {context['tag']!r}; {near(context['tag'], kinds)}"
    return "kind is missing; expected one of " + ", ".join(kinds) if kinds[0] else "kind is missing; write it"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "…"


def _expected(error: dict[str, Any]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(context["pattern"], f"the form {context['pattern']}")
    if kind == "literal_error":
        return context["expected"].replace("'", "")
    what = kind.partition("_")[0]
    known = kind.endswith(("_type", "_parsing")) and what in TYPES
    return TYPES[what] if known else error["msg"].removeprefix("Input should be ")


def keys(model: type[BaseModel]) -> Iterable[str]:
    """The keys that a model has in its source."""
    return model.model_fields
