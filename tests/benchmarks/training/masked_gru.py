#!/usr/bin/env python3
"""What rtmc.nn.MaskedGRU saves when a GRU is trained: frames per second of forward, backward and a step of AdamW on one core, in turns with
torch.nn.GRU; a ratio per round, of processor time; under masks of blocks (BSP) and of weights that lie anywhere.
masked_gru.py [--units 1024] [--block 64x256] [--rates 1,10,29] [--rounds 5]"""
import argparse
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "python"))

import torch  # noqa: E402
from rtmc.nn import MaskedGRU  # noqa: E402

BATCH, STEPS, WINDOWS, INPUTS = 64, 24, 3, 120


def columns_of_blocks(shape, rate, block):
    """Some columns of each block, drawn for each."""
    height, width = block
    mask = torch.zeros(shape, dtype=torch.bool)
    for row in range(0, shape[0], height):
        for column in range(0, shape[1], width):
            here = min(width, shape[1] - column)
            mask[row:row + height, column + torch.randperm(here)[:max(1, round(here / rate))]] = True
    return mask


def scattered(shape, rate, _):
    return torch.rand(shape) < 1 / rate


def masked(net, kind, rate, block):
    """The masks; weights outside of them are 0."""
    masks = {name: kind(weight.shape, rate, block) for name, weight in net.named_parameters() if name.startswith("weight")}
    for name, mask in masks.items():
        getattr(net, name).data.masked_fill_(~mask, 0)
    return masks


def frames_per_second(net, dtype):
    optimizer = torch.optim.AdamW(net.parameters())
    x, state = torch.randn(STEPS, BATCH, INPUTS), None
    begin = time.process_time()
    for _ in range(WINDOWS):
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bf16"):
            out, state = net(x, state)
        out.float().pow(2).mean().backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        state = state.detach()
    return WINDOWS * STEPS * BATCH / (time.process_time() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=1024)
    parser.add_argument("--block", type=lambda text: tuple(map(int, text.split("x"))), default=(64, 256))
    parser.add_argument("--rates", type=lambda text: list(map(float, text.split(","))), default=[1, 10, 29])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for dtype in ("f32", "bf16"):
        competitors = {"torch.nn.GRU": torch.nn.GRU(INPUTS, options.units, 2)}
        for rate in options.rates:
            for kind, said in ((columns_of_blocks, ""), (scattered, " scattered")) if rate > 1 else ((None, ""),):
                net = competitors[f"MaskedGRU, {rate:g}x{said}"] = MaskedGRU(INPUTS, options.units, 2)
                if kind is not None:
                    net.follow(masked(net, kind, rate, options.block))
        rounds = {name: [] for name in competitors}
        for turn in range(options.rounds + 1):
            for name, net in competitors.items():
                speed = frames_per_second(net, dtype)
                if turn:  # the first warms up
                    rounds[name].append(speed)
        base = rounds["torch.nn.GRU"]
        for name, speeds in rounds.items():
            ratios = sorted(a / b for a, b in zip(speeds, base))
            print(f"{dtype} {name:24} {max(speeds):8.0f} frames/s, {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) times torch.nn.GRU's",
                  flush=True)


if __name__ == "__main__":
    main()
