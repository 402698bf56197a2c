"""Values and gradients of single operations, on odd shapes and odd values.

Every case `op.i.*` holds the inputs, the setting, the output `y`, the output gradient
`g`, and the gradient `d<input>` of every input. Feature maps are (B, C, H, W), as
PyTorch makes them. A `special` case goes through NaN, infinities and denormals.
"""

import torch
import torch.nn.functional as F

from common import integers, write

torch.manual_seed(1)
out = {}
count = {}

NAN, INF = float("nan"), float("inf")
# A few times the smallest positive number: far below what a normal number can be.
DENORMAL = 1e-42


def case(kind, function, inputs, setting=None, extra=None):
    """Runs `function` on the inputs, in their order, and records all of it."""
    inputs = {name: value.detach().requires_grad_() for name, value in inputs.items()}
    y = function(*inputs.values())
    g = torch.randn_like(y)
    y.backward(g)
    i = count.get(kind, 0)
    count[kind] = i + 1
    tensors = {"y": y, "g": g} | inputs | (extra or {})
    tensors |= {f"d{name}": value.grad for name, value in inputs.items()}
    if setting is not None:
        tensors["setting"] = setting
    out.update({f"{kind}.{i}.{name}": value for name, value in tensors.items()})


def special(*shape):
    """A sample without oddities, and behind it one with NaN, both infinities, zeros of both
    signs and denormals, each in channels of its own where there are enough."""
    x = torch.randn(2, *shape)
    odd = x[1].reshape(shape[0], -1)
    for channel, value in enumerate([NAN, INF, -INF, -0.0, DENORMAL, -DENORMAL][: shape[0]]):
        odd[channel, (3 * channel) % odd.shape[1]] = value
    return x


# x, weight, stride, padding, groups
def conv(kind, x, weight, stride, padding, groups=1):
    def function(x, w, b):
        return F.conv2d(x, w, b, stride, padding, groups=groups)

    inputs = {"x": x, "w": weight, "b": torch.randn(weight.shape[0])}
    case(kind, function, inputs, integers(*stride, *padding, groups))


