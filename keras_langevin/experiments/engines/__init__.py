"""What trains the runs of comparisons: this process, several processes, or a Ray cluster."""

from keras_langevin.experiments.engines.local import Local
from keras_langevin.experiments.engines.processes import Processes
from keras_langevin.experiments.engines.ray_cluster import RayCluster

__all__ = ["Local", "Processes", "RayCluster"]
