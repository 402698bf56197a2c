"""Where the fixtures go, and what every network's fixture holds."""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"


def write(name, tensors):
    """Writes tensors, all of them contiguous and detached, to one fixture."""
    FIXTURES.mkdir(exist_ok=True)
    path = FIXTURES / f"{name}.safetensors"
    save_file({key: value.detach().contiguous().clone() for key, value in tensors.items()}, path)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


def integers(*values):
    return torch.tensor(values, dtype=torch.int64)


def noise(seed, *shape):
    """The values of `testkit::noise`, so that a fixture need not hold them."""
    mask = (1 << 64) - 1
    state = (seed * 0x9E3779B97F4A7C15 & mask) ^ 0xD1B54A32D192ED03
    out = []
    for _ in range(torch.Size(shape).numel()):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
        z ^= z >> 31
        out.append((z >> 40) / (1 << 23) - 1)
    return torch.tensor(out).reshape(shape)


def values(model):
    """Parameters and running statistics by name."""
    state = model.state_dict().items()
    return {key: value.clone() for key, value in state if not key.endswith("num_batches_tracked")}


def randomise(model):
    """He-normal weights, and something other than the usual start for all else."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, 0, 0.2)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)


def set_mode(model, batch_statistics):
    """Batch norm by the batch in all layers, the first, or none; all else as in training."""
    model.train()
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms[{"all": len(norms), "first": 1, "none": 0}[batch_statistics]:]:
        norm.eval()


def record(name, model, x, labels, rate, settings):
    """Ten steps: values at the start and the end, losses, and of the first step every
    gradient and `model.layers`, which the forward pass fills. Of the end only vectors are
    kept, which are small and see every step. The input is `x`, or noise(1, ...) of the
    shape `x`."""
    out = {"labels": labels} | settings
    if isinstance(x, torch.Tensor):
        out["x"] = x
    else:
        out["shape"], x = integers(*x), noise(1, *x)
    out |= {f"start.{key}": value for key, value in values(model).items()}
    optimiser = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4)
    losses = []
    for step in range(10):
        optimiser.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        if step == 0:
            out |= {f"layer.{key}": value.clone() for key, value in model.layers.items()}
            out |= {f"grad.{key}": value.grad.clone() for key, value in model.named_parameters()}
        optimiser.step()
        losses.append(loss.item())
    print(name, [round(loss, 4) for loss in losses])
    out["losses"] = torch.tensor(losses)
    out |= {f"end.{key}": value for key, value in values(model).items() if value.dim() == 1}
    write(name, out)
