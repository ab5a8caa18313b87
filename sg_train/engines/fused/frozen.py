"""Frozen rows: read like all others, but their updates go to a spare row."""

from sg_train.engines.fused.compiling import inline
from sg_train.engines.fused.layout import FrozenRows, Shape, Window


@inline
def redirect_frozen(
    contexts: int, shape: Shape, window: Window, frozen: FrozenRows
) -> None:
    """Choose where the moved rows of a window are written."""
    if not len(shape.frozen):
        return
    for i in range(contexts):
        row = window.contexts[i]
        if len(shape.composed):  # a copy, whose move is not handed back
            window.contexts_to[i] = row
        else:
            window.contexts_to[i] = frozen.spare if frozen.u[row // shape.row] else row
    for i in range(len(window.targets)):
        row = window.targets[i]
        window.targets_to[i] = frozen.spare if frozen.v[row // shape.row] else row
