"""Household economic-status verification (居民家庭经济状况核对): requests, authorisations, queries, reports, objections.

In come a request and what sources answered; out comes a report that can be computed again years later. Without an
authorisation in force no query goes out, for any role and on any path (社会救助暂行办法 第五十八条). A report is a basis
for a decision, never a decision.
"""
