"""Who works here, what each may do on which area, and the audit log of what each did.

In come people, roles and acts; out come scopes and log entries. It knows no household and no case.
"""
