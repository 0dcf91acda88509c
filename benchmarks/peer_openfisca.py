"""The peer: the reference pack's variables in OpenFisca-core, run in its own environment.

    python -m benchmarks.peer_openfisca RESOLVED PARAMETERS.parquet INPUTS.npz VALUES.npz

It starts where doudi starts: from the department files, read and joined with pandas (OpenFisca has no joins), then
the simulation is built and calculated. The seconds of each step are told apart.

Amounts are whole fen in ``int`` variables (32 bits, exact below 21,474,836.47 元); its ``float`` variables have 32 bits
and are inexact above 167,772.16 元. Products are taken in 64 bits inside the formulas.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from openfisca_core.entities import build_entity
from openfisca_core.periods import DateUnit
from openfisca_core.simulations import SimulationBuilder
from openfisca_core.taxbenefitsystems import TaxBenefitSystem
from openfisca_core.variables import Variable

from benchmarks.peer_openfisca_inputs import inputs as from_files

HOUSEHOLD = build_entity(
    key="household", plural="households", label="", roles=[{"key": "member", "plural": "members"}]
)
PERSON = build_entity(key="person", plural="persons", label="", is_person=True)
PERIOD = "2024-11"

PERSON_AMOUNTS = (
    "insured_base", "fund_base", "taxed_wages", "taxed_other", "pension", "unemployment_benefit", "deposits", "securities",
    "policies", "vehicles", "own_paid", "fees", "grants", "grant_count",
)  # fmt: skip
PERSON_FLAGS = (
    "living_together", "dead", "in_custody", "graduate", "head_or_spouse", "new_illness", "new_severe_card", "new_card",
    "unemployed", "enrolled", "dropped_out", "disaster", "house_c", "house_d", "died_lately", "left_lately", "business",
    "marriage", "moved_away",
)  # fmt: skip
HOUSEHOLD_AMOUNTS = (
    "standard",
    "disposable",
    "ratio_percent",
    "dwellings",
    "shops",
    "all_dwellings",
    "all_shops",
)
HOUSEHOLD_FLAGS = ("tekun", "on_the_roll", "paid_twice")


def _input(name: str, entity: object, value_type: type) -> type:
    return type(
        name, (Variable,), {"value_type": value_type, "entity": entity, "definition_period": DateUnit.MONTH}
    )


def _formula(name: str, entity: object, value_type: type, formula: object) -> type:
    return type(
        name, (Variable,),
        {"value_type": value_type, "entity": entity, "definition_period": DateUnit.MONTH, "formula": formula},
    )  # fmt: skip


def _wide(values: np.ndarray) -> np.ndarray:
    return values.astype(np.int64)


def _counted(person, period):
    away = person("dead", period) | person("in_custody", period) | person("graduate", period)
    return person("living_together", period) & ~away


def _income(person, period):
    wages = person("taxed_wages", period) // 12
    wage = np.maximum(np.maximum(person("insured_base", period), person("fund_base", period)), wages)
    rest = (
        person("taxed_other", period) // 12
        + person("pension", period)
        + person("unemployment_benefit", period)
    )
    return wage + rest


def _assets(person, period):
    return person("deposits", period) + person("securities", period) + person("policies", period)


def _sum_counted(name):
    return lambda h, period: h.sum(h.members(name, period) * h.members("counted", period))


def _rigid(h, period):
    spent = (h.members("own_paid", period) + h.members("fees", period)) * h.members("counted", period)
    return np.maximum(h.sum(spent) - h.sum(h.members("grants", period)), 0)


def _within(months):
    def formula(h, period):
        limit = months * _wide(h("standard", period)) * h("counted_persons", period)
        modest = (
            (h("total_vehicles", period) == 0) & (h("dwellings", period) <= 1) & (h("shops", period) == 0)
        )
        return (_wide(h("total_assets", period)) <= limit) & modest

    return formula


def _category(h, period):
    n, income = h("counted_persons", period), _wide(h("monthly_income", period))
    line = _wide(h("standard", period)) * n
    poor = income < line
    marginal = 2 * income < 3 * line
    strained = 12 * income < _wide(h("disposable", period)) * n
    rigid = 100 * _wide(h("rigid_expenditure", period)) > h("ratio_percent", period) * 12 * income
    within = h("within_24", period)
    return np.select(
        [
            n == 0,
            h("tekun", period),
            poor & within,
            marginal & within,
            strained & h("within_36", period) & rigid,
        ],
        [0, 4, 3, 2, 1],
        0,
    )


def _any_counted(name):
    return lambda h, period: h.any(h.members(name, period) & h.members("counted", period))


def _any_registered(name):
    return lambda h, period: h("on_the_roll", period) & h.any(h.members(name, period))


def _m1(h, period):
    limit = h.project(h("disposable", period))
    paid = 2 * _wide(h.members("own_paid", period)) > _wide(limit)
    return h.any(paid & h.members("counted", period))


def _k6(h, period):
    well = _wide(h("monthly_income", period)) >= _wide(h("standard", period)) * h("counted_persons", period)
    paying = (h.members("insured_base", period) > 0) | (h.members("fund_base", period) > 0)
    return h("on_the_roll", period) & well & h.any(paying & h.members("counted", period))


def _variables() -> list[type]:
    found = [_input(n, PERSON, int) for n in PERSON_AMOUNTS] + [_input(n, PERSON, bool) for n in PERSON_FLAGS]
    found += [_input(n, HOUSEHOLD, int) for n in HOUSEHOLD_AMOUNTS]
    found += [_input(n, HOUSEHOLD, bool) for n in HOUSEHOLD_FLAGS]
    found += [
        _formula("counted", PERSON, bool, _counted),
        _formula("person_income", PERSON, int, _income),
        _formula("person_assets", PERSON, int, _assets),
        _formula("counted_persons", HOUSEHOLD, int, lambda h, p: h.sum(h.members("counted", p))),
        _formula("monthly_income", HOUSEHOLD, int, _sum_counted("person_income")),
        _formula("total_assets", HOUSEHOLD, int, _sum_counted("person_assets")),
        _formula("total_vehicles", HOUSEHOLD, int, _sum_counted("vehicles")),
        _formula("rigid_expenditure", HOUSEHOLD, int, _rigid),
        _formula("within_24", HOUSEHOLD, bool, _within(24)),
        _formula("within_36", HOUSEHOLD, bool, _within(36)),
        _formula("category", HOUSEHOLD, int, _category),
        _formula("M1", HOUSEHOLD, bool, _m1),
        _formula("R1", HOUSEHOLD, bool, lambda h, p: _sum_counted("grant_count")(h, p) >= 2),
        _formula("P1", HOUSEHOLD, bool, lambda h, p: h.any(h.members("head_or_spouse", p) & h.members("in_custody", p))),
        _formula("P2", HOUSEHOLD, bool, lambda h, p: h.any(h.members("head_or_spouse", p) & h.members("died_lately", p))),
        _formula("K3", HOUSEHOLD, bool, lambda h, p: h("on_the_roll", p) & (h.sum(h.members("vehicles", p)) >= 1)),
        _formula("K4", HOUSEHOLD, bool, lambda h, p: h("on_the_roll", p) & ((h("all_dwellings", p) >= 2) | (h("all_shops", p) >= 1))),
        _formula("K6", HOUSEHOLD, bool, _k6),
        _formula("K8", HOUSEHOLD, bool, lambda h, p: h("on_the_roll", p) & h("paid_twice", p)),
        _formula("X1", HOUSEHOLD, bool, lambda h, p: h.any(h.members("left_lately", p)) & (h("M1", p) | h("U1", p) | h("E1", p))),
    ]  # fmt: skip
    for code, flag in COUNTED_FLAGS.items():
        found.append(_formula(code, HOUSEHOLD, bool, _any_counted(flag)))
    for code, flag in ROLL_FLAGS.items():
        found.append(_formula(code, HOUSEHOLD, bool, _any_registered(flag)))
    found.append(_formula("D1", HOUSEHOLD, bool, lambda h, p: h("D1_severe", p) | h("D1_card", p)))
    found.append(_formula("H1", HOUSEHOLD, bool, lambda h, p: h("H1_c", p) | h("H1_d", p)))
    return found


COUNTED_FLAGS = {
    "M2": "new_illness", "D1_severe": "new_severe_card", "D1_card": "new_card", "U1": "unemployed", "E1": "enrolled",
    "E2": "dropped_out", "S1": "disaster", "H1_c": "house_c", "H1_d": "house_d",
}  # fmt: skip
ROLL_FLAGS = {"K1": "dead", "K2": "in_custody", "K5": "business", "K7": "marriage", "K9": "moved_away"}
WARNINGS = (
    "D1", "E1", "E2", "H1", "K1", "K2", "K3", "K4", "K5", "K6", "K7", "K8", "K9", "M1", "M2", "P1", "P2", "R1", "S1", "U1",
    "X1",
)  # fmt: skip
VALUES = (
    "counted_persons",
    "monthly_income",
    "total_assets",
    "total_vehicles",
    "rigid_expenditure",
    "category",
)


def build(inputs: dict[str, np.ndarray], *, trace: bool = False):
    system = TaxBenefitSystem([PERSON, HOUSEHOLD])
    for variable in _variables():
        system.add_variable(variable)
    began = time.perf_counter()
    builder = SimulationBuilder()
    builder.create_entities(system)
    home = inputs["household"]
    builder.declare_person_entity("person", np.arange(len(home)))
    homes = builder.declare_entity("household", np.arange(home.max() + 1))
    builder.join_with_persons(homes, home, np.array(["member"] * len(home)))
    simulation = builder.build(system)
    simulation.trace = trace
    for name in (*PERSON_AMOUNTS, *PERSON_FLAGS, *HOUSEHOLD_AMOUNTS, *HOUSEHOLD_FLAGS):
        simulation.set_input(name, PERIOD, inputs[name])
    return simulation, time.perf_counter() - began


def main() -> None:
    folder, parameters, prepared, found = map(Path, sys.argv[1:])
    started, began = time.process_time(), time.perf_counter()
    inputs = from_files(folder, pd.read_parquet(parameters))
    preparing = time.perf_counter() - began
    simulation, building = build(inputs)
    began = time.perf_counter()
    values = {name: simulation.calculate(name, PERIOD) for name in (*VALUES, *WARNINGS)}
    calculating = time.perf_counter() - began
    spent = time.process_time() - started
    np.savez(prepared, **inputs)
    np.savez(found, **values)
    one = inputs["household"] < 1
    alone = {k: v[one] if len(v) == len(one) else v[:1] for k, v in inputs.items()}
    told = []
    for _ in range(50):
        began = time.perf_counter()
        single, _ = build(alone, trace=True)
        for name in (*VALUES, *WARNINGS):
            single.calculate(name, PERIOD)
        single.tracer.computation_log.lines()
        told.append(time.perf_counter() - began)
    told.sort()
    print(
        json.dumps(
            {
                "cpu": round(spent, 3), "preparing": round(preparing, 3), "building": round(building, 3),
                "calculating": round(calculating, 3),
                "explain_p50_ms": round(told[25] * 1000, 2), "explain_p99_ms": round(told[49] * 1000, 2),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
