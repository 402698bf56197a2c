"""Values and gradients of single operations, on odd shapes.

Every case `op.i.*` holds the input `x`, the setting, the output `y`, the output
gradient `g`, and the gradients `dx` (and `dw`, `db`).
"""

import torch
import torch.nn.functional as F

from common import integers, write

torch.manual_seed(1)
out = {}

# batch, in, height, width, out, kernel, stride, padding
CONV = [
    (2, 3, 7, 9, 4, (3, 3), (1, 1), (1, 1)),
    (1, 2, 12, 11, 3, (7, 7), (2, 2), (0, 0)),
    (3, 4, 13, 10, 5, (5, 5), (2, 2), (1, 1)),
    (2, 3, 9, 8, 2, (3, 1), (2, 1), (1, 0)),
    (2, 3, 8, 9, 2, (1, 4), (1, 3), (0, 2)),
    (2, 5, 6, 7, 3, (1, 1), (1, 1), (0, 0)),
    (1, 2, 10, 10, 3, (2, 3), (3, 4), (2, 3)),
    (3, 1, 5, 5, 1, (5, 5), (1, 1), (4, 2)),
]
for i, (b, c, h, w, o, kernel, stride, padding) in enumerate(CONV):
    x = torch.randn(b, c, h, w, requires_grad=True)
    weight = torch.randn(o, c, *kernel, requires_grad=True)
    bias = torch.randn(o, requires_grad=True)
    y = F.conv2d(x, weight, bias, stride, padding)
    g = torch.randn_like(y)
    y.backward(g)
    out |= {
        f"conv.{i}.x": x, f"conv.{i}.w": weight, f"conv.{i}.b": bias,
        f"conv.{i}.setting": integers(*stride, *padding), f"conv.{i}.y": y, f"conv.{i}.g": g,
        f"conv.{i}.dx": x.grad, f"conv.{i}.dw": weight.grad, f"conv.{i}.db": bias.grad,
    }

# height, width, kernel, stride, padding, ceil mode, values drawn from few integers (ties)
POOL = [
    (8, 9, (3, 3), (2, 2), (0, 0), True, False),
    (8, 9, (3, 3), (2, 2), (0, 0), False, False),
    (7, 10, (3, 3), (2, 2), (1, 1), True, True),
    (6, 6, (2, 2), (2, 2), (1, 1), True, True),
    (9, 7, (3, 2), (1, 3), (1, 0), True, True),
    (5, 11, (2, 4), (3, 1), (1, 2), False, True),
    (4, 4, (2, 2), (3, 3), (1, 1), True, False),
    (3, 3, (3, 3), (2, 2), (0, 0), True, True),
]
for i, (h, w, kernel, stride, padding, ceil, ties) in enumerate(POOL):
    x = torch.randint(-1, 2, (2, 3, h, w)).float() if ties else torch.randn(2, 3, h, w)
    x.requires_grad_()
    y = F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil)
    g = torch.randn_like(y)
    y.backward(g)
    out |= {
        f"pool.{i}.x": x, f"pool.{i}.setting": integers(*kernel, *stride, *padding, int(ceil)),
        f"pool.{i}.y": y, f"pool.{i}.g": g, f"pool.{i}.dx": x.grad,
    }

# Infinities and NaN in a pooled input.
x = torch.randn(1, 2, 6, 6)
x[0, 0, 1, 1], x[0, 0, 4, 4], x[0, 1, 0, 0] = float("nan"), float("inf"), float("-inf")
x[0, 1, 3:, 3:] = float("-inf")
x.requires_grad_()
y = F.max_pool2d(x, 3, 2, ceil_mode=True)
g = torch.randn_like(y)
y.backward(g)
i = len(POOL)
out |= {
    f"pool.{i}.x": x, f"pool.{i}.setting": integers(3, 3, 2, 2, 0, 0, 1),
    f"pool.{i}.y": y, f"pool.{i}.g": g, f"pool.{i}.dx": x.grad,
}

# shape, size, alpha, beta, k
LRN = [
    ((2, 7, 3, 5), 5, 5e-1, 0.75, 2.0),
    ((1, 4, 2, 3), 5, 1.0, 0.75, 1.0),
    ((2, 6, 3, 3), 4, 0.7, 0.5, 1.5),
    ((1, 3, 17, 19), 3, 2.0, 0.9, 0.5),
    ((2, 1, 4, 4), 2, 1.0, 0.75, 1.0),
]
for i, (shape, size, alpha, beta, k) in enumerate(LRN):
    x = (2 * torch.randn(shape)).requires_grad_()
    y = F.local_response_norm(x, size, alpha, beta, k)
    g = torch.randn_like(y)
    y.backward(g)
    out |= {
        f"lrn.{i}.x": x, f"lrn.{i}.setting": torch.tensor([size, alpha, beta, k]),
        f"lrn.{i}.y": y, f"lrn.{i}.g": g, f"lrn.{i}.dx": x.grad,
    }

# Fully connected with rectification, then cross-entropy.
x = torch.randn(5, 37, requires_grad=True)
weight = torch.randn(19, 37, requires_grad=True)
bias = torch.randn(19, requires_grad=True)
labels = torch.tensor([3, 0, 18, 7, 7])
loss = F.cross_entropy(F.relu(F.linear(x, weight, bias)), labels)
loss.backward()
out |= {
    "linear.x": x, "linear.w": weight, "linear.b": bias, "linear.labels": labels,
    "linear.loss": loss, "linear.dx": x.grad, "linear.dw": weight.grad, "linear.db": bias.grad,
}

write("kernels", out)
