"""Temporal Segment Networks over a narrow VGG-16 of torchvision's layers: every consensus."""

import torch
import torch.nn.functional as F
from torch import nn

from common import integers, randomise, record, set_mode

FLOW, CLASSES, BATCH, SEGMENTS = 4, 3, 3, 3
SIZE = (16, 24)
WIDTH, FULL = 2, 6
POOLED = (True, True, True, False, False)


class Consensus(nn.Module):
    """One weight a segment, or one a feature."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)


class Segments(nn.Module):
    def __init__(self, consensus):
        super().__init__()
        layers, channels = [], FLOW
        for convolutions, widening, pooled in zip((2, 2, 3, 3, 3), (1, 2, 4, 8, 8), POOLED):
            for _ in range(convolutions):
                layers += [nn.Conv2d(channels, WIDTH * widening, 3, padding=1), nn.ReLU()]
                channels = WIDTH * widening
            layers.append(nn.MaxPool2d(2) if pooled else nn.Identity())
        self.features = nn.Sequential(*layers)
        places = SIZE[0] // 8 * (SIZE[1] // 8)
        self.classifier = nn.ModuleDict(
            {
                "0": nn.Linear(channels * places, FULL),
                "3": nn.Linear(FULL, FULL),
                "6": nn.Linear(FULL, CLASSES),
            }
        )
        self.kind = consensus
        if consensus == "weighted":
            self.consensus = Consensus(torch.tensor([0.6, 0.1, 0.4]))
        if consensus == "attention":
            self.consensus = Consensus(torch.randn(1, FULL))
        self.layers = {}

    def forward(self, x):
        """(B, K FLOW, H, W): the snippets of flow."""
        x = self.features(x.unflatten(1, (SEGMENTS, FLOW)).flatten(0, 1)).flatten(1)
        x = F.relu(self.classifier["0"](x))
        features = F.relu(self.classifier["3"](x))
        scores = self.classifier["6"](features)
        self.layers["classifier.6"] = scores
        self.layers["features"] = features.unflatten(0, (-1, SEGMENTS)).mean(1)
        each = scores.unflatten(0, (-1, SEGMENTS))
        if self.kind == "average":
            joined = each.mean(1)
        elif self.kind == "maximum":
            joined = each.max(1).values
        elif self.kind == "weighted":
            joined = (each * self.consensus.weight[None, :, None]).sum(1)
        elif self.kind == "top":
            joined = each.topk(2, dim=1).values.mean(1)
        else:
            energies = (features @ self.consensus.weight.t()).unflatten(0, (-1, SEGMENTS))
            joined = (each * energies.softmax(1)).sum(1)
        self.layers["consensus"] = joined
        return joined


def build(consensus):
    model = Segments(consensus)
    randomise(model)
    set_mode(model, "none")
    return model


if __name__ == "__main__":
    labels = torch.arange(BATCH) % CLASSES
    for consensus in ("average", "maximum", "weighted", "top", "attention"):
        settings = {
            "width": integers(WIDTH),
            "full": integers(FULL),
            "segments": integers(SEGMENTS),
            "flow": integers(FLOW),
            "classes": integers(CLASSES),
        }
        shape = (BATCH, SEGMENTS * FLOW, *SIZE)
        record(f"segments_{consensus}", lambda: build(consensus), shape, labels, 1e-2, settings)
