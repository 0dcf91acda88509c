"""Layered, classified assistance (分层分类救助): measures given, and needs pushed to the departments that answer them.

In come a household's need and an officer's decision; out come measures and referrals with their results. It gives
nothing by itself: every measure has a person's name on it.
"""
