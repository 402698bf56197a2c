"""OpenCV's estimators of optical flow, run when told to.

The talk is one JSON object a line, as crates/testkit/src/bench.rs describes it, with one request
more: {"do": "field", "path": ...} writes the flow of the last run as a .flo file. Every method has
OpenCV's defaults; Farneback, which has none, the values of its tutorials. Argument: the number of
threads.
"""

import json
import signal
import sys
import time


def say(answer):
    print(json.dumps(answer), flush=True)


signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a trace
try:
    import cv2
except Exception as problem:
    say({"error": f"cannot import cv2: {problem}"})
    sys.exit(1)

cv2.setNumThreads(int(sys.argv[1]))


def dis(preset):
    return lambda: cv2.DISOpticalFlow_create(preset).calc


def dual_tv_l1():
    return cv2.optflow.DualTVL1OpticalFlow_create().calc


def deepflow():
    return cv2.optflow.createOptFlow_DeepFlow().calc


def farneback():
    return lambda a, b, field: cv2.calcOpticalFlowFarneback(a, b, field, 0.5, 3, 15, 3, 5, 1.2, 0)


METHODS = {
    "dis-ultrafast": dis(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST),
    "dis-fast": dis(cv2.DISOPTICAL_FLOW_PRESET_FAST),
    "dis-medium": dis(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM),
    "farneback": farneback,
    "deepflow": deepflow,
    "dual-tv-l1": dual_tv_l1,
}


class Work:
    def __init__(self, method, first, second):
        self.method = METHODS[method]()
        self.pictures = [cv2.imread(path, cv2.IMREAD_GRAYSCALE) for path in (first, second)]
        if any(picture is None for picture in self.pictures):
            raise ValueError(f"cannot read {first} or {second}")

    def sizes(self):
        return [2 * self.pictures[0].size]

    def run(self):
        # No field is given: some methods would start from it.
        self.field = self.method(*self.pictures, None)


def run(work, times):
    """Mean seconds; several runs follow one that does not count."""
    seconds = 0.0
    idle = 1 if times > 1 else 0
    for turn in range(times + idle):
        begun = time.perf_counter()
        work.run()
        if turn >= idle:
            seconds += (time.perf_counter() - begun) / times
    return [seconds]


def answer(request):
    global work
    if request["do"] == "prepare":
        work = Work(**request["case"]["facts"])
        return {"sizes": work.sizes()}
    if request["do"] == "run":
        return {"seconds": run(work, request["times"])}
    if request["do"] == "field":
        if not cv2.writeOpticalFlow(request["path"], work.field):
            raise ValueError(f"cannot write {request['path']}")
        return {"path": request["path"]}
    return {"error": f"unknown request {request}"}


work = None
say({"versions": {"OpenCV": cv2.__version__}, "threads": cv2.getNumThreads()})
for line in sys.stdin:
    try:
        say(answer(json.loads(line)))
    except Exception as problem:
        say({"error": f"{type(problem).__name__}: {problem}"})
