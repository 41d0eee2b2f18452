from __future__ import annotations

import click


@click.group()
def datasets() -> None:
    """The data sets."""
