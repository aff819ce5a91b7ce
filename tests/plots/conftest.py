import matplotlib
import pytest


@pytest.fixture(autouse=True)
def without_a_window():
    """Closes figures afterwards: pyplot keeps those that a plot creates."""
    matplotlib.use("agg")
    yield
    from matplotlib import pyplot

    pyplot.close("all")
