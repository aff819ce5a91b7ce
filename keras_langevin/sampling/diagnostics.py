"""Diagnoses whether chains have converged, with arviz."""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # slow to import
    from arviz import InferenceData
    from pandas import DataFrame


def arviz():
    """Returns the module `arviz`, which the extra `sampling` installs.

    Raises:
        ImportError: it cannot be imported.
    """
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # about 1.0, which the extra excludes
            import arviz
    except ImportError as error:
        raise ImportError(
            f"The diagnostics of chains need arviz. Received: {error}. Install it with "
            '`pip install "keras-langevin[sampling]"`.'
        ) from error
    return arviz


def inference_data(draws: Mapping[str, np.ndarray]) -> "InferenceData":
    """Returns draws as arviz's `InferenceData`, in its group `posterior`.

    Args:
        draws: dict from names to arrays of shape `(num_chains, num_draws, ...)`.
    """
    return arviz().from_dict(posterior=dict(draws))


def summary(data: "InferenceData") -> "DataFrame":
    """Returns a pandas DataFrame with a row for each element: mean, sd, Monte-Carlo errors (`mcse_mean`, `mcse_sd`),
    effective sample sizes (`ess_bulk`, `ess_tail`) and `r_hat`.

    Args:
        data: `InferenceData`.

    References:
        A. Vehtari et al., Rank-normalization, folding, and localization: an improved R̂, Bayesian Analysis 16 (2021).
    """
    from pandas import DataFrame

    columns = ["mean", "sd", "mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "r_hat"]
    return DataFrame(arviz().summary(data, round_to="none", kind="all"), columns=columns)


def autocorrelation(data: "InferenceData") -> dict[str, np.ndarray]:
    """Returns the autocorrelation by lag in each chain: arrays of shape `(num_chains, num_lags, ...)`, 1 at lag 0.

    Args:
        data: `InferenceData`.
    """
    posterior = data.posterior
    return {str(name): arviz().autocorr(posterior[name].values, axis=1) for name in posterior.data_vars}


def plot_trace(data: "InferenceData", max_plots: int = 10) -> np.ndarray:
    """Plots densities and traces of the first elements, with a line for each chain.

    Args:
        data: `InferenceData`.
        max_plots: int >= 1, the largest number of elements to plot. Defaults to `10`.

    Returns:
        array of matplotlib axes of shape `(num_elements, 2)`.
    """
    az = arviz()
    with az.rc_context({"plot.max_subplots": 2 * max_plots}):
        return az.plot_trace(data, compact=False, backend_kwargs={"tight_layout": True})