# batch, in, height, width, out, kernel, stride, padding, groups
for b, c, h, w, o, kernel, stride, padding, groups in [
    (1, 3, 7, 9, 4, (3, 3), (1, 1), (1, 1), 1),
    (1, 2, 12, 11, 3, (7, 7), (2, 2), (0, 0), 1),
    (1, 4, 9, 8, 5, (5, 5), (2, 2), (1, 1), 1),
    (2, 3, 9, 8, 2, (3, 1), (2, 1), (1, 0), 1),
    (2, 3, 8, 9, 2, (1, 4), (1, 3), (0, 2), 1),
    (2, 5, 6, 7, 3, (1, 1), (1, 1), (0, 0), 1),
    (1, 2, 10, 10, 3, (2, 3), (3, 4), (2, 3), 1),
    (3, 1, 5, 5, 1, (5, 5), (1, 1), (4, 2), 1),
    (1, 4, 6, 7, 6, (3, 3), (1, 1), (1, 1), 2),
    (2, 6, 7, 5, 3, (3, 2), (2, 1), (1, 0), 3),
    (1, 5, 6, 6, 5, (3, 3), (2, 2), (1, 1), 5),
    (2, 18, 3, 4, 20, (1, 1), (2, 2), (0, 0), 1),
    (1, 4, 4, 3, 36, (3, 3), (1, 1), (1, 1), 2),
]:
    conv("conv", torch.randn(b, c, h, w), torch.randn(o, c // groups, *kernel), stride, padding, groups)
conv("conv-special", special(6, 5, 6), torch.randn(4, 3, 3, 3), (2, 1), (1, 1), 2)
conv("conv-special", special(6, 5, 6), torch.randn(3, 6, 1, 1), (1, 1), (0, 0))
odd = torch.randn(4, 3, 3, 3)
# In the middle, which never lies in the padding: whether a NaN times the zeros there counts is open.
odd[1, 2, 1, 1] = NAN
conv("conv-special", torch.randn(2, 3, 5, 6), odd, (1, 1), (1, 1))

# Convolution and pooling over time only, as 3-D operations: batch, channels, time, height, width.
x = torch.randn(2, 3, 5, 3, 2)
case(
    "temporal-conv",
    lambda x, w, b: F.conv3d(x, w, b, (2, 1, 1), (1, 0, 0)),
    {"x": x, "w": torch.randn(4, 3, 3, 1, 1), "b": torch.randn(4)},
)
case("temporal-pool", lambda x: F.max_pool3d(x, (3, 1, 1), (2, 1, 1), (1, 0, 0)), {"x": x})

# channels, height, width, kernel, stride, padding, ceil mode, values drawn from few integers (ties)
POOL = [
    (3, 8, 9, (3, 3), (2, 2), (0, 0), True, False),
    (3, 8, 9, (3, 3), (2, 2), (0, 0), False, False),
    (2, 7, 8, (3, 3), (2, 2), (1, 1), True, True),
    (3, 6, 6, (2, 2), (2, 2), (1, 1), True, True),
    (3, 6, 7, (3, 2), (1, 3), (1, 0), True, True),
    (3, 5, 11, (2, 4), (3, 1), (1, 2), False, True),
    (3, 4, 4, (2, 2), (3, 3), (1, 1), True, False),
    (3, 3, 3, (3, 3), (2, 2), (0, 0), True, True),
    (18, 3, 2, (3, 3), (1, 1), (1, 1), False, True),
]
for c, h, w, kernel, stride, padding, ceil, ties in POOL:
    x = torch.randint(-1, 2, (2, c, h, w)).float() if ties else torch.randn(2, c, h, w)
    setting = integers(*kernel, *stride, *padding, int(ceil))
    case("max-pool", lambda x: F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil), {"x": x}, setting)
    for counted in [False, True] if padding != (0, 0) and ceil else [False]:
        setting = integers(*kernel, *stride, *padding, int(ceil), int(counted))

        def average(x):
            return F.avg_pool2d(x, kernel, stride, padding, ceil, counted)

        case("average-pool", average, {"x": x}, setting)

setting = integers(3, 3, 2, 2, 0, 0, 1)
x = special(6, 6, 6)
# Two NaN in one window: the later wins. A window of minus infinities: its first position wins.
x[1, 0, 4:, 4:] = NAN
x[1, 2, 2:, 2:] = -INF
case("max-pool-special", lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), {"x": x}, setting)
setting = integers(3, 3, 2, 2, 0, 0, 1, 0)
case("average-pool-special", lambda x: F.avg_pool2d(x, 3, 2, 0, True, False), {"x": x}, setting)

for x in [torch.randn(2, 3, 4, 5), torch.randn(1, 18, 1, 3), special(6, 3, 4)]:
    case("global-pool", lambda x: x.mean((2, 3)), {"x": x})

# x, size, alpha, beta, k
for x, size, alpha, beta, k in [
    (2 * torch.randn(2, 7, 3, 5), 5, 5e-1, 0.75, 2.0),
    (2 * torch.randn(1, 4, 2, 3), 5, 1.0, 0.75, 1.0),
    (2 * torch.randn(2, 6, 3, 3), 4, 0.7, 0.5, 1.5),
    (2 * torch.randn(1, 3, 7, 9), 3, 2.0, 0.9, 0.5),
    (2 * torch.randn(2, 1, 4, 4), 2, 1.0, 0.75, 1.0),
    (2 * torch.randn(1, 37, 2, 3), 5, 1.0, 0.75, 1.0),
    (special(6, 3, 4), 5, 1.0, 0.75, 1.0),
    (special(6, 3, 4), 3, 1.0, 0.6, 1.0),
]:
    case(
        "lrn",
        lambda x: F.local_response_norm(x, size, alpha, beta, k),
        {"x": x},
        torch.tensor([size, alpha, beta, k]),
    )

