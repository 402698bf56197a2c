"""The cases of `cargo xtask bench` in plain PyTorch, run when told to.

The talk is one JSON object a line, as crates/testkit/src/bench.rs describes it. Networks and
operations are written as one would write them for training; nothing is tuned, and PyTorch's
defaults stay as they are. The argument is a JSON object:

| key | value |
|---|---|
| `threads` | their number |
| `layout` | of feature maps: `nchw`, the default of PyTorch, or `channels-last` |
| `compile` | whether networks are run through `torch.compile` |
| `device` | `cpu` or `cuda:N` |
| `precision` | of products on a GPU: `fp32` or `tf32` |
"""

import json
import signal
import sys
import time


def say(answer):
    print(json.dumps(answer), flush=True)


def refuse(problem):
    say({"error": problem})
    sys.exit(1)


signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a trace
try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except Exception as problem:
    refuse(
        f"cannot import torch: {problem}; install it with `{sys.executable} -m pip install torch`, "
        "or name another interpreter"
    )


def opened(device, precision):
    """The device, set up; a GPU only if PyTorch can compute on it."""
    device = torch.device(device)
    if device.type == "cpu":
        return device
    if torch.version.cuda is None:
        refuse(
            f"PyTorch {torch.__version__} was built without CUDA; install one with it "
            "(https://pytorch.org/get-started), or name another interpreter"
        )
    if not torch.cuda.is_available():
        refuse(
            f"PyTorch {torch.__version__} finds no GPU that it can use; see `nvidia-smi`: a driver for "
            f"CUDA {torch.version.cuda} or later is needed"
        )
    if device.index >= torch.cuda.device_count():
        refuse(
            f"there is no GPU number {device.index}: PyTorch sees {torch.cuda.device_count()}; "
            "see `nvidia-smi -L` and CUDA_VISIBLE_DEVICES"
        )
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = False
    try:
        torch.cuda.set_device(device)
        torch.zeros(1, device=device).add_(1).item()
    except Exception as problem:
        refuse(f"PyTorch {torch.__version__} cannot compute on {device}: {problem}")
    return device


SETTINGS = json.loads(sys.argv[1])
FORMAT = torch.channels_last if SETTINGS["layout"] == "channels-last" else torch.contiguous_format
DEVICE = opened(SETTINGS["device"], SETTINGS["precision"])
ON_GPU = SETTINGS["device"] != "cpu"
torch.set_num_threads(SETTINGS["threads"])


def waited(*phases):
    """What runs these and then waits for the GPU."""

    def run():
        for phase in phases:
            phase()
        torch.cuda.synchronize(DEVICE)

    return run


def noise(*shape):
    """Uniform in -1..1; feature maps and windows in the layout asked for."""
    x = torch.rand(*shape, device=DEVICE) * 2 - 1
    return x.to(memory_format=FORMAT) if len(shape) == 4 else x


# Single operations.


class Applied:
    """A function of tensors, and the gradients of them all."""

    def __init__(self, function, *inputs):
        self.function, self.inputs = function, [x.requires_grad_() for x in inputs]
        self.output = self.function(*self.inputs)
        self.gradient = torch.rand_like(self.output)
        self.phases = [self.forward, self.backward]

    def sizes(self):
        return [sum(x.numel() for x in self.inputs), self.output.numel()]

    def forward(self):
        self.output = None
        self.output = self.function(*self.inputs)

    def backward(self):
        torch.autograd.grad(self.output, self.inputs, self.gradient)


class Update:
    """One step of SGD on one parameter."""

    def __init__(self, rows, columns, rate, momentum, weight_decay):
        self.parameter = nn.Parameter(noise(rows, columns))
        self.parameter.grad = noise(rows, columns)
        self.optimiser = torch.optim.SGD(
            [self.parameter], lr=rate, momentum=momentum, weight_decay=weight_decay
        )
        self.phases = [self.optimiser.step]

    def sizes(self):
        return [self.parameter.numel()]


