"""A narrow AlexNet in the form of Caffe's reference model: ReLU, pooling, normalisation.

The input is scaled so that the normalisation matters.
"""

import torch
import torch.nn.functional as F
from torch import nn

from common import integers, randomise, record

CLASSES, BATCH = 5, 2
SIZE = (83, 59)  # rounding up matters
WIDTHS = (4, 6, 8, 6, 8)
FC = (12, 10)


class AlexNet(nn.Module):
    def __init__(self):
        super().__init__()
        a, b, c, d, e = WIDTHS
        self.conv1 = nn.Conv2d(3, a, 11, stride=4)
        self.conv2 = nn.Conv2d(a, b, 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(b, c, 3, padding=1)
        self.conv4 = nn.Conv2d(c, d, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(d, e, 3, padding=1, groups=2)
        self.fc6 = nn.Linear(e * 2 * 1, FC[0])
        self.fc7 = nn.Linear(FC[0], FC[1])
        self.fc8 = nn.Linear(FC[1], CLASSES)
        self.layers = {}

    def forward(self, x):
        def keep(name, value):
            self.layers[name] = value
            return value

        def conv(index, x):
            return keep(f"conv{index}", F.relu(getattr(self, f"conv{index}")(x)))

        def pool(index, x):
            return keep(f"pool{index}", F.max_pool2d(x, 3, 2, ceil_mode=True))

        def norm(index, x):
            return keep(f"norm{index}", F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1.0))

        x = norm(1, pool(1, conv(1, x)))
        x = norm(2, pool(2, conv(2, x)))
        x = pool(5, conv(5, conv(4, conv(3, x))))
        x = keep("fc6", F.relu(self.fc6(x.flatten(1))))
        x = keep("fc7", F.relu(self.fc7(x)))
        return keep("fc8", self.fc8(x))


def build():
    model = AlexNet()
    randomise(model)
    with torch.no_grad():
        model.fc6.weight.mul_(0.03)  # the large input must not give large logits
    return model


if __name__ == "__main__":
    torch.manual_seed(8)
    x = 60 * torch.randn(BATCH, 3, *SIZE)
    settings = {"widths": integers(*WIDTHS), "fc": integers(*FC)}
    record("alex_net", build, x, torch.tensor([1, 3]), 1e-4, settings)
