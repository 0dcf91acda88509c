"""Government and charity hand in hand (政府救助与慈善帮扶衔接): member bodies, needs, resources, gifts.

Public aid comes first, charity fills the gap, and every gift is accounted for. In come filings of aid, needs with the
person's consent, and donations; out come proposals that a person decides, grants, and what a gift did. A need is shown
to a giver by its code, never by a name (民发〔2023〕46号; 慈善法).
"""
