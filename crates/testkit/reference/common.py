"""Where the fixtures go, and what every network's fixture holds."""

import copy
import itertools
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"


def write(name, tensors):
    """Writes tensors, all of them contiguous and detached, floats as f32, to one fixture."""
    FIXTURES.mkdir(exist_ok=True)
    path = FIXTURES / f"{name}.safetensors"
    tensors = {key: value.detach().contiguous().clone() for key, value in tensors.items()}
    save_file({key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}, path)
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
    """He-normal weights, and something other than the usual start for all else; shifts
    that leave most units of a narrow network alive."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Conv3d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, 0.6, 0.2)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)


def set_mode(model, batch_statistics):
    """Batch norm by the batch in all layers, the first, or none; all else as in training."""
    model.train()
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms[{"all": len(norms), "first": 1, "none": 0}[batch_statistics]:]:
        norm.eval()


def loss_of(answers, labels):
    """The cross-entropy of a classifier's answer, or the sum of those of several."""
    if isinstance(answers, torch.Tensor):
        return F.cross_entropy(answers, labels)
    return sum(F.cross_entropy(logits, labels) for logits in answers)


def train(model, x, labels, rate):
    """Ten steps: the losses, and of the first step every gradient and `model.layers`,
    which the forward pass fills."""
    optimiser = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4)
    losses = []
    for step in range(10):
        optimiser.zero_grad()
        loss = loss_of(model(x), labels)
        loss.backward()
        if step == 0:
            layers = {key: value.detach().clone() for key, value in model.layers.items()}
            gradients = {key: value.grad.clone() for key, value in model.named_parameters()}
        optimiser.step()
        losses.append(loss.item())
    return torch.tensor(losses), gradients, layers


def steady(model, x, labels, rate):
    """Whether errors of rounding stay small, in four tries. They do not where a unit is so
    close to zero, or two maxima to each other, that rounding decides: then no two
    implementations agree."""
    losses, gradients, _ = train(copy.deepcopy(model), x, labels, rate)
    largest = max(gradient.abs().max() for gradient in gradients.values())
    for _ in range(4):
        other = copy.deepcopy(model)
        with torch.no_grad():
            for value in other.parameters():
                value.mul_(1 + 2e-7 * torch.randn_like(value))
        found, others, _ = train(other, x * (1 + 2e-7 * torch.randn_like(x)), labels, rate)
        if ((found / losses - 1).abs() > 1e-4).any():
            return False
        for key, gradient in gradients.items():
            scale = max(gradient.abs().max(), 1e-4 * largest)
            if ((others[key] - gradient).abs() > 1e-4 * scale).any():
                return False
    return True


def record(name, build, x, labels, rate, settings):
    """Writes the values at the start and the end of ten steps, and what they give. Of the
    end only vectors are kept, which are small and see every step. The model is the first
    steady one that `build` makes. The input is `x`, or noise(1, ...) of the shape `x`.

    Everything is computed in f64, so that a difference is that of the network under test:
    with normalised batches, PyTorch's own f32 gradients are off by up to 1e-4."""
    out = {"labels": labels} | settings
    if isinstance(x, torch.Tensor):
        out["x"] = x
    else:
        out["shape"], x = integers(*x), noise(1, *x)
    x = x.double()
    for seed in itertools.count():
        torch.manual_seed(seed)
        model = build().double()
        if steady(model, x, labels, rate):
            break
    out |= {f"start.{key}": value for key, value in values(model).items()}
    losses, gradients, layers = train(model, x, labels, rate)
    print(name, "seed", seed, [round(loss, 4) for loss in losses.tolist()])
    out["losses"] = losses
    out |= {f"layer.{key}": value for key, value in layers.items()}
    out |= {f"grad.{key}": value for key, value in gradients.items()}
    out |= {f"end.{key}": value for key, value in values(model).items() if value.dim() == 1}
    write(name, out)