# x, residual, rectified; by the batch and by fixed statistics
EPSILON = 1e-3
for x, residual, relu in [
    (torch.randn(3, 5, 4, 3), False, False),
    (torch.randn(3, 5, 4, 3), False, True),
    (torch.randn(2, 18, 2, 2), True, False),
    (torch.randn(2, 18, 2, 2), True, True),
    (3 + torch.randn(2, 3, 5, 5), True, True),
    (special(7, 3, 4), False, True),
    (special(7, 3, 4), True, True),
]:
    c = x.shape[1]
    inputs = {"x": x, "scale": 1 + 0.5 * torch.randn(c), "shift": torch.randn(c)}
    if residual:
        inputs["residual"] = torch.randn_like(x)
    setting = integers(int(relu))

    def finished(y, residual):
        y = y if residual is None else y + residual
        return F.relu(y) if relu else y

    def by_batch(x, scale, shift, residual=None):
        y = F.batch_norm(x, None, None, scale, shift, training=True, eps=EPSILON)
        return finished(y, residual)

    mean, variance = torch.zeros(c), torch.ones(c)
    F.batch_norm(x, mean, variance, training=True, momentum=1.0)
    case("batch-norm", by_batch, inputs, setting, {"mean": mean, "variance": variance})

    fixed = {"mean": torch.randn(c), "variance": 0.5 + torch.rand(c)}

    def frozen(x, scale, shift, residual=None):
        y = F.batch_norm(x, fixed["mean"], fixed["variance"], scale, shift, eps=EPSILON)
        return finished(y, residual)

    case("frozen-batch-norm", frozen, inputs, setting, fixed)

x, other = special(6, 3, 4), torch.randn(2, 6, 3, 4)
case("relu", F.relu, {"x": x})
case("add", lambda a, b: a + b, {"a": x, "b": other}, integers(0))
case("add", lambda a, b: F.relu(a + b), {"a": x, "b": other}, integers(1))
mask = 2.0 * torch.randint(0, 2, x.shape)
case("mask", lambda x: x * mask, {"x": x}, extra={"mask": mask})
parts = {"a": x, "b": torch.randn(2, 1, 3, 4), "c": torch.randn(2, 5, 3, 4)}
case("concat", lambda *parts: torch.cat(parts, 1), parts)

# Fully connected.
for x in [torch.randn(5, 21), torch.randn(1, 50), special(6)]:
    inputs = {"x": x, "w": torch.randn(9, x.shape[1]), "b": torch.randn(9)}
    for relu in [False, True]:

        def linear(x, w, b):
            y = F.linear(x, w, b)
            return F.relu(y) if relu else y

        case("linear", linear, inputs, integers(int(relu)))

# Mean cross-entropy: plain, large, and with infinities and NaN in some rows.
odd = torch.randn(5, 7)
odd[0, 2], odd[1, 3], odd[2, 4], odd[3, 0] = NAN, INF, -INF, -INF
for logits, labels in [
    (torch.randn(5, 19), [3, 0, 18, 7, 7]),
    (200 * torch.randn(3, 4), [1, 0, 3]),
    (odd[2:], [1, 0, 6]),
    (odd, [1, 2, 1, 1, 6]),
]:
    labels = torch.tensor(labels)
    case("cross-entropy", lambda x: F.cross_entropy(x, labels), {"x": logits}, extra={"labels": labels})

# Three steps of SGD with Nesterov momentum off, the momentum buffer starting at the first gradient.
weight = torch.randn(37, requires_grad=True)
gradients = torch.randn(3, 37)
optimiser = torch.optim.SGD([weight], lr=0.1, momentum=0.9, weight_decay=0.01)
out |= {"sgd.0.x": weight.detach().clone(), "sgd.0.g": gradients}
for gradient in gradients:
    weight.grad = gradient.clone()
    optimiser.step()
out["sgd.0.y"] = weight

# The contrastive loss, written with two branches: within the margin, beyond it, equal vectors, and both forms.


def contrastive(x, y, similar, margin, form):
    difference = x - y
    squared = difference.square().sum(1)
    distance = difference.abs().sum(1) if form == 0 else torch.linalg.vector_norm(difference, dim=1)
    return torch.where(similar, squared, (margin - distance).clamp(min=0).square()).mean()


for pairs, features, margin in [(9, 13, 14.0), (4, 7, 3.0), (5, 30, 1.0)]:
    similar = torch.arange(pairs) % 3 == 0
    for form in [0, 1]:
        vectors = torch.randn(pairs, 2, features)
        # Far apart, where margins end, and close together.
        vectors[pairs // 2] *= 9
        vectors[-1, 1] = vectors[-1, 0] + 0.01 * torch.randn(features)

        def loss(pairs):
            x, y = pairs[0::2], pairs[1::2]
            return contrastive(x, y, similar, margin, form)

        extra = {"similar": integers(*similar.int().tolist()), "margin": torch.tensor([margin])}
        case("contrastive", loss, {"x": vectors.flatten(0, 1)}, integers(form), extra)

write("kernels", out)
