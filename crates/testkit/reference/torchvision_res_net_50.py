"""torchvision's own ResNet-50: the names and shapes of its state, and a state of a thirty-second
of its width with the logits that it gives."""

import torch
from torch import nn
from torchvision.models import resnet50

from common import FIXTURES, integers, noise, randomise, write

NAME = "torchvision_res_net_50"
DIVISOR, CLASSES = 32, 7
SHAPE = (2, 3, 64, 48)


def narrow(module):
    """Replaces every layer by one with fewer channels; the structure stays torchvision's."""
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            inputs = 3 if child.in_channels == 3 else child.in_channels // DIVISOR
            layer = nn.Conv2d(
                inputs, child.out_channels // DIVISOR, child.kernel_size, child.stride, child.padding, bias=False
            )
            setattr(module, name, layer)
        elif isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.BatchNorm2d(child.num_features // DIVISOR))
        elif isinstance(child, nn.Linear):
            setattr(module, name, nn.Linear(child.in_features // DIVISOR, CLASSES))
        else:
            narrow(child)


with (FIXTURES / f"{NAME}.tsv").open("w") as out:
    for name, value in resnet50(weights=None).state_dict().items():
        print(name, "x".join(map(str, value.shape)), str(value.dtype).removeprefix("torch."), sep="\t", file=out)

torch.manual_seed(1)
model = resnet50(weights=None)
narrow(model)
randomise(model)
for module in model.modules():
    if isinstance(module, nn.BatchNorm2d):
        module.num_batches_tracked.fill_(1000)
write(NAME, model.state_dict())

with torch.no_grad():
    logits = model.double().eval()(noise(1, *SHAPE).double())
print(logits)
write(f"{NAME}_logits", {"shape": integers(*SHAPE), "width": integers(64 // DIVISOR), "logits": logits})
