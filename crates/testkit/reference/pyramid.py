"""Spatiotemporal pyramids over narrow VGG-16 trunks, of torchvision's layers: all levels, and ablations of them."""

import torch
import torch.nn.functional as F
from torch import nn

from common import integers, randomise, record, set_mode

FLOW, CLASSES, BATCH, SNIPPETS = 4, 3, 3, 3
SIZE = (16, 24)
WIDTH = 2
POOLED = (True, True, True, False, False)
SKETCH, ATTENTION = 24, 4
EPSILON, ROOT_EPSILON = 1e-5, 1e-3


class Trunk(nn.Module):
    """The convolutions, with the numbers that torchvision gives them."""

    def __init__(self, channels):
        super().__init__()
        layers = []
        for convolutions, widening, pooled in zip((2, 2, 3, 3, 3), (1, 2, 4, 8, 8), POOLED):
            for _ in range(convolutions):
                layers += [nn.Conv2d(channels, WIDTH * widening, 3, padding=1), nn.ReLU()]
                channels = WIDTH * widening
            layers.append(nn.MaxPool2d(2) if pooled else nn.Identity())
        self.features = nn.Sequential(*layers)

    def forward(self, x):
        return self.features(x)


class CompactBilinear(nn.Module):
    """The sketch of the outer product of all factors at each place."""

    def __init__(self, widths):
        super().__init__()
        for i, width in enumerate(widths):
            self.register_buffer(f"bucket_{i}", torch.randint(SKETCH, (width,)).float())
            self.register_buffer(f"sign_{i}", torch.randint(2, (width,)) * 2.0 - 1)

    def forward(self, factors):
        """Maps (B, C, H, W) to (B, d, H, W)."""
        product = None
        for i, x in enumerate(factors):
            bucket, sign = getattr(self, f"bucket_{i}").long(), getattr(self, f"sign_{i}")
            sketch = (F.one_hot(bucket, SKETCH).to(x.dtype) * sign[:, None].to(x.dtype)).t()
            spectrum = torch.fft.rfft(torch.einsum("dc,bchw->bdhw", sketch, x), dim=1)
            product = spectrum if product is None else product * spectrum
        return torch.fft.irfft(product, SKETCH, dim=1)


class Pyramid(nn.Module):
    def __init__(self, head, fusion, snippets):
        super().__init__()
        width = 8 * WIDTH
        self.head, self.fusion, self.snippets = head, fusion, snippets
        self.temporal = Trunk(FLOW)
        motion = {"concatenation": width * snippets, "sum": width, "compact-bilinear": SKETCH}[fusion]
        if fusion == "compact-bilinear":
            self.motion = CompactBilinear([width] * snippets)
        features = motion
        if head != "motion":
            self.spatial = Trunk(3)
        if head in ("attended", "pyramid"):
            self.guidance = CompactBilinear([width, motion])
            self.add_module("attention", nn.ModuleList([nn.Conv2d(SKETCH, ATTENTION, 1), nn.Conv2d(ATTENTION, 1, 1)]))
            features = width
        if head in ("fused", "pyramid"):
            self.fused = CompactBilinear([width, motion] if head == "fused" else [width, width, motion])
            features = SKETCH
        self.fc = nn.Linear(features, CLASSES)
        self.layers = {}

    def forward(self, x):
        """(B, 3 + T FLOW, H, W): a frame, and the snippets of flow."""

        def keep(name, value):
            self.layers[name] = value
            return value

        def normalised(name, x):
            keep(name, x)
            x = keep(f"{name}_sqrt", x.sign() * ((x.abs() + ROOT_EPSILON).sqrt() - ROOT_EPSILON**0.5))
            return keep(f"{name}_norm", x / (x.pow(2).mean(1, keepdim=True) + EPSILON).sqrt())

        snippets = self.temporal(x[:, 3:].unflatten(1, (self.snippets, FLOW)).flatten(0, 1))
        snippets = keep("temporal.features.28", snippets).unflatten(0, (-1, self.snippets))
        if self.fusion == "compact-bilinear":
            motion = self.motion(list(snippets.unbind(1)))
            if self.head == "motion":
                motion = motion.mean((2, 3))
            motion = normalised("motion", motion)
        else:
            motion = keep("motion", snippets.flatten(1, 2) if self.fusion == "concatenation" else snippets.sum(1))
            if self.head == "motion":
                motion = keep("global_pool", motion.mean((2, 3)))
        features = motion
        if self.head != "motion":
            visual = keep("spatial.features.28", self.spatial(x[:, :3]))
            joined = [visual]
            if self.head != "fused":
                guidance = normalised("guidance", self.guidance([visual, motion]))
                scores = keep("attention.1", self.attention[1](F.relu(self.attention[0](guidance))))
                weights = keep("attention", scores.flatten(1).softmax(1).view_as(scores))
                features = keep("attended", (weights * visual).sum((2, 3)))
                joined.append(features[:, :, None, None].expand_as(visual))
            if self.head != "attended":
                features = normalised("fused", self.fused([*joined, motion]).mean((2, 3)))
        return keep("fc", self.fc(features))


def build(head, fusion, snippets):
    model = Pyramid(head, fusion, snippets)
    randomise(model)
    set_mode(model, "none")
    return model


if __name__ == "__main__":
    labels = torch.arange(BATCH) % CLASSES
    for name, head, fusion, snippets in (
        ("all", "pyramid", "compact-bilinear", SNIPPETS),
        ("attended", "attended", "concatenation", SNIPPETS),
        ("fused", "fused", "concatenation", 1),
        ("sum", "motion", "sum", SNIPPETS),
    ):
        settings = {
            "width": integers(WIDTH),
            "snippets": integers(snippets),
            "flow": integers(FLOW),
            "classes": integers(CLASSES),
            "sketch": integers(SKETCH),
            "attention": integers(ATTENTION),
        }
        shape = (BATCH, 3 + snippets * FLOW, *SIZE)
        record(f"pyramid_{name}", lambda: build(head, fusion, snippets), shape, labels, 1e-3, settings)