def conv(input, outputs, kernel, stride, padding, groups):
    def convolve(x, weight, bias):
        return F.conv2d(x, weight, bias, stride, padding, groups=groups)

    weight = noise(outputs, input[1] // groups, *kernel)
    return Applied(convolve, noise(*input), weight, noise(outputs))


def max_pool(input, kernel, stride, padding):
    return Applied(lambda x: F.max_pool2d(x, kernel, stride, padding, ceil_mode=True), noise(*input))


def avg_pool(input, kernel, stride, padding):
    return Applied(lambda x: F.avg_pool2d(x, kernel, stride, padding, ceil_mode=True), noise(*input))


def lrn(input, size, alpha, beta, k):
    return Applied(lambda x: F.local_response_norm(x, size, alpha, beta, k), noise(*input))


def batch_norm_relu(input, epsilon):
    channels = input[1]
    mean, variance = torch.zeros(channels), torch.ones(channels)

    def normalise(x, scale, shift):
        y = F.batch_norm(x, mean, variance, scale, shift, training=True, eps=epsilon)
        return F.relu(y, inplace=True)

    return Applied(normalise, noise(*input), noise(channels), noise(channels))


def compact_bilinear(input, size):
    fusion = Fusion([input[1]] * 2, size)

    def fuse(a, b):
        return fusion(*(x.flatten(2).transpose(1, 2) for x in (a, b))).mean(1)

    return Applied(fuse, noise(*input), noise(*input))


def outer_product(input):
    batch, channels, height, width = input
    places = height * width
    inputs = [torch.rand(batch, places, channels) for _ in range(2)]
    return Applied(lambda a, b: a.transpose(1, 2) @ b / places, *inputs)


def linear(batch, inputs, outputs):
    return Applied(F.linear, noise(batch, inputs), noise(outputs, inputs), noise(outputs))


def cross_entropy(batch, classes):
    labels = torch.arange(batch) % classes
    return Applied(lambda logits: F.cross_entropy(logits, labels), noise(batch, classes))


# Networks.


def pool():
    return nn.MaxPool2d(3, 2, ceil_mode=True)


def relu():
    return nn.ReLU(inplace=True)


def classifier(layers, shape, hidden, network):
    """Appends the fully connected layers; what reaches them is found by running the others."""
    with torch.no_grad():
        features = nn.Sequential(*layers)(torch.zeros(1, *shape)).numel()
    layers.append(nn.Flatten())
    for outputs in hidden:
        layers += [nn.Linear(features, outputs), relu(), nn.Dropout(network["dropout"])]
        features = outputs
    return nn.Sequential(*layers, nn.Linear(features, classes_of(network)))


def classes_of(network):
    """Of the one task that a benchmark trains; some networks may have several."""
    classes = network.get("base", network)["classes"]
    return classes[0] if isinstance(classes, list) else classes


def cnn_m(network):
    """CNN-M-2048, either stream."""
    windows = [network["conv1"], network["conv2"]] + [{"kernel": 3, "stride": 1, "padding": 1}] * 3
    norms = {"spatial": [0, 1], "temporal": [0]}[network["stream"]]
    layers, channels = [], network["channels"]
    for index, (outputs, window) in enumerate(zip(network["widths"], windows)):
        layers += [nn.Conv2d(channels, outputs, window["kernel"], window["stride"], window["padding"]), relu()]
        if index in norms:
            layers.append(nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0))
        if index in (0, 1, 4):
            layers.append(pool())
        channels = outputs
    shape = (network["channels"], *network["input"])
    return classifier(layers, shape, [network["full6"], network["full7"]], network)


def alexnet(network):
    """Caffe's reference model: pools before it normalises, conv2, conv4 and conv5 in two groups."""
    a, b, c, d, e = network["widths"]
    first = network["conv1"]

    def norm():
        return nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)

    conv1 = nn.Conv2d(network["channels"], a, first["kernel"], first["stride"], first["padding"])
    layers = [conv1, relu(), pool(), norm()]
    layers += [nn.Conv2d(a, b, 5, padding=2, groups=2), relu(), pool(), norm()]
    layers += [nn.Conv2d(b, c, 3, padding=1), relu()]
    layers += [nn.Conv2d(c, d, 3, padding=1, groups=2), relu()]
    layers += [nn.Conv2d(d, e, 3, padding=1, groups=2), relu(), pool()]
    shape = (network["channels"], *network["input"])
    return classifier(layers, shape, [network["fc6"], network["fc7"]], network)


