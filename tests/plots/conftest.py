import matplotlib
import pytest


@pytest.fixture(autouse=True)
def without_a_window():
    """Figures that a plot makes itself are pyplot's, which keeps them."""
    matplotlib.use("agg")
    yield
    from matplotlib import pyplot

    pyplot.close("all")
