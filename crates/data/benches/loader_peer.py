"""The loader that `benches/loader.rs` is measured against: PyTorch and OpenCV on the layout of TSN.

Reads one line of JSON with the clips and sizes, then a line for each turn, and answers each with a line.
Every sample is one stack: 2 x length gray JPEG files through `cv2.imread`, one random start, crop and
flip, the mean of each picture subtracted, float32. Workers are as PyTorch recommends: processes of one
thread each, two batches ahead of each.
"""

import json
import sys
import time

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


class Stacks(Dataset):
    def __init__(self, job):
        self.clips = [clip for clip in job["clips"] if clip["pairs"] >= job["length"]]
        self.length, self.crop = job["length"], job["crop"]
        self.step = np.float32(2 * job["bound"] / 255)

    def __len__(self):
        return 1 << 40

    def __getitem__(self, index):
        random = np.random.default_rng(index)
        label = int(random.integers(len(self.clips)))
        clip = self.clips[label]
        start = int(random.integers(clip["pairs"] - self.length + 1))
        flip = bool(random.integers(2))
        out = np.empty((2 * self.length, self.crop, self.crop), np.float32)
        place = None
        for k in range(self.length):
            for c, name in enumerate("xy"):
                path = f"{clip['folder']}/{name}_{start + k + 1:05d}.jpg"
                picture = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
                if place is None:
                    height, width = picture.shape
                    x = int(random.integers(width - self.crop + 1))
                    y = int(random.integers(height - self.crop + 1))
                    place = slice(y, y + self.crop), slice(x, x + self.crop)
                cut = picture[place]
                step = self.step
                if flip:
                    cut = cut[:, ::-1]
                    step = -step if c == 0 else step
                # (byte - mean) * step: the bound's offset falls out of the difference.
                plane = out[2 * k + c]
                np.subtract(cut, np.float32(cv2.mean(picture)[0]), out=plane)
                plane *= step
        return torch.from_numpy(out), label


class Indices(torch.utils.data.Sampler):
    def __iter__(self):
        return iter(range(1 << 40))


def one_thread(_):
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def main():
    job = json.loads(sys.stdin.readline())
    one_thread(0)
    loader = DataLoader(
        Stacks(job),
        batch_size=job["batch"],
        sampler=Indices(),
        num_workers=job["workers"],
        worker_init_fn=one_thread,
    )
    versions = f"PyTorch {torch.__version__}, OpenCV {cv2.__version__}, NumPy {np.__version__}"
    print(json.dumps({"versions": versions}), flush=True)
    for line in sys.stdin:
        least = json.loads(line)["seconds"]
        batches = iter(loader)
        # The first batches do not count, as on the other side.
        for _ in range(4):
            next(batches)
        begun, made = time.perf_counter(), 0
        # Whole rounds of the workers, because batches come in bursts.
        while time.perf_counter() - begun < least:
            for _ in range(job["workers"]):
                values, _ = next(batches)
                made += values.shape[0]
        rate = made / (time.perf_counter() - begun)
        # Ends the workers, so that nothing is made while the other side has its turn.
        del batches
        print(json.dumps({"rate": rate}), flush=True)


if __name__ == "__main__":
    main()