class OverTime(nn.Module):
    """A convolution over the moments of clips that stand side by side in the batch."""

    def __init__(self, inputs, outputs, kernel, moments):
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, (kernel, 1, 1), padding=(kernel // 2, 0, 0), bias=False)
        self.moments = moments

    def forward(self, x):
        clips = x.unflatten(0, (-1, self.moments)).transpose(1, 2)
        return self.conv(clips).transpose(1, 2).flatten(0, 1)


class Bottleneck(nn.Module):
    """As in torchvision: the 3x3 convolution has the stride. With moments, the others look along time."""

    def __init__(self, inputs, width, stride, kernel=1, moments=1):
        super().__init__()
        outputs = 4 * width

        def point(i, o):
            return nn.Conv2d(i, o, 1, bias=False) if kernel == 1 else OverTime(i, o, kernel, moments)

        self.conv1, self.bn1 = point(inputs, width), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = point(width, outputs), nn.BatchNorm2d(outputs)
        self.relu, self.downsample = relu(), None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x, entering=None):
        shortcut = x if self.downsample is None else self.downsample(x)
        y = x if entering is None else x + entering
        y = self.relu(self.bn1(self.conv1(y)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += shortcut
        return self.relu(y)


def first(channels, network):
    """The convolution that reads the input."""
    window = network["conv1"]
    return nn.Conv2d(
        channels, network["width"], window["kernel"], window["stride"], window["padding"], bias=False
    )


def resnet_50(network):
    width = channels = network["width"]
    layers = [first(network["channels"], network), nn.BatchNorm2d(width), relu()]
    layers.append(nn.MaxPool2d(3, 2, 1))
    for stage, blocks in enumerate(network["blocks"]):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            layers.append(Bottleneck(channels, width << stage, stride))
            channels = 4 * (width << stage)
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(network["dropout"])]
    return nn.Sequential(*layers, nn.Linear(channels, network["classes"]))


class StResNet(nn.Module):
    """Both streams; what the motion stream's second unit of a stage reads is added to what the other's reads."""

    def __init__(self, network):
        super().__init__()
        if network["temporal-pool"] is not None:
            raise ValueError("the maximum over time is not written here")
        self.moments = network["moments"]
        kernel, classes = network["temporal-kernel"], network["classes"]
        for stream, channels in (("rgb", 3), ("flow", network["flow-channels"])):
            width = network["width"]
            layers = [first(channels, network), nn.BatchNorm2d(width), relu()]
            layers.append(nn.MaxPool2d(3, 2, 1))
            units, inputs = nn.ModuleList(), width
            for stage, blocks in enumerate(network["blocks"]):
                for block in range(blocks):
                    stride = 2 if stage > 0 and block == 0 else 1
                    along = kernel if block == 1 else 1
                    units.append(Bottleneck(inputs, width << stage, stride, along, self.moments))
                    inputs = 4 * (width << stage)
            self.add_module(stream, nn.ModuleDict(
                {"stem": nn.Sequential(*layers), "units": units, "fc": nn.Linear(inputs, classes)}
            ))
        self.enters = [block == 1 for blocks in network["blocks"] for block in range(blocks)]

    def forward(self, rgb, flow):
        a, m = self.rgb["stem"](rgb), self.flow["stem"](flow)
        for enters, of_a, of_m in zip(self.enters, self.rgb["units"], self.flow["units"]):
            a, m = of_a(a, m if enters else None), of_m(m)
        features = [x.mean((2, 3)).unflatten(0, (-1, self.moments)).mean(1) for x in (a, m)]
        return [self.rgb["fc"](features[0]), self.flow["fc"](features[1])]


def normalised(inputs, outputs, kernel, stride=1, padding=0):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.BatchNorm2d(outputs), relu()
    )


class Inception(nn.Module):
    """Four branches of one input, joined. A block without the first, 1x1, halves the size
    and does not convolve what it pools."""

    def __init__(self, inputs, one, reduced, three, double_reduced, double, average, projected, whole=False):
        super().__init__()
        stride = 1 if one or whole else 2
        self.branches = nn.ModuleList()
        if one:
            self.branches.append(normalised(inputs, one, 1))
        self.branches.append(
            nn.Sequential(normalised(inputs, reduced, 1), normalised(reduced, three, 3, stride, 1))
        )
        self.branches.append(
            nn.Sequential(
                normalised(inputs, double_reduced, 1),
                normalised(double_reduced, double, 3, 1, 1),
                normalised(double, double, 3, stride, 1),
            )
        )
        if not one:
            self.branches.append(nn.MaxPool2d(3, 1, 1) if whole else pool())
        else:
            pooled = nn.AvgPool2d(3, 1, 1) if average else nn.MaxPool2d(3, 1, 1)
            self.branches.append(nn.Sequential(pooled, normalised(inputs, projected, 1)))
        self.outputs = (one or inputs) + three + double + projected

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


