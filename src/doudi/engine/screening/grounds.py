"""What each rule of a pack rests on: inputs, parameters, feeds, and the missing feeds behind an undecided value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from doudi.engine.packs import Pack
from doudi.engine.packs.terms import REGISTER, Expr


@dataclass(frozen=True)
class Ground:
    """Direct inputs, parameters and feeds of one rule; missing feeds and parameters through all it needs."""

    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    feeds: tuple[str, ...]
    missing: tuple[str, ...]
    all_parameters: tuple[str, ...]


def grounds_of(pack: Pack, missing: frozenset[str]) -> dict[str, Ground]:
    """The ground of every variable, indicator and category (``类别:`` and its name)."""
    parts: dict[str, list[Expr]] = {name: list(v.parts()) for name, v in pack.variables.items()}
    parts |= {code: list(i.levels.values()) for code, i in pack.indicators.items()}
    parts |= {f"类别:{c.name}": [c.condition] for c in pack.categories if c.condition is not None}
    found: dict[str, Ground] = {}

    def ground(name: str) -> Ground:
        if name not in found:
            inputs = _union(part.variables() for part in parts[name])
            parameters = _union(part.parameters() for part in parts[name])
            feeds = _union(part.feeds() for part in parts[name])
            if any(node.op in ("self", "head", "born") for part in parts[name] for node in part.walk()):
                feeds.add(REGISTER)
            below = [ground(other) for other in inputs]
            found[name] = Ground(
                inputs=tuple(sorted(inputs)),
                parameters=tuple(sorted(parameters)),
                feeds=tuple(sorted(feeds)),
                missing=tuple(sorted((feeds & missing) | _union(set(g.missing) for g in below))),
                all_parameters=tuple(sorted(parameters | _union(set(g.all_parameters) for g in below))),
            )
        return found[name]

    for name in parts:
        ground(name)
    return found


def in_order(pack: Pack, names: Iterable[str], grounds: dict[str, Ground]) -> list[str]:
    """Variables with what they need before them."""
    wanted = list(names)
    done: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in done:
            for other in grounds[name].inputs:
                if other in pack.variables:
                    visit(other)
            done[name] = None

    for name in wanted:
        visit(name)
    return [name for name in done if name in set(wanted)]


def _union(sets: Iterable[set[str]]) -> set[str]:
    return set().union(*sets)
