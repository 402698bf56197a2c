"""Two branches of a narrow AlexNet with one set of weights, trained on pairs: a softmax loss on every picture and the
contrastive loss of each pair's fc7, in both forms.

Pictures of a pair stand one below the other in `x`. Here they go through two calls of the network, and PyTorch adds their
gradients up.
"""

import copy

import torch
import torch.nn.functional as F

from alex_net import CLASSES, FC, SIZE, WIDTHS, build
from common import integers, values, write

PAIRS = 4
SIMILAR = [1, 0, 0, 0]
LABELS = [2, 2, 0, 3, 1, 4, 4, 0]
# Margin and weight; one dissimilar pair starts beyond its margin, two within.
FORMS = {"l1": (0.8, 1.0), "l2": (0.5, 2.0)}
RATE = 3e-4


def loss_of(model, x, form):
    margin, weight = FORMS[form]
    logits, features = [], []
    for branch in (x[0::2], x[1::2]):
        logits.append(model(branch))
        features.append(model.layers["fc7"])
    labels = torch.tensor(LABELS)
    softmax = (F.cross_entropy(logits[0], labels[0::2]) + F.cross_entropy(logits[1], labels[1::2])) / 2
    difference = features[0] - features[1]
    distance = difference.abs().sum(1) if form == "l1" else difference.norm(dim=1)
    apart = (margin - distance).clamp(min=0).square()
    contrastive = torch.where(torch.tensor(SIMILAR) == 1, difference.square().sum(1), apart).mean()
    return softmax + weight * contrastive, distance, contrastive


torch.manual_seed(11)
model = build().double()
x = 60 * torch.randn(2 * PAIRS, 3, *SIZE).double()
out = {"x": x, "labels": integers(*LABELS), "similar": integers(*SIMILAR), "widths": integers(*WIDTHS), "fc": integers(*FC)}
out |= {"classes": integers(CLASSES), "rate": torch.tensor([RATE])}
out |= {f"start.{key}": value for key, value in values(model).items()}
for form, (margin, weight) in FORMS.items():
    net = copy.deepcopy(model)
    optimiser = torch.optim.SGD(net.parameters(), lr=RATE, momentum=0.9, weight_decay=5e-4)
    losses = []
    for step in range(10):
        optimiser.zero_grad()
        loss, distance, contrastive = loss_of(net, x, form)
        loss.backward()
        if step == 0:
            print(form, "distances", [round(d, 3) for d in distance.tolist()], "contrastive", round(contrastive.item(), 3))
            out |= {f"{form}.grad.{key}": value.grad.clone() for key, value in net.named_parameters()}
        losses.append(loss.detach())
        optimiser.step()
    print(form, [round(loss.item(), 4) for loss in losses])
    out[f"{form}.scale"] = torch.tensor([margin, weight])
    out[f"{form}.losses"] = torch.stack(losses)
    out |= {f"{form}.end.{key}": value for key, value in values(net).items() if value.dim() == 1}
write("siamese", out)