# 1x1; 3x3: reduced, 3x3; double 3x3: reduced, both; whether the pooling averages, and its 1x1.
INCEPTION = [
    (64, 64, 64, 64, 96, True, 32),  # 3a
    (64, 64, 96, 64, 96, True, 64),
    (0, 128, 160, 64, 96, False, 0),
    (224, 64, 96, 96, 128, True, 128),  # 4a
    (192, 96, 128, 96, 128, True, 128),
    (160, 128, 160, 128, 160, True, 128),
    (96, 128, 192, 160, 192, True, 128),
    (0, 128, 192, 192, 256, False, 0),
    (352, 192, 320, 160, 224, True, 128),  # 5a
    (352, 192, 320, 192, 224, False, 128),
]


def inception_trunk(channels, network):
    """The layers up to the last feature map, of 1024 channels or an even part of them."""
    part, small = network["width-divisor"], network["stem"] == "small"
    layers = [normalised(channels, 64 // part, *((5, 2, 2) if small else (7, 2, 3)))]
    layers += [] if small else [pool()]
    channels = 192 // part
    layers += [normalised(64 // part, 64 // part, 1), normalised(64 // part, channels, 3, 1, 1), pool()]
    for at, (one, reduced, three, double_reduced, double, average, projected) in enumerate(INCEPTION):
        widths = [width // part for width in (one, reduced, three, double_reduced, double)]
        whole = small and at == 7  # 4e
        layers.append(Inception(channels, *widths, average, projected // part, whole))
        channels = layers[-1].outputs
    return nn.Sequential(*layers)


def bn_inception(network):
    layers = [inception_trunk(network["channels"], network), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    layers.append(nn.Dropout(network["dropout"]))
    return nn.Sequential(*layers, nn.Linear(1024 // network["width-divisor"], network["classes"]))


class Fusion(nn.Module):
    """The sketch of the outer product at each place, by PyTorch's Fourier transform."""

    def __init__(self, widths, size):
        super().__init__()
        self.size = size
        for at, width in enumerate(widths):
            self.register_buffer(f"bucket_{at}", torch.randint(size, (width,)))
            self.register_buffer(f"sign_{at}", torch.randint(2, (width,)) * 2.0 - 1)

    def forward(self, *factors):
        """(B, P, C) each, to (B, P, d)."""
        product = None
        for at, x in enumerate(factors):
            signed = x * getattr(self, f"sign_{at}")
            sketch = x.new_zeros(*x.shape[:2], self.size).index_add(2, getattr(self, f"bucket_{at}"), signed)
            spectrum = torch.fft.rfft(sketch)
            product = spectrum if product is None else product * spectrum
        return torch.fft.irfft(product, self.size)


class Pyramid(nn.Module):
    """All levels: snippets, attention, and the fusion of both streams."""

    def __init__(self, network):
        super().__init__()
        base, size = network["base"], network["sketch"]
        if base["kind"] != "bn-inception" or network["head"] != "pyramid" or network["snippets"] < 2:
            raise ValueError("only all levels over BN-Inception and several snippets are written here")
        self.snippets, width = network["snippets"], 1024 // base["width-divisor"]
        self.spatial = inception_trunk(3, base)
        self.temporal = inception_trunk(network["flow-channels"], base)
        self.motion = Fusion([width] * self.snippets, size)
        self.guidance = Fusion([width, size], size)
        hidden = network["attention"]
        self.attention = nn.Sequential(nn.Conv2d(size, hidden, 1), relu(), nn.Conv2d(hidden, 1, 1))
        self.fused = Fusion([width, width, size], size)
        self.head = nn.Sequential(nn.Dropout(base["dropout"]), nn.Linear(size, base["classes"]))

    @staticmethod
    def normalised(x):
        x = x.sign() * ((x.abs() + 1e-3).sqrt() - 1e-3**0.5)
        return x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()

    def forward(self, rgb, flow):
        def places(x):
            return x.flatten(2).transpose(1, 2)

        visual = places(self.spatial(rgb))
        snippets = places(self.temporal(flow)).unflatten(0, (-1, self.snippets))
        motion = self.normalised(self.motion(*snippets.unbind(1)))
        guidance = self.normalised(self.guidance(visual, motion))
        scores = self.attention(guidance.transpose(1, 2).unsqueeze(3)).flatten(1)
        attended = (scores.softmax(1).unsqueeze(2) * visual).sum(1, keepdim=True)
        fused = self.fused(visual, attended.expand_as(visual), motion).mean(1)
        return self.head(self.normalised(fused))


class Step:
    """A whole training step, as PyTorch's tutorials write it.

    A GPU is waited for after each phase; a last phase is all the others with one wait.
    """

    def __init__(self, network, batch, inputs, rate, momentum, **settings):
        self.network = NETWORKS[network["kind"]](network).to(DEVICE, memory_format=FORMAT).train()
        self.apply = torch.compile(self.network) if SETTINGS["compile"] else self.network
        self.parameters = list(self.network.parameters())
        self.shapes, classes = inputs, classes_of(network)
        self.x, self.labels = frames(batch, inputs), torch.arange(batch, device=DEVICE) % classes
        self.loss = None
        self.optimiser = torch.optim.SGD(
            self.parameters, lr=rate, momentum=momentum, weight_decay=settings["weight-decay"]
        )
        phases = [self.forward, self.backward, self.optimiser.step]
        self.phases = [*map(waited, phases), waited(*phases)] if ON_GPU else phases

    def sizes(self):
        return [sum(p.numel() for p in self.parameters), multiply_adds(self.network, self.shapes)]

    def forward(self):
        self.optimiser.zero_grad(set_to_none=True)
        answers = self.apply(*self.x)
        heads = answers if isinstance(answers, list) else [answers]
        self.loss = sum(F.cross_entropy(logits, self.labels) for logits in heads)

    def backward(self):
        self.loss.backward()
        self.loss = None


def frames(batch, inputs):
    """Noise for each input (C, H, W); of clips (C, T, H, W) all frames side by side in the batch."""
    return [noise(batch * shape[1] if len(shape) == 4 else batch, shape[0], *shape[-2:]) for shape in inputs]


def multiply_adds(network, shapes):
    """Of the convolutions and fully connected layers, for one sample."""
    total = 0

    def count(layer, _inputs, output):
        nonlocal total
        places = output.numel() // output.shape[1] if output.dim() > 2 else 1
        total += layer.weight.numel() * places

    layers = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Conv3d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        network.eval()(*frames(1, shapes))
    network.train()
    for hook in hooks:
        hook.remove()
    return total


NETWORKS = {
    "cnn-m-2048": cnn_m,
    "alexnet": alexnet,
    "resnet-50": resnet_50,
    "st-resnet": StResNet,
    "bn-inception": bn_inception,
    "pyramid": Pyramid,
}
CASES = {
    "conv": conv,
    "max-pool": max_pool,
    "avg-pool": avg_pool,
    "lrn": lrn,
    "batch-norm-relu": batch_norm_relu,
    "linear": linear,
    "cross-entropy": cross_entropy,
    "compact-bilinear": compact_bilinear,
    "outer-product": outer_product,
    "sgd": Update,
    "step": Step,
}


# The talk.


def run(work, times):
    """Mean seconds of each phase; several runs follow one that does not count."""
    seconds = [0.0] * len(work.phases)
    idle = 1 if times > 1 else 0
    for turn in range(times + idle):
        for index, phase in enumerate(work.phases):
            begun = time.perf_counter()
            phase()
            if turn >= idle:
                seconds[index] += (time.perf_counter() - begun) / times
    return seconds


def peak_kib():
    """The most memory that the tensors on the GPU took, or that this process had resident; None where
    the system does not tell."""
    if ON_GPU:
        return torch.cuda.max_memory_allocated(DEVICE) // 1024
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return None


def answer(request):
    global work
    if request["do"] == "prepare":
        work = None
        facts = dict(request["case"]["facts"])
        work = CASES[facts.pop("op")](**facts)
        return {"sizes": work.sizes()}
    if request["do"] == "run":
        return {"seconds": run(work, request["times"])}
    if request["do"] == "memory":
        return {"peak_kib": peak_kib()}
    return {"error": f"unknown request {request}"}


def greeting():
    versions, gpu = {"PyTorch": torch.__version__}, None
    if ON_GPU:
        number, gpu = torch.backends.cudnn.version() or 0, torch.cuda.get_device_name(DEVICE)
        versions["PyTorch's CUDA"] = torch.version.cuda
        versions["PyTorch's cuDNN"] = f"{number // 10000}.{number % 10000 // 100}.{number % 100}"
    return {"versions": versions, "threads": torch.get_num_threads(), "gpu": gpu}


torch.manual_seed(1)
work = None
say(greeting())
for line in sys.stdin:
    try:
        say(answer(json.loads(line)))
    except Exception as problem:
        say({"error": f"{type(problem).__name__}: {problem}"})
