import pytest

from tests.models.published import PUBLISHED, parameters

rows = [pytest.param(*row, marks=[pytest.mark.slow] if row[0] == "densenet-121" else []) for row in PUBLISHED]


@pytest.mark.parametrize(("name", "options", "published"), rows)
def test_parameters_are_as_many_as_published(name, options, published):
    """Equal to the printed digits. Some papers count the moving averages of batch normalization, others do not."""
    digits = len(published.partition(".")[2])
    assert published in {f"{count / 1e6:.{digits}f}" for count in parameters(name, options)}
