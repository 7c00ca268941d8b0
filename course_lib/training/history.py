"""What happened during training, epoch by epoch: rows that plot themselves and save as JSON."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_lib.paths import write_atomically


@dataclass
class History:
    """The rows of a training run.

    Attributes:
        rows: one dict per epoch: "epoch" (from 1), "train_loss", and each validation score by name.
        best_epoch: the epoch whose weights the model holds in the end; None before the first validation.
        stopped_early: whether training ended because patience ran out.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int | None = None
    stopped_early: bool = False
    _shown: Any = field(default=None, repr=False, compare=False)

    def __getitem__(self, name: str) -> list[float]:
        """One column, such as `history["accuracy"]`; an epoch that lacks it gives NaN."""
        return [row.get(name, float("nan")) for row in self.rows]

    @property
    def best(self) -> dict[str, Any]:
        """The row of the best epoch; of the last one if nothing was validated."""
        return self.rows[(self.best_epoch or len(self.rows)) - 1]

    def to_dict(self) -> dict[str, Any]:
        """The history as plain data."""
        return {"rows": self.rows, "best_epoch": self.best_epoch, "stopped_early": self.stopped_early}

    def save(self, path: Path) -> None:
        """Write the history as JSON."""
        write_atomically(Path(path), json.dumps(self.to_dict(), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "History":
        """Read what `save` wrote."""
        return cls(**json.loads(Path(path).read_text(encoding="utf-8")))

    def plot(self, *, title: str = "Learning curve") -> Any:
        """Draw the losses, and beside them the scores, over the epochs; returns the figure for `plots.show`."""
        import matplotlib.pyplot as plt

        from course_lib import plots

        names = [name for name in self.rows[-1] if name != "epoch"] if self.rows else []
        losses = [name for name in names if name.endswith("loss")]
        scores = [name for name in names if name not in losses]
        panels = [group for group in (losses, scores) if group] or [[]]
        figure, grid = plt.subplots(1, len(panels), figsize=(3.5 * len(panels), 3.0), squeeze=False)
        for axes, group in zip(grid.flat, panels, strict=True):
            for name, color in zip(group, plots.PALETTE.values(), strict=False):
                axes.plot(self["epoch"], self[name], label=name.replace("_", " "), color=color, marker=".")
            if self.best_epoch is not None:
                axes.axvline(self.best_epoch, color=plots.INK, linewidth=1, linestyle=":", label="best epoch")
            axes.set_xlabel("epoch")
            axes.set_ylabel("loss per example" if group is losses else "score")
            axes.legend()
        figure.suptitle(title)
        return figure

    def describe(self) -> str:
        """The curve in words, for those who don't see it."""
        if not self.rows:
            return "No epoch yet."
        parts = [
            f"{name.replace('_', ' ')} from {self.rows[0].get(name, float('nan')):.3g} to {value:.3g}"
            for name, value in self.rows[-1].items()
            if name != "epoch"
        ]
        return f"Learning curve over {len(self.rows)} epochs: {', '.join(parts)}."

    def redraw(self) -> None:
        """Draw the curve in place of the one before, in a notebook; elsewhere do nothing."""
        from IPython import get_ipython

        if get_ipython() is None:
            return
        from course_lib import plots

        picture = plots.picture(self.plot(), alt=self.describe())
        if self._shown is None:
            self._shown = plots.display(picture, display_id=True)
        else:
            self._shown.update(picture)
