"""The workbench (工作台): server-rendered pages for the people of the office.

In comes a request of one account, out goes a page or a file. Each view parses, calls one service, shows; it decides no
right, no rule and no figure of its own.
"""
