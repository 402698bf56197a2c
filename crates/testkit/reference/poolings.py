"""A narrow CaffeNet over several time steps, pooled at one of its layers: dynamic maps, learned sums, slow and local pooling."""

import torch
import torch.nn.functional as F
from torch import nn

from common import integers, randomise, record, set_mode

CLASSES, BATCH, STEPS, FRAMES = 3, 2, 3, 4
SIZE = 67
WIDTHS, FC = (4, 6, 8, 8, 6), (10, 7)


def rank(count):
    """Weights of approximate rank pooling, from their definition."""
    weights = torch.zeros(count, dtype=torch.float64)
    for t in range(1, count + 1):
        for s in range(t, count + 1):
            weights[t - 1] += (2 * s - count - 1) / s
    return weights


class Learned(nn.Module):
    def __init__(self, count, twice):
        super().__init__()
        self.weight = nn.Parameter(0.1 + 0.2 * torch.randn(1, count if twice else 1, 1 if twice else count, 1))
        self.bias = nn.Parameter(0.1 * torch.rand(1))
        self.hidden = nn.Conv2d(1, count, (count, 1)) if twice else None

    def forward(self, x):
        """(N, count, ...) to (N, ...)."""
        shape = x.shape
        x = x.flatten(2).unsqueeze(1)
        if self.hidden is not None:
            x = F.relu(self.hidden(x))
        return F.relu(F.conv2d(x, self.weight, self.bias)).reshape(shape[0], *shape[2:])


class Pooled(nn.Module):
    def __init__(self, kind):
        super().__init__()
        one, two, three, four, five = WIDTHS
        self.conv1 = nn.Conv2d(3, one, 11, stride=4)
        self.conv2 = nn.Conv2d(one, two, 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(two, three, 3, padding=1)
        self.conv4 = nn.Conv2d(three, four, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(four, five, 3, padding=1, groups=2)
        self.fc6 = nn.Linear(five, FC[0])
        self.fc7 = nn.Linear(FC[0], FC[1])
        self.fc8 = nn.Linear(FC[1] * (2 if kind == "local" else 1), CLASSES)
        self.kind = kind
        if kind in ("learned", "twice"):
            self.pooling1 = Learned(FRAMES, kind == "twice")
        self.layers = {}

    def windows(self, x):
        """Maxima of windows of two time steps, one apart: (B STEPS, ...) to (B 2, ...)."""
        x = x.unflatten(0, (-1, STEPS))
        return torch.maximum(x[:, :-1], x[:, 1:]).flatten(0, 1)

    def forward(self, x):
        frames = FRAMES if self.kind in ("rank", "learned", "twice") else 1
        pool = lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True)
        norm = lambda x: F.local_response_norm(x, 5, 1e-4, 0.75, 1.0)
        x = x.unflatten(1, (STEPS * frames, 3)).flatten(0, 1)
        x = norm(pool(F.relu(self.conv1(x))))
        if frames > 1:
            x = x.unflatten(0, (-1, FRAMES))
            if self.kind == "rank":
                weights = rank(FRAMES).to(x.dtype)
                x = F.relu(0.1 * torch.einsum("t,bt...->b...", weights, x))
            else:
                x = self.pooling1(x)
            self.layers["pooling1"] = x
        x = norm(pool(F.relu(self.conv2(x))))
        x = F.relu(self.conv5(F.relu(self.conv4(F.relu(self.conv3(x))))))
        x = pool(x)
        steps = lambda x: x.unflatten(0, (BATCH, -1))
        if frames > 1:
            x = steps(x).mean(1)
            self.layers["pooling2"] = x
        else:
            x = self.windows(x)
            self.layers["pooling1"] = x
        x = F.relu(self.fc6(x.flatten(1)))
        if self.kind == "slow":
            x = steps(x).max(1).values
            self.layers["pooling2"] = x
        x = F.relu(self.fc7(x))
        if self.kind == "local":
            x = x.reshape(BATCH, -1)
            self.layers["pooling2"] = x
        x = self.fc8(x)
        self.layers["fc8"] = x
        return x


def build(kind):
    model = Pooled(kind)
    randomise(model)
    set_mode(model, "none")
    return model


if __name__ == "__main__":
    labels = torch.arange(BATCH) % CLASSES
    settings = {
        "widths": integers(*WIDTHS),
        "fc": integers(*FC),
        "steps": integers(STEPS),
        "frames": integers(FRAMES),
        "classes": integers(CLASSES),
    }
    for kind in ("rank", "learned", "twice", "slow", "local"):
        frames = FRAMES if kind in ("rank", "learned", "twice") else 1
        shape = (BATCH, STEPS * frames * 3, SIZE, SIZE)
        record(f"poolings_{kind}", lambda: build(kind), shape, labels, 1e-2, settings)
