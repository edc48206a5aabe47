#!/usr/bin/env python3
"""unpack.py MODEL_FOLDER NETWORK OUT_FOLDER: what main.cpp reads, out of the .npz and .json files of the model folder: decoder.txt (phones,
weights, tables), utterances.txt (names, texts, references), features.f32 (frames of 40 numbers, one utterance after the other)."""
import json
import os
import sys

import numpy


def write(path, content):
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "wb") as file:
        file.write(content)
    os.replace(temporary, path)


def main():
    model, network, out = sys.argv[1:4]
    with open(os.path.join(model, "card.json"), encoding="utf-8") as file:
        card = json.load(file)[network]
    decoder, utterances = (numpy.load(os.path.join(model, name)) for name in ("decoder.npz", "utterances.npz"))
    settings = card["settings"]
    lines = [f"{card['delay']} {settings['prior']} {settings['bigram']} {settings['penalty']}", str(len(decoder["phones"])),
             " ".join(decoder["phones"].tolist())]
    for table in (decoder["log_prior"][None], decoder["log_first"][None], decoder["log_bigram"]):
        lines += [" ".join(f"{value:.6g}" for value in row) for row in table]
    os.makedirs(out, exist_ok=True)
    write(os.path.join(out, "decoder.txt"), ("\n".join(lines) + "\n").encode())
    frames = numpy.diff(utterances["frames"])
    lines = [f"{name}\t{count}\t{text}\t{reference}" for name, count, text, reference in
             zip(utterances["names"], frames, utterances["texts"], utterances["references"])]
    write(os.path.join(out, "utterances.txt"), ("\n".join(lines) + "\n").encode())
    write(os.path.join(out, "features.f32"), utterances["features"].astype("<f4").tobytes())


if __name__ == "__main__":
    main()
