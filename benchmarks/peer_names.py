"""What the reference pack's columns are called in the OpenFisca peer, and the SQL that takes them out of our query."""

PERSON_INPUTS = {
    "household": "household_key",
    "insured_base": '"社保基数"', "fund_base": '"公积金基数"', "taxed_wages": 'coalesce("tax_income_p0", 0)',
    "taxed_other": 'coalesce("tax_income_p1", 0)', "pension": '"养老金"', "unemployment_benefit": '"失业金"',
    "deposits": 'coalesce("deposit_p0", 0)', "securities": 'coalesce("securities_p0", 0)',
    "policies": 'coalesce("insurance_policy_p0", 0)', "vehicles": '"个人车辆"', "own_paid": '"近一年自付"', "fees": '"学费"',
    "grants": '"临时救助金"', "grant_count": '"临时救助次数"',
    "living_together": "living_together", "dead": '"已死亡"', "in_custody": '"在押"', "graduate": '"研究生在读"',
    "head_or_spouse": '"户主或配偶"', "new_illness": '"新登记重病"', "new_severe_card": '"新办重度残疾证"',
    "new_card": '"新办残疾证"', "unemployed": '"失业断缴"', "enrolled": '"新入学"', "dropped_out": '"辍学"', "disaster": '"受灾"',
    "house_c": '"住C级危房"', "house_d": '"住D级危房"', "died_lately": '"近一年死亡"', "left_lately": '"退出未满观察期"',
    "business": '"有经营主体"', "marriage": '"婚姻变动"', "moved_away": '"户籍迁出"',
}  # fmt: skip
PARAMETERS = {
    "region_code": "region_code", "urban_rural": "urban_rural", "standard": '"低保标准"', "disposable": '"人均可支配收入"',
    "ratio_percent": '"刚性支出占比" * 10', "left_after": '"退出观察期:界"',
}  # fmt: skip
HOUSEHOLD_INPUTS = {
    "standard": '"低保标准"', "disposable": '"人均可支配收入"', "ratio_percent": '"刚性支出占比" * 10', "dwellings": '"住房套数"',
    "shops": '"商铺数"', "all_dwellings": '"登记成员住房"', "all_shops": '"登记成员商铺"', "tekun": '"登记为特困"',
    "on_the_roll": '"在册救助户"', "paid_twice": '"同月重复领取"',
}  # fmt: skip
FIGURES = {
    "counted_persons": "counted_persons", "monthly_income": "monthly_income", "financial_assets": "total_assets",
    "vehicles": "total_vehicles", "rigid_expenditure": "rigid_expenditure",
}  # fmt: skip
WARNINGS = (
    "D1", "E1", "E2", "H1", "K1", "K2", "K3", "K4", "K5", "K6", "K7", "K8", "K9", "M1", "M2", "P1", "P2", "R1", "S1", "U1",
    "X1",
)  # fmt: skip
