"""What tests of several machines share: models that are trained in a second."""

from tests.serving.conftest import models_folder  # noqa: F401  a fixture
