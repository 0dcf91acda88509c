"""The rules of the meal network that need no database: food safety, service points (助餐规则).

In come a pack's sections and facts as values; out come limits, verdicts and points, each with its ground.
"""
