"""Where the fixtures go, and a seeded source of inputs."""

from pathlib import Path

import torch
from safetensors.torch import save_file

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"


def write(name, tensors):
    """Writes tensors, all of them contiguous and detached, to one fixture."""
    FIXTURES.mkdir(exist_ok=True)
    path = FIXTURES / f"{name}.safetensors"
    save_file({key: value.detach().contiguous().clone() for key, value in tensors.items()}, path)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


def integers(*values):
    return torch.tensor(values, dtype=torch.int64)
