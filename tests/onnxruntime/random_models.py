"""Random pruned networks: every op, direction, wiring, scheme and way to write weights down. Owns what a network is here:

Model.layers: list of Layer; Layer.tensors: role -> float32 array, gates stacked in rtmc's order (r z n; i f g o), zeros where
pruned; a second direction's roles end in `_reverse`. What is written to files may be stacked, ordered and named otherwise.
"""
import dataclasses
import pathlib

import numpy

from rtmc_files import save_safetensors
from rtmc_masks import random_mask

GATES = {"gru": "rzn", "lstm": "ifgo", "rnn": "n"}
SCHEMES = ["dense", "bsp", "bcr", "csb", "block", "row", "column", "unstructured"]
BLOCKS = {
    "bsp": [(64, 64), (32, 48), (256, 256), (20, 7)],
    "bcr": [(128, 128), (100, 64)],
    "csb": [(16, 16), (32, 16), (10, 12)],
    "block": [(4, 4), (8, 1), (8, 4), (16, 16), (16, 1), (1, 8), (3, 5)],
}
ACTIVATIONS = ["none", "relu", "sigmoid", "tanh", "softmax", "log_softmax"]


@dataclasses.dataclass
class Layer:
    name: str
    op: str
    size: int
    inputs: list  # names of inputs or layers, concatenated
    direction: str = "forward"
    reset: str = "before"
    peepholes: bool = False
    activation: str = "tanh"
    tensors: dict = dataclasses.field(default_factory=dict)
    masks: dict = dataclasses.field(default_factory=dict)
    promise: tuple = None
    gate_order: str = ""

    @property
    def width(self):
        return self.size * (2 if self.direction == "both" else 1)

    @property
    def suffixes(self):
        return ["", "_reverse"] if self.direction == "both" else [""]


@dataclasses.dataclass
class Model:
    name: str
    inputs: list  # (name, size)
    layers: list
    outputs: list

    def width_of(self, name):
        return next((size for n, size in self.inputs if n == name), None) or next(
            layer.width for layer in self.layers if layer.name == name)


def random_size(random):
    """1 to 300; small sizes and those beside vector widths come more often than chance would have it."""
    kind = random.random()
    if kind < 0.15:
        return int(random.integers(1, 5))
    if kind < 0.4:
        return max(1, int(random.choice([8, 16, 32, 64, 128])) + int(random.integers(-1, 2)))
    return int(random.integers(1, 301))


def prune_gates(random, rows, columns, gates, scheme, block):
    """-> mask [gates * rows, columns], and whether it still is of the scheme: now and then rows, columns, a gate or all go."""
    fraction = float(random.choice([0.03, 0.1, 0.25, 0.5]))
    masks = [random_mask(random, (rows, columns), scheme, fraction, block) for _ in range(gates)]
    kind = random.random()
    if kind < 0.7:
        return numpy.concatenate(masks), True
    if kind < 0.78:
        masks[random.integers(gates)][:] = False
        return numpy.concatenate(masks), scheme != "dense"
    if kind < 0.82:
        return numpy.zeros((gates * rows, columns), bool), scheme != "dense"
    mask = numpy.concatenate(masks)
    if kind < 0.91:
        mask[random.random(len(mask)) < 0.4] = False  # empty rows, other ones in each gate
    else:
        mask[:, random.random(columns) < 0.4] = False
    return mask, False


