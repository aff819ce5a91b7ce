"""Works with only Keras, one backend and the wheel: `python program.py save FILE`, `python program.py load FILE`.

`.ci/bare` runs it outside the checkout, so it imports nothing from there.
"""

import subprocess
import sys

import keras
import numpy as np

import keras_langevin

X, Y = np.linspace(0, 1, 64).reshape(32, 2), np.ones(32)


def save(file):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    model.compile(keras_langevin.LAdam(1e-3, sigma=1e-3, layers=1, seed=0), loss="mse")
    samples = keras_langevin.PosteriorSamples(burn_in=1)
    monitor = keras_langevin.LangevinMonitor()
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[samples, monitor, keras_langevin.StepDown()])
    assert samples.predict(X, outputs="values", verbose=0).mean.shape == (32, 1)
    model.save(file)
    refuses("import keras_langevin.plots", "keras_langevin.plots needs")
    refuses("import keras_langevin.experiments", "keras_langevin.experiments needs")
    refuses("import keras_langevin as k; k.datasets.load('digits')", "The dataset 'digits' needs sklearn")
    command = "import keras_langevin_command as k, sys; sys.exit(k.main(['compare']))"
    refuses(command, "keras_langevin.experiments needs")


def refuses(program, message):
    """Checks that the last line of the error names the extra and the command that installs it."""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    last = ended.stderr.strip().splitlines()[-1]
    assert ended.returncode and message in last and 'pip install "keras-langevin[experiments]"' in last, ended.stderr


def load(file):
    model = keras.saving.load_model(file)
    assert type(model.optimizer) is keras_langevin.LAdam and int(model.optimizer.iterations) == 8
    model.fit(X, Y, batch_size=8, verbose=0)


if __name__ == "__main__":
    {"save": save, "load": load}[sys.argv[1]](sys.argv[2])
