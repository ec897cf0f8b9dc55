"""Write data/mnist1d.npz: MNIST-1D (Greydanus, 2020), as its package makes it: 4,000 and 1,000 series.

python make_data.py [NUMBER]
"""

import sys
from pathlib import Path

import numpy as np
from mnist1d.data import get_dataset_args, make_dataset


def main() -> None:
    arguments = get_dataset_args()
    arguments.num_samples = int(sys.argv[1]) if len(sys.argv) > 1 else arguments.num_samples
    made = make_dataset(arguments)
    folder = Path(__file__).parent / "data"
    folder.mkdir(exist_ok=True)
    np.savez(folder / "mnist1d.npz", **{name: made[name] for name in ("x", "y", "x_test", "y_test")})
    print(f"{folder.name}/mnist1d.npz: {len(made['x'])} series and {len(made['x_test'])} for the test")


if __name__ == "__main__":
    main()
