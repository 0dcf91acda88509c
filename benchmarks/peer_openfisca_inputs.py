"""What an OpenFisca user does first: the same department files, read, summed by person and joined, with pandas.

OpenFisca-core has no joins; whoever starts from files writes this. It reads only the columns the pack needs, and is
written for this one pack and date. The figures equal those of doudi's own query (``bench_screening`` compares them).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

DAY, YEAR_AGO = pd.Timestamp("2024-11-15"), pd.Timestamp("2023-11-15")
MONTH = 2024 * 12 + 10
LEARNING = ("高中", "中职", "专科", "本科")


def inputs(folder: Path, parameters: pd.DataFrame) -> dict[str, np.ndarray]:
    """Arrays by person and by household; ``parameters`` holds the pack's numbers by region and 城乡."""
    people = pd.read_parquet(
        folder / "register/members.parquet",
        columns=["household_key", "person_key", "relation", "living_together", "left_on"],
    )
    homes = pd.read_parquet(
        folder / "register/households.parquet",
        columns=["household_key", "region_code", "urban_rural", "category"],
    )
    homes = homes.merge(parameters, on=["region_code", "urban_rural"], how="left")
    key = people["person_key"]
    found: dict[str, np.ndarray] = {"household": people["household_key"].to_numpy()}

    def rows(feed: str, *columns: str) -> pd.DataFrame:
        table = pd.read_parquet(folder / f"{feed}.parquet", columns=["household_key", "person_key", *columns])
        for name, dtype in table.dtypes.items():
            if pd.api.types.is_object_dtype(dtype) and name.endswith(("_on", "_until")):
                table[name] = pd.to_datetime(table[name])
        return table

    def amount(name: str, table: pd.DataFrame, column: str, how: str = "sum") -> None:
        summed = getattr(table.groupby("person_key", sort=False)[column], how)()
        found[name] = summed.reindex(key, fill_value=0).to_numpy(np.int32)

    def flag(name: str, table: pd.DataFrame) -> None:
        found[name] = key.isin(table["person_key"]).to_numpy()

    def in_year(column: pd.Series) -> pd.Series:
        return (column > YEAR_AGO) & (column <= DAY)

    t = rows("social_insurance", "base", "month")
    t = t[(t["month"] >= MONTH - 2) & (t["month"] <= MONTH)]
    lately_insured = t["person_key"]
    latest = t[t["month"] == t.groupby("person_key", sort=False)["month"].transform("max")]
    amount("insured_base", latest, "base", "max")
    t = rows("housing_fund", "base", "month")
    amount("fund_base", t[(t["month"] >= MONTH - 2) & (t["month"] <= MONTH)], "base", "max")
    t = rows("tax_income", "kind", "amount", "month")
    t = t[(t["month"] >= MONTH - 12) & (t["month"] < MONTH)]
    amount("taxed_wages", t[t["kind"] == "工资薪金"], "amount")
    amount("taxed_other", t[t["kind"] != "工资薪金"], "amount")
    t = rows("pension", "scheme", "monthly_amount")
    amount("pension", t[t["scheme"] != "城乡居民基础养老金"], "monthly_amount")
    t = rows("unemployment", "registered_on", "benefit", "benefit_until")
    t = t[t["registered_on"] <= DAY]
    t["paid"] = t["benefit"].fillna(0).where(t["benefit_until"] >= DAY, 0)
    latest = t[t["registered_on"] == t.groupby("person_key", sort=False)["registered_on"].transform("max")]
    amount("unemployment_benefit", latest, "paid", "max")
    lost = t[in_year(t["registered_on"])]
    flag("unemployed", lost[~lost["person_key"].isin(lately_insured)])
    for name, feed, column in (
        ("deposits", "deposit", "balance"), ("securities", "securities", "market_value"), ("policies", "insurance_policy", "cash_value"),
    ):  # fmt: skip
        amount(name, rows(feed, column), column)
    t = rows("vehicle", "status", "use")
    t = t[(t["status"] == "正常") & ~t["use"].isin(("残疾人专用", "农用"))]
    amount("vehicles", t, "use", "size")
    t = rows("medical", "settled_on", "own_paid", "serious_illness")
    t = t[in_year(t["settled_on"])]
    amount("own_paid", t, "own_paid")
    flag("new_illness", t[t["serious_illness"].astype(bool)])
    t = rows("education", "stage", "yearly_fee", "status", "enrolled_on")
    at_school = t[(t["status"] == "在读") & t["stage"].isin(LEARNING)]
    amount("fees", at_school, "yearly_fee")
    flag("enrolled", at_school[in_year(at_school["enrolled_on"])])
    flag("graduate", t[(t["status"] == "在读") & (t["stage"] == "研究生")])
    flag("dropped_out", t[t["status"] == "辍学"])
    grant = rows("grant", "programme", "amount", "granted_on")
    grant = grant[in_year(grant["granted_on"])]
    t = grant[grant["programme"] == "临时救助"]
    amount("grants", t, "amount")
    amount("grant_count", t, "amount", "size")
    t = rows("disability", "kind", "grade", "issued_on", "status")
    t = t[(t["status"] == "有效") & in_year(t["issued_on"])]
    flag("new_card", t)
    flag("new_severe_card", t[(t["grade"] <= 2) | ((t["grade"] == 3) & t["kind"].isin(("智力", "精神")))])
    t = rows("disaster", "event_on")
    flag("disaster", t[in_year(t["event_on"])])
    t = rows("dangerous_house", "grade", "assessed_on")
    t = t[t["assessed_on"] <= DAY]
    flag("house_c", t[t["grade"] == "C"])
    flag("house_d", t[t["grade"] == "D"])
    t = rows("business", "status")
    flag("business", t[t["status"] == "存续"])
    t = rows("marriage", "event_on")
    flag("marriage", t[in_year(t["event_on"])])
    t = rows("custody", "from_on", "to_on")
    flag("in_custody", t[(t["from_on"] <= DAY) & (t["to_on"].isna() | (t["to_on"] > DAY))])
    death, t = rows("death", "died_on"), rows("population", "status", "status_on")
    flag("moved_away", t[t["status"] == "迁出"])
    t = t[t["status"] == "死亡"]
    death = pd.concat([death.rename(columns={"died_on": "status_on"}), t])
    flag("dead", death[death["status_on"] <= DAY])
    flag("died_lately", death[in_year(death["status_on"])])
    found["living_together"] = people["living_together"].fillna(False).to_numpy(bool)
    found["head_or_spouse"] = people["relation"].isin(("户主", "配偶")).to_numpy()
    left = pd.to_datetime(people["left_on"])
    since = homes["left_after"].take(people["household_key"]).to_numpy()
    found["left_lately"] = ((left > since) & (left <= DAY)).to_numpy()

    away = found["dead"] | found["in_custody"] | found["graduate"]
    counted = key[found["living_together"] & ~away]
    t = rows("real_estate", "unit_no", "use")

    def units(name: str, table: pd.DataFrame) -> None:
        number = table.groupby("household_key", sort=False)["unit_no"].nunique()
        found[name] = number.reindex(homes["household_key"], fill_value=0).to_numpy(np.int32)

    living, shops = t[t["use"] == "住宅"], t[t["use"] == "商业"]
    units("all_dwellings", living)
    units("all_shops", shops)
    units("dwellings", living[living["person_key"].isin(counted)])
    units("shops", shops[shops["person_key"].isin(counted)])
    month = grant["granted_on"].dt.to_period("M")
    monthly = [set_of(grant, month, programme) for programme in ("低保金", "特困供养")]
    twice = monthly[0].merge(monthly[1], on=["household_key", "month"])
    found["paid_twice"] = homes["household_key"].isin(twice["household_key"]).to_numpy()
    found["tekun"] = (homes["category"] == "特困").to_numpy()
    found["on_the_roll"] = homes["category"].isin(("特困", "低保", "低保边缘")).to_numpy()
    for name in ("standard", "disposable", "ratio_percent"):
        found[name] = homes[name].to_numpy(np.int32)
    return found


def set_of(grant: pd.DataFrame, month: pd.Series, programme: str) -> pd.DataFrame:
    """The (household, month) pairs in which a programme paid."""
    chosen = grant["programme"] == programme
    pairs = pd.DataFrame({"household_key": grant["household_key"][chosen], "month": month[chosen]})
    return pairs.drop_duplicates()
