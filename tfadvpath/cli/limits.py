"""Options of the verbs that read studies: what reading one may take."""

from __future__ import annotations

from typing import Annotated

import typer

MemoryLimit = Annotated[
    float, typer.Option(min=0.1, metavar="GIB", help="Memory that reading one study may take.")
]
TimeLimit = Annotated[
    float,
    typer.Option(
        min=0.1, metavar="SECONDS", help="For reading a study of up to 10 MB; larger ones in proportion."
    ),
]