def fill(random, layer, width, round_weights):
    """Random tensors of a layer. Live rows get pre-activations of about unit size, so that gates work and errors show."""
    gates = 1 if layer.op == "linear" else len(GATES[layer.op])
    rows = layer.size
    same_scheme = str(random.choice(SCHEMES)) if random.random() < 0.5 else None
    block = None
    if same_scheme in BLOCKS:
        block = BLOCKS[same_scheme][random.integers(len(BLOCKS[same_scheme]))]
    promised = same_scheme is not None

    def matrix(role, columns):
        nonlocal promised
        scheme = same_scheme or str(random.choice(SCHEMES))
        choice = block or (BLOCKS[scheme][random.integers(len(BLOCKS[scheme]))] if scheme in BLOCKS else None)
        mask, kept = prune_gates(random, rows, columns, gates, scheme, choice)
        promised = promised and kept
        live = max(1.0, mask.sum(axis=1)[mask.any(axis=1)].mean() if mask.any() else 1.0)
        values = random.standard_normal(mask.shape) * 0.8 / numpy.sqrt(live)
        values = round_weights(values.astype(numpy.float32))
        values[(values == 0) & mask] = 0.25
        layer.masks[role], layer.tensors[role] = mask, values * mask

    def vector(role, size, scale):
        layer.tensors[role] = (scale * random.standard_normal(size)).astype(numpy.float32)

    if layer.op == "linear":
        matrix("weight", width)
        if random.random() < 0.8:
            vector("bias", rows, 0.3)
    else:
        biases = [bias for bias in ("bias_ih", "bias_hh") if random.random() < 0.85]
        for suffix in layer.suffixes:
            matrix("weight_ih" + suffix, width)
            matrix("weight_hh" + suffix, rows)
            for bias in biases:
                vector(bias + suffix, gates * rows, 0.3)
            if layer.peepholes:
                vector("peephole" + suffix, 3 * rows, 0.4)
    if promised and random.random() < 0.6:
        layer.promise = (same_scheme, block)


def random_model(random, name, round_weights, largest=300):
    """`largest`: no layer or input has more units."""

    def size():
        return min(random_size(random), largest)

    inputs = [(f"x{i}", size()) for i in range(1 if random.random() < 0.8 else 2)]
    model = Model(name, inputs, [], [])
    count = int(random.choice([1, 1, 2, 2, 3]))
    for number in range(count):
        seen = [n for n, _ in inputs] + [layer.name for layer in model.layers]
        wires = [seen[-1]] if number or len(inputs) == 1 else [n for n, _ in inputs]
        if number and random.random() < 0.25:
            wires = [str(n) for n in random.choice(seen, size=2, replace=True)]
        op = str(random.choice(["gru", "gru", "lstm", "lstm", "rnn"]))
        layer = Layer(f"layer{number}", op, size(), wires)
        layer.direction = str(random.choice(["forward", "forward", "forward", "backward", "both"]))
        layer.reset = str(random.choice(["before", "after"]))
        layer.peepholes = op == "lstm" and random.random() < 0.4
        layer.activation = str(random.choice(["tanh", "relu"]))
        if op != "rnn" and random.random() < 0.3:
            layer.gate_order = "".join(random.permutation(list(GATES[op])))
        fill(random, layer, sum(model.width_of(n) for n in wires), round_weights)
        model.layers.append(layer)
    if random.random() < 0.4:
        layer = Layer("out", "linear", size(), [model.layers[-1].name])
        layer.activation = str(random.choice(ACTIVATIONS))
        fill(random, layer, model.width_of(layer.inputs[0]), round_weights)
        model.layers.append(layer)
    model.outputs = [model.layers[-1].name]
    if len(model.layers) > 1 and random.random() < 0.2:
        model.outputs.insert(int(random.integers(2)), model.layers[0].name)
    return model


