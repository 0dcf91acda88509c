"""The elderly meal network (老年助餐): places, diners, prices, orders, delivery, food safety, volunteers.

In come enrolments, menus, orders and proofs of meals; out come kitchen counts, routes, receipts that explain each fen,
settlements from proofs alone, and warnings where a door stays shut. Prices are a pack's rules; money is fen.
"""
