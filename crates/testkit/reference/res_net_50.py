"""A narrow and shallow ResNet of torchvision's own bottleneck blocks and names."""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.resnet import Bottleneck, conv1x1

from common import integers, randomise, record, set_mode

CHANNELS, CLASSES, BATCH = 3, 5, 4
SIZE = (56, 40)
WIDTH = 2
BLOCKS = (1, 2, 1, 1)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(CHANNELS, WIDTH, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTH)
        inputs = WIDTH
        for stage, count in enumerate(BLOCKS):
            width = WIDTH << stage
            stride = 1 if stage == 0 else 2
            blocks = []
            for block in range(count):
                downsample = None
                if block == 0:
                    downsample = nn.Sequential(conv1x1(inputs, 4 * width, stride), nn.BatchNorm2d(4 * width))
                blocks.append(Bottleneck(inputs, width, stride, downsample))
                inputs, stride = 4 * width, 1
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, CLASSES)
        self.layers = {}

    def forward(self, x):
        def keep(name, value):
            self.layers[name] = value
            return value

        x = keep("bn1", F.relu(self.bn1(self.conv1(x))))
        x = keep("maxpool", F.max_pool2d(x, 3, 2, padding=1))
        for stage, count in enumerate(BLOCKS):
            for block in range(count):
                x = getattr(self, f"layer{stage + 1}")[block](x)
                keep(f"layer{stage + 1}.{block}.bn3", x)
        x = keep("avgpool", x.mean((2, 3)))
        return keep("fc", self.fc(x))


def build(batch_statistics):
    model = ResNet()
    randomise(model)
    set_mode(model, batch_statistics)
    return model


settings = {"width": integers(WIDTH), "blocks": integers(*BLOCKS)}
labels = torch.arange(BATCH) % CLASSES
for name, batch_statistics, rate in (("batch", "all", 3e-3), ("frozen", "none", 1e-4)):
    record(f"res_net_50_{name}", lambda: build(batch_statistics), (BATCH, CHANNELS, *SIZE), labels, rate, settings)
