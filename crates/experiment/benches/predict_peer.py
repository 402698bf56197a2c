"""A video file classified with OpenCV and PyTorch, in the steps of `cargo xtask predict`.

Arguments: a folder that `cargo xtask export` wrote, OpenCV's method of flow, the number of threads. Then, a line a request:
the path of a video; answered by a line of JSON with the seconds and the probabilities of each net. OpenCV decodes (by its
own ffmpeg), scales (by areas) and estimates the flow; the networks are the same, with the same weights, and see the
same frames and crops.
"""

import json
import signal
import sys
import time

signal.signal(signal.SIGINT, signal.SIG_DFL)
import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

FOLDER, METHOD, THREADS = sys.argv[1], sys.argv[2], int(sys.argv[3])
POSITIONS = 25  # of the chart over time
cv2.setNumThreads(THREADS)
torch.set_num_threads(THREADS)
torch.set_grad_enabled(False)

FLOWS = {
    "dual-tv-l1": lambda: cv2.optflow.DualTVL1OpticalFlow_create().calc,
    "dis-medium": lambda: cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc,
}


class CnnM(nn.Module):
    """CNN-M-2048 at any width (Two-Stream ConvNets)."""

    def __init__(self, plan):
        super().__init__()
        if plan["kind"] != "cnn-m-2048" or plan["fusion"] != "early":
            raise ValueError("this peer knows the streams of Two-Stream ConvNets alone")
        widths, channels = plan["widths"], plan["channels"]

        def conv(inputs, outputs, window):
            return nn.Conv2d(inputs, outputs, window["kernel"], window["stride"], window["padding"])

        same = {"kernel": 3, "stride": 1, "padding": 1}
        self.conv1 = conv(channels, widths[0], plan["conv1"])
        self.conv2 = conv(widths[0], widths[1], plan["conv2"])
        self.conv3 = conv(widths[1], widths[2], same)
        self.conv4 = conv(widths[2], widths[3], same)
        self.conv5 = conv(widths[3], widths[4], same)
        self.full6 = nn.LazyLinear(plan["full6"])
        self.full7 = nn.Linear(plan["full6"], plan["full7"])
        self.full8 = nn.Linear(plan["full7"], plan["classes"][0])
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.norm = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
        self.second_norm = self.norm if plan["stream"] == "spatial" else nn.Identity()

    def forward(self, x):
        x = self.pool(self.norm(torch.relu(self.conv1(x))))
        x = self.pool(self.second_norm(torch.relu(self.conv2(x))))
        for layer in (self.conv3, self.conv4, self.conv5):
            x = torch.relu(layer(x))
        x = self.pool(x).flatten(1)
        x = torch.relu(self.full7(torch.relu(self.full6(x))))
        return torch.softmax(self.full8(x), 1)


class Net:
    def __init__(self, stream):
        protocol = stream["protocol"]
        self.plan, self.test = protocol["net"], protocol["test"]
        self.model = CnnM(self.plan["model"])
        side = self.plan["crop"]
        self.model(torch.zeros(1, self.plan["model"]["channels"], side, side))
        self.model.load_state_dict(load_file(f"{FOLDER}/{stream['weights']}"))
        self.model.eval()
        self.name = stream["name"]

    def length(self):
        return self.plan["input"]["flow"]["length"] if "flow" in self.plan["input"] else 0

    def read(self, frames, fields, start):
        """The input that starts at a frame, of the whole picture, and the channels whose sign a flip turns."""
        if "rgb" in self.plan["input"]:
            rgb = self.plan["input"]["rgb"]
            x = (frames[start][:, :, ::-1].astype(np.float32) - rgb["mean"]) * rgb["scale"]
            return x.transpose(2, 0, 1), []
        flow = self.plan["input"]["flow"]
        stack = np.concatenate([fields[start + k].transpose(2, 0, 1) for k in range(flow["length"])])
        if flow["mean-subtraction"]:
            stack = stack - stack.mean((1, 2), keepdims=True)
        return stack * np.float32(flow["scale"]), range(0, 2 * flow["length"], 2)

    def scores(self, frames, fields, positions, ten):
        side, views = self.plan["crop"], []
        last = len(frames) - 1 - self.length()
        count = min(positions, last + 1)
        for number in range(count):
            start = number * last // max(count - 1, 1)
            x, turned = self.read(frames, fields, start)
            bottom, right = x.shape[1] - side, x.shape[2] - side
            corners = [(0, 0), (0, right), (bottom, 0), (bottom, right)] if ten else []
            for y, z in corners + [(bottom // 2, right // 2)]:
                crop = x[:, y : y + side, z : z + side]
                views.append(crop)
                if ten:
                    mirrored = crop[:, :, ::-1].copy()
                    mirrored[list(turned)] *= -1
                    views.append(mirrored)
        batch = torch.from_numpy(np.ascontiguousarray(np.stack(views), dtype=np.float32))
        return torch.cat([self.model(part) for part in batch.split(64)])


with open(f"{FOLDER}/config.json") as file:
    NETS = [Net(stream) for stream in json.load(file)["streams"]]
SHORT_SIDE = NETS[0].plan["video"]["short-side"]


def predict(path):
    begun = time.perf_counter()
    video, frames = cv2.VideoCapture(path), []
    while True:
        read, frame = video.read()
        if not read:
            break
        scale = SHORT_SIDE / min(frame.shape[:2])
        size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
        frames.append(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
    flow, fields = FLOWS[METHOD](), []
    if any(net.length() for net in NETS):
        grey = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames]
        fields = [flow(a, b, None) for a, b in zip(grey, grey[1:])]
    prepared = time.perf_counter()
    scores = {}
    for net in NETS:
        scores[net.name] = net.scores(frames, fields, net.test["frames"], True).mean(0).tolist()
        net.scores(frames, fields, POSITIONS, False)
    done = time.perf_counter()
    return {"frames": len(frames), "preparing": prepared - begun, "networks": done - prepared, "scores": scores}


print(json.dumps({"OpenCV": cv2.__version__, "PyTorch": torch.__version__}), flush=True)
for line in sys.stdin:
    print(json.dumps(predict(line.strip())), flush=True)
