"""A narrow BN-Inception, layer by layer from bn_inception.tsv."""

import csv
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from common import integers, randomise, record, set_mode

CHANNELS, CLASSES, BATCH = 3, 5, 8
SIZE = (64, 64)  # even before each block that halves
DIVISOR = 32

TABLE = Path(__file__).resolve().parent / "bn_inception.tsv"


class BnInception(nn.Module):
    def __init__(self, channels=CHANNELS, classes=CLASSES, divisor=DIVISOR):
        super().__init__()
        with TABLE.open() as table:
            self.rows = list(csv.DictReader(table, delimiter="\t"))
        width = {"data": channels}
        for row in self.rows:
            name, inputs = row["layer"], row["inputs"].split(",")
            width[name] = sum(width[i] for i in inputs)
            if row["kind"] == "conv+bn+relu":
                kernel, stride, pad = (int(row[key]) for key in ("kernel", "stride", "pad"))
                before, width[name] = width[name], int(row["channels_out"]) // divisor
                self.add_module(name, nn.Conv2d(before, width[name], kernel, stride, pad))
                self.add_module(f"{name}_bn", nn.BatchNorm2d(width[name]))
            elif row["kind"] == "linear":
                self.add_module(name, nn.Linear(width[name], classes))
        self.layers = {}

    def forward(self, x):
        maps = {"data": x}
        for row in self.rows:
            name, kind = row["layer"], row["kind"]
            inputs = [maps[i] for i in row["inputs"].split(",")]
            x = inputs[0]
            if kind == "conv+bn+relu":
                x = F.relu(getattr(self, f"{name}_bn")(getattr(self, name)(x)))
            elif kind == "concat":
                x = torch.cat(inputs, 1)
            elif kind == "linear":
                x = getattr(self, name)(x)
            elif name == "global_pool":
                x = x.mean((2, 3))
            elif kind.endswith("_pool"):
                pool = {"max_pool": F.max_pool2d, "ave_pool": F.avg_pool2d}[kind]
                kernel, stride, pad = (int(row[key]) for key in ("kernel", "stride", "pad"))
                x = pool(x, kernel, stride, pad, ceil_mode=True)
            maps[name] = x
            if kind == "concat" or name.startswith("pool") or kind == "linear":
                self.layers[name] = x
        return x


def build(batch_statistics):
    model = BnInception()
    randomise(model)
    set_mode(model, batch_statistics)
    return model


if __name__ == "__main__":
    settings = {"width-divisor": integers(DIVISOR)}
    labels = torch.arange(BATCH) % CLASSES
    for name, batch_statistics, rate in (("batch", "all", 1e-4), ("partial", "first", 1e-3)):
        record(
            f"bn_inception_{name}", lambda: build(batch_statistics), (BATCH, CHANNELS, *SIZE), labels, rate, settings
        )
