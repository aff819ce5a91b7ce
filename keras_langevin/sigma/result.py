"""The result of `find_sigma`."""

import base64
import html
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # slow to import
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False)
class SigmaSearch:
    """A suggested noise level, and why. A notebook shows it with its plot.

    Attributes:
        sigma: float, the suggestion.
        reason: str, one sentence.
        sigmas: array of shape `(num_levels,)`, the levels that were tried, in order.
        losses: array of the same shape, the mean loss in the second half of each trial; infinite if the trial ruined
            the weights.
        noise_to_drift: array of the same shape, the noise of a trial's last update divided by its drift, both as root
            mean squares over the noisy layers; NaN if the trial ended before.
        loss_without_noise: float, the loss of a trial without noise.
        allowed_loss: float, the loss above which a level does harm.
        loss_at_start: float, the loss of the first batch.
        num_updates: int, the number of updates of each trial.
    """

    sigma: float
    reason: str
    sigmas: np.ndarray
    losses: np.ndarray
    noise_to_drift: np.ndarray
    loss_without_noise: float
    allowed_loss: float
    loss_at_start: float
    num_updates: int

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws loss and noise-to-drift ratio against sigma, with the suggestion.

        Args:
            ax: matplotlib Axes, or `None` for those of a new figure.

        Returns:
            The Axes.
        """
        from keras_langevin.plots import sigma_search

        return sigma_search(
            self.sigmas,
            self.losses,
            noise_to_drift=self.noise_to_drift,
            suggestion=self.sigma,
            loss_without_noise=self.loss_without_noise,
            allowed_loss=self.allowed_loss,
            ax=ax,
        )

    def __repr__(self) -> str:
        return f"SigmaSearch({self.reason})"

    def _repr_html_(self) -> str:
        try:
            from matplotlib.figure import Figure
        except ImportError:
            return f"<p>{html.escape(self.reason)}</p>"
        figure, picture = Figure(figsize=(5.6, 3.4), layout="constrained"), io.BytesIO()
        self.plot(figure.subplots())
        figure.savefig(picture, format="png", dpi=110)
        data = base64.b64encode(picture.getvalue()).decode()
        return f'<p>{html.escape(self.reason)}</p><img alt="loss against sigma" src="data:image/png;base64,{data}">'
