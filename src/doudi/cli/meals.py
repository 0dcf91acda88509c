"""``doudi meals``: plan the network of meal places and run it (老年助餐)."""

from __future__ import annotations

import typer

from doudi.cli.meals_plan import plan
from doudi.cli.meals_price import price
from doudi.cli.meals_province import guizhou
from doudi.cli.meals_route import route

app = typer.Typer(
    help="老年助餐：选址规划、价格试算、送餐路线 · Elderly meals: siting, price, delivery",
    no_args_is_help=True,
)


@app.callback()
def meals() -> None:
    """老年助餐 · Elderly meals."""


app.command("plan")(plan)
app.command("price")(price)
app.command("guizhou")(guizhou)
app.command("route")(route)