class _Writer:
    """Decides how each tensor stands in the weight file: stacked or one per gate, reordered, with a mask, renamed."""

    def __init__(self, random, half):
        self.random, self.half, self.tensors = random, half, {}
        self.garbage = random.random() < 0.3  # values under a zero mask, as fine-tuning leaves them

    def put(self, name, values, mask):
        if mask is not None and self.random.random() < 0.4:
            if self.garbage:
                values = numpy.where(mask, values, numpy.float32(0.5))
            kind = self.random.integers(3)
            self.tensors[name + "_mask"] = mask.astype([numpy.bool_, numpy.uint8, numpy.float32][kind])
            if self.random.random() < 0.3:  # as torch.nn.utils.prune names them
                name += "_orig"
        self.tensors[name] = values.astype(numpy.float16) if self.half and mask is not None else values

    def layer(self, layer):
        """-> text of `tensors:`, or "" where the default names do."""
        renamed = {}
        for role, values in layer.tensors.items():
            base, suffix = (role.removesuffix("_reverse"), role[len(role.removesuffix("_reverse")):])
            mask, peephole = layer.masks.get(role), base == "peephole"
            gates = "ifo" if peephole else GATES.get(layer.op, "n")
            order = layer.gate_order if layer.gate_order and not peephole else gates
            pieces = [numpy.split(values, len(gates))[gates.index(g)] for g in order]
            mask_pieces = [None if mask is None else numpy.split(mask, len(gates))[gates.index(g)] for g in order]
            if suffix and base in renamed:  # implied: what the base is called, with the suffix
                names = [name + suffix for name in renamed[base]]
            else:
                names = self.names(layer, role, [] if peephole else order)
                if names != [f"{layer.name}.{role}"]:
                    renamed[role] = names
            if len(names) == 1:
                pieces = [numpy.concatenate(pieces)]
                mask_pieces = [None if mask is None else numpy.concatenate(mask_pieces)]
            for name, piece, piece_mask in zip(names, pieces, mask_pieces):
                self.put(name, piece, piece_mask)
        entries = [f"{role}: {names[0] if len(names) == 1 else '[' + ', '.join(names) + ']'}" for role, names in renamed.items()]
        return "{" + ", ".join(entries) + "}" if entries else ""

    def names(self, layer, role, order):
        kind = self.random.random()
        if len(order) > 1 and kind < 0.2:
            return [f"{layer.name}/{g}/{role}" for g in order]
        return [f"net.{layer.name}.{role}" if kind > 0.9 else f"{layer.name}.{role}"]


def layer_text(layer, previous, tensors):
    text = f"  - {{name: {layer.name}, op: {layer.op}, size: {layer.size}"
    if layer.inputs != [previous]:
        text += f", input: [{', '.join(layer.inputs)}]" if len(layer.inputs) > 1 else f", input: {layer.inputs[0]}"
    if layer.op == "linear" or layer.op == "rnn":
        text += f", activation: {layer.activation}"
    if layer.op != "linear":
        text += f", direction: {layer.direction}"
    if layer.op == "gru":
        text += f", reset: {layer.reset}"
    if layer.peepholes:
        text += ", peepholes: true"
    if layer.gate_order:
        text += f", gate_order: {layer.gate_order}"
    if layer.promise:
        scheme, block = layer.promise
        text += f", sparsity: {{scheme: {scheme}" + (f", block: [{block[0]}, {block[1]}]" if block else "") + "}"
    if tensors:
        text += f", tensors: {tensors}"
    return text + "}\n"


def write_model(random, model, folder: pathlib.Path, half):
    """model.yaml and its weights, as .safetensors or .npz. `half`: matrices hold half-precision values."""
    writer = _Writer(random, half and random.random() < 0.5)
    layers, previous = "", model.inputs[0][0] if len(model.inputs) == 1 else None
    for layer in model.layers:
        layers += layer_text(layer, previous, writer.layer(layer))
        previous = layer.name
    if random.random() < 0.7:
        file = "weights.safetensors"
        save_safetensors(folder / file, writer.tensors)
    else:
        file = "weights.npz"
        if random.random() < 0.5:
            writer.tensors = {n: numpy.asfortranarray(t) for n, t in writer.tensors.items()}
        (numpy.savez_compressed if random.random() < 0.5 else numpy.savez)(folder / file, **writer.tensors)
    inputs = "".join(f"  - {{name: {n}, size: {s}}}\n" for n, s in model.inputs)
    path = folder / "model.yaml"
    path.write_text(f"rtm: 1\nname: {model.name}\nweights: {file}\ninputs:\n{inputs}layers:\n{layers}"
                    f"outputs: [{', '.join(model.outputs)}]\n")
    return path
