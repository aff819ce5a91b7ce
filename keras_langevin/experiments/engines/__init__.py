"""What trains the runs of comparisons: this process, several processes, a Ray cluster, or JAX's `vmap`."""

from keras_langevin.experiments.engines.local import Local
from keras_langevin.experiments.engines.processes import Processes
from keras_langevin.experiments.engines.ray_cluster import RayCluster
from keras_langevin.experiments.engines.vmap import Vmap

__all__ = ["Local", "Processes", "RayCluster", "Vmap"]
