"""A narrow CNN-M-2048 in plain PyTorch: every layer's output, every gradient, ten losses.

The structure is the paper's (kernels, strides, pooling that rounds up at each
stage, normalisation); only the widths are small. The input is scaled so that
the normalisation matters.
"""

import torch
import torch.nn.functional as F

from common import integers, write

CHANNELS, CLASSES, BATCH = 4, 5, 2
SIZE = (74, 58)  # rounding up matters at every pooling layer
WIDTHS = (5, 6, 8, 7, 8)
FULL = (12, 10)


def parameters(channels, slow):
    # With slow fusion conv2 and conv3 each read two neighbouring responses.
    fused = 2 if slow else 1
    channels = 15 if slow else channels

    def layer(name, *shape):
        fan_in = torch.Size(shape[1:]).numel()
        return {
            f"{name}.weight": (torch.randn(shape) * (2 / fan_in) ** 0.5).requires_grad_(),
            f"{name}.bias": (torch.randn(shape[0]) * 0.1).requires_grad_(),
        }

    a, b, c, d, e = WIDTHS
    return (
        layer("conv1", a, channels, 7, 7) | layer("conv2", b, fused * a, 5, 5) | layer("conv3", c, fused * b, 3, 3)
        | layer("conv4", d, c, 3, 3) | layer("conv5", e, d, 3, 3) | layer("full6", FULL[0], e * 2 * 1)
        | layer("full7", FULL[1], FULL[0]) | layer("full8", CLASSES, FULL[1])
    )


def forward(p, x, spatial, slow):
    layers = {}

    def keep(name, value):
        layers[name] = value
        return value

    def conv(name, x, stride, padding):
        y = F.conv2d(x, p[f"{name}.weight"], p[f"{name}.bias"], stride, padding)
        return keep(name, F.relu(y))

    def norm(name, x):
        return keep(name, F.local_response_norm(x, 5, alpha=5e-4, beta=0.75, k=2.0))

    def pool(name, x):
        return keep(name, F.max_pool2d(x, 3, 2, ceil_mode=True))

    def full(name, x):
        return keep(name, F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"]))

    def first(x):
        return pool("pool1", norm("norm1", conv("conv1", x, 2, 0)))

    def second(x):
        x = conv("conv2", x, 2, 1)
        if spatial:
            x = norm("norm2", x)
        return pool("pool2", x)

    if slow:
        # conv1 over five frames at 0, 2, 4, 6; conv2 over two responses, two apart; conv3 over both that remain.
        early = [first(x[:, 3 * t : 3 * (t + 5)]) for t in (0, 2, 4, 6)]
        late = [second(torch.cat(early[t : t + 2], 1)) for t in (0, 2)]
        layers.clear()  # the windows overwrite one another under these names
        x = keep("join2@0", torch.cat(late, 1))
    else:
        x = second(first(x))
    x = pool("pool5", conv("conv5", conv("conv4", conv("conv3", x, 1, 1), 1, 1), 1, 1))
    x = keep("full6", F.relu(full("full6", x.flatten(1))))
    x = keep("full7", F.relu(full("full7", x)))
    return full("full8", x), layers


for name, channels, batch, spatial, slow in (
    ("temporal", CHANNELS, BATCH, False, False),
    ("spatial", CHANNELS, BATCH, True, False),
    ("slow", 33, 1, True, True),  # eleven frames are large: one sample keeps the file small
):
    torch.manual_seed(7)
    p = parameters(channels, slow)
    with torch.no_grad():
        p["full6.weight"].mul_(0.03)  # the large input must not give large logits
    x = 25 * torch.randn(batch, channels, *SIZE)
    labels = torch.tensor([1, 3][:batch])
    out = {"x": x, "labels": labels, "widths": integers(*WIDTHS), "full": integers(*FULL)}
    out |= {f"start.{key}": value.clone() for key, value in p.items()}

    optimiser = torch.optim.SGD(p.values(), lr=3e-4, momentum=0.9, weight_decay=5e-4)
    losses = []
    for step in range(10):
        optimiser.zero_grad()
        logits, layers = forward(p, x, spatial, slow)
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        if step == 0:
            out |= {f"layer.{key}": value.clone() for key, value in layers.items()}
            out |= {f"grad.{key}": value.grad.clone() for key, value in p.items()}
        optimiser.step()
        losses.append(loss.item())
    print(name, [round(loss, 4) for loss in losses])
    out["losses"] = torch.tensor(losses)
    out |= {f"end.{key}": value for key, value in p.items()}
    write(f"cnn_m_{name}", out)
