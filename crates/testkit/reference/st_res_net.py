"""A narrow and shallow ST-ResNet* of torchvision's blocks, joined as the paper joins them; convolutions over time are
PyTorch's own in three dimensions."""

import torch
import torch.nn.functional as F
from torch import nn

from common import integers, randomise, record, set_mode

FLOW, CLASSES, BATCH, MOMENTS = 4, 3, 2, 7
SIZE = (40, 32)
WIDTH = 2
BLOCKS = (2, 3, 2, 2)
SPATIOTEMPORAL = 1


def over_time(layer, x):
    """Runs a layer for (B, C, T, H, W) on (B T, C, H, W)."""
    clips = x.unflatten(0, (BATCH, -1)).transpose(1, 2)
    return layer(clips).transpose(1, 2).flatten(0, 1)


class Unit(nn.Module):
    def __init__(self, inputs, width, stride, temporal):
        super().__init__()
        self.temporal = temporal

        def point(i, o):
            if temporal:
                return nn.Conv3d(i, o, (3, 1, 1), padding=(1, 0, 0), bias=False)
            return nn.Conv2d(i, o, 1, bias=False)

        self.conv1 = point(inputs, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = point(width, 4 * width)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = None
        if inputs != 4 * width or stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))

    def forward(self, x, entering=None):
        shortcut = x if self.downsample is None else self.downsample(x)
        run = over_time if self.temporal else (lambda layer, x: layer(x))
        y = x if entering is None else x + entering
        y = F.relu(self.bn1(run(self.conv1, y)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(run(self.conv3, y)) + shortcut)


class Stream(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, WIDTH, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTH)
        inputs = WIDTH
        for stage, count in enumerate(BLOCKS):
            width = WIDTH << stage
            units = nn.ModuleList()
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                units.append(Unit(inputs, width, stride, block == SPATIOTEMPORAL))
                inputs = 4 * width
            self.add_module(f"layer{stage + 1}", units)
        self.fc = nn.Linear(inputs, CLASSES)


class StResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.appearance = Stream(3)
        self.motion = Stream(FLOW)
        self.layers = {}

    def forward(self, x):
        """(B, T, 3 + FLOW, H, W): frames and flow."""

        def keep(name, value):
            self.layers[name] = value
            return value

        frames = x.flatten(0, 1)
        a, m = frames[:, :3], frames[:, 3:]
        a, m = (F.relu(s.bn1(s.conv1(x))) for s, x in ((self.appearance, a), (self.motion, m)))
        a, m = (F.max_pool2d(x, 3, 2, padding=1) for x in (a, m))
        for stage, count in enumerate(BLOCKS):
            layer = f"layer{stage + 1}"
            for block in range(count):
                entering = m if block == SPATIOTEMPORAL else None
                a = getattr(self.appearance, layer)[block](a, entering)
                m = getattr(self.motion, layer)[block](m)
                keep(f"appearance.{layer}.{block}.bn3", a)
                keep(f"motion.{layer}.{block}.bn3", m)
        logits = []
        for name, stream, x in (("appearance", self.appearance, a), ("motion", self.motion, m)):
            x = keep(f"{name}.maxpool_time", over_time(nn.MaxPool3d((5, 1, 1), (2, 1, 1)), x))
            x = x.mean((2, 3)).unflatten(0, (BATCH, -1)).mean(1)
            logits.append(keep(f"{name}.fc", stream.fc(keep(f"{name}.avgpool_time", x))))
        return logits


def build():
    model = StResNet()
    randomise(model)
    set_mode(model, "all")
    return model


settings = {
    "width": integers(WIDTH),
    "blocks": integers(*BLOCKS),
    "flow": integers(FLOW),
    "classes": integers(CLASSES),
}
labels = torch.arange(BATCH) % CLASSES
record("st_res_net", build, (BATCH, MOMENTS, 3 + FLOW, *SIZE), labels, 1e-3, settings)
