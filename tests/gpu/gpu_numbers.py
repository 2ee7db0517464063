"""Features of the same windows by the CUDA kernels, on the device or in the simulator, as one file of numbers.

``python gpu_numbers.py FILE``: the environment says where, for Numba decides between the two when it is imported.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).parents[2]
RATE_HZ, NEAR, FAR = 1000.0, (40.0, 80.0), (40.0, 80.0, 16.0, 95.0, 190.0)
LENGTHS = (64, 65)  # by FFT, and by products
SPEED_HZ = 29.5
PATIENCE_S = 300.0


def windows(length: int) -> np.ndarray:
    """float32 [4, length]: noise, a shaft on an offset, impacts, silence."""
    rng = np.random.default_rng(length)
    time = np.arange(length) / RATE_HZ
    noise = rng.normal(0, 2.0, length)
    shaft = 1e3 + np.sin(2 * np.pi * 40 * time) + rng.normal(0, 0.1, length)
    impacts = rng.normal(0, 0.05, length) + 3.0 * (np.arange(length) % 21 == 4)
    return np.stack([noise, shaft, impacts, np.full(length, 5.0)]).astype(np.float32)


def scales(length: int) -> np.ndarray:
    """[4, features]: what an error of each is a share of. Amplitudes: RMS; powers: all; frequencies: Nyquist."""
    from kernels import layout, reference

    expected = reference.features(windows(length).astype(np.float64), RATE_HZ, NEAR, FAR)
    rms, peak = expected[:, :1], expected[:, 1:2]
    ratios = np.maximum(np.abs(expected[:, 2:7]), 1.0)
    powers = np.repeat(rms**2, layout.BANDS, axis=1)
    shape = np.repeat([[RATE_HZ / 2, RATE_HZ / 2, 1.0]], len(rms), axis=0)
    lines = np.repeat(rms, len(NEAR) + len(FAR), axis=1)
    return np.maximum(np.concatenate([rms, peak, ratios, powers, shape, lines], axis=1), 1e-6)


def computed(folder: Path, *, simulated: bool) -> dict[int | str, np.ndarray]:
    """The features by length, and the ranges of ``FusedWindows``, computed in a process of its own."""
    file = folder / f"{'simulator' if simulated else 'device'}.npz"
    done = subprocess.run(
        [sys.executable, __file__, str(file)],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": str(int(simulated)), "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with np.load(file) as found:
        return {length: found[str(length)] for length in LENGTHS} | {"ranges": found["ranges"]}


def main(file: str) -> None:
    from kernels import cuda
    from kernels.bearing import BEARING_6205
    from kernels.vibration import orders

    fused = cuda.FusedWindows(length=LENGTHS[0], rate_hz=RATE_HZ, orders_=orders(BEARING_6205), across=4)
    features = {str(n): cuda.features(windows(n), RATE_HZ, NEAR, FAR) for n in LENGTHS}
    np.savez(file, ranges=fused.ranges(SPEED_HZ), **features)


if __name__ == "__main__":
    main(*sys.argv[1:])
