"""One stream of frames through a dense peer, and its timing. A peer offers CHUNKS prepared calls, taken in turn: call k reads
inputs[k] and carries the state on from call k - 1. `check` uses the very calls that are timed."""
import dataclasses
import gc
import itertools
import time
import typing

import numpy

from .network import CHUNKS

LEAST_CALLS = 5
WARM_SHARE = 0.1  # of the time asked for, before anything counts


@dataclasses.dataclass
class Stream:
    version: str
    settings: str
    inputs: list  # arrays [steps, inputs]: what the calls read
    calls: list  # call k, without arguments
    output: typing.Callable  # k -> array [steps, outputs] of the last call k
    reset: typing.Callable  # to the zero state; the next call is number 0

    products_only = False

    def check(self, x):
        """x [steps, inputs] -> [steps, outputs] from the zero state; what the last call has too many is zeros, and cut off."""
        steps = len(self.inputs[0])
        timed = [array.copy() for array in self.inputs]
        self.reset()
        pieces = []
        for k in range(0, -(-len(x) // steps)):
            piece = x[k * steps:(k + 1) * steps]
            self.inputs[k % CHUNKS][:] = 0
            self.inputs[k % CHUNKS][:len(piece)] = piece
            self.calls[k % CHUNKS]()
            pieces.append(numpy.array(self.output(k % CHUNKS), numpy.float32))
        for array, values in zip(self.inputs, timed):
            array[:] = values
        return numpy.concatenate(pieces)[:len(x)]

    def measure(self, seconds):
        self.reset()
        clock, times, calls = time.perf_counter_ns, [], itertools.cycle(self.calls)
        gc.collect()
        gc.disable()
        try:
            end = clock() + int(WARM_SHARE * seconds * 1e9)
            for k, call in enumerate(calls):
                call()
                if clock() >= end and k + 1 >= CHUNKS:
                    break
            end = clock() + int(seconds * 1e9)
            calls = itertools.islice(calls, (-k - 1) % CHUNKS, None)  # states alternate: begin where a round begins
            for call in calls:
                begin = clock()
                call()
                now = clock()
                times.append(now - begin)
                if now >= end and len(times) >= LEAST_CALLS:
                    break
        finally:
            gc.enable()
        steps = 1000.0 * len(self.inputs[0])
        return {"step_us_min": min(times) / steps, "step_us_median": float(numpy.median(times)) / steps, "calls": len(times)}
