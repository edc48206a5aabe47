"""Random networks of every kind of layer, as files."""
import random

from harness import random_matrix, random_vector, safetensors

GATES = {"gru": 3, "lstm": 4, "rnn": 1}


def write_network(case, name, inputs, layers, seed=1, keep=0.35, outputs=None, ranges=None):
    """`inputs`: sizes by name; `layers`: dictionaries as in model.yaml. Weights fit; their names are canonical."""
    rng = random.Random(seed)
    width = dict(inputs)
    tensors, lines = {}, []
    previous = list(inputs)
    for layer in layers:
        sources = layer.get("input", previous)
        sources = [sources] if isinstance(sources, str) else sources
        in_size = sum(width[s] for s in sources)
        size, op = layer["size"], layer["op"]
        each = layer.get("projection", size)
        if op == "linear":
            tensors[f"{layer['name']}.weight"] = random_matrix(rng, size, in_size, keep)
            tensors[f"{layer['name']}.bias"] = random_vector(rng, size)
            width[layer["name"]] = size
        else:
            both = layer.get("direction") == "both"
            for suffix in ["", "_reverse"] if both else [""]:
                rows = GATES[op] * size
                prefix = layer["name"] + "."
                tensors[f"{prefix}weight_ih{suffix}"] = random_matrix(rng, rows, in_size, keep)
                tensors[f"{prefix}weight_hh{suffix}"] = random_matrix(rng, rows, each, keep)
                tensors[f"{prefix}bias_ih{suffix}"] = random_vector(rng, rows)
                tensors[f"{prefix}bias_hh{suffix}"] = random_vector(rng, rows)
                if layer.get("peepholes"):
                    tensors[f"{prefix}peephole{suffix}"] = random_vector(rng, 3 * size)
                if "projection" in layer:
                    tensors[f"{prefix}weight_hr{suffix}"] = random_matrix(rng, each, size, keep)
            width[layer["name"]] = each * (2 if both else 1)
        keys = []
        for key, value in layer.items():
            value = str(value).lower() if isinstance(value, bool) else value
            keys.append(f"{key}: [{', '.join(value)}]" if isinstance(value, list) else f"{key}: {value}")
        lines.append("  - {" + ", ".join(keys) + "}")
        previous = [layer["name"]]
    case.write(f"{name}.safetensors", safetensors(tensors))
    ins = "".join(f"  - {{name: {n}, size: {s}" + (f", range: {ranges[n]}" if ranges and n in ranges else "") + "}\n"
                  for n, s in inputs.items())
    return case.write(f"{name}.yaml", f"rtm: 1\nname: {name}\nweights: {name}.safetensors\ninputs:\n{ins}layers:\n" +
                      "\n".join(lines) + f"\noutputs: [{', '.join(outputs or [layers[-1]['name']])}]\n")


CAUSAL = {
    "gru_before": [dict(name="a", op="gru", size=33, reset="before"), dict(name="b", op="gru", size=20, reset="before")],
    "gru_after": [dict(name="a", op="gru", size=33, reset="after"), dict(name="y", op="linear", size=7)],
    "lstm": [dict(name="a", op="lstm", size=21), dict(name="y", op="linear", size=9, activation="log_softmax")],
    "lstm_peepholes": [dict(name="a", op="lstm", size=18, peepholes=True)],
    "lstm_projection": [dict(name="a", op="lstm", size=24, projection=10), dict(name="b", op="lstm", size=17)],
    "rnn_tanh": [dict(name="a", op="rnn", size=40, activation="tanh"),
                 dict(name="y", op="linear", size=6, activation="sigmoid")],
    "rnn_relu": [dict(name="a", op="rnn", size=15, activation="relu"),
                 dict(name="y", op="linear", size=6, activation="softmax")],
    "joined": [dict(name="a", op="gru", size=12, reset="after", input=["x", "u"]),
               dict(name="b", op="lstm", size=9, input=["u"]),
               dict(name="c", op="gru", size=11, reset="before", input=["a", "x", "b"]),
               dict(name="y", op="linear", size=5, activation="relu", input=["c", "a"])],
}

WHOLE_SEQUENCES = {
    "backward": [dict(name="a", op="gru", size=13, reset="before", direction="backward")],
    "both": [dict(name="a", op="lstm", size=10, direction="both"), dict(name="b", op="gru", size=14, reset="after",
                                                                        direction="both"),
             dict(name="y", op="linear", size=4)],
    "both_rnn": [dict(name="a", op="rnn", size=9, activation="tanh", direction="both"),
                 dict(name="y", op="lstm", size=8, projection=5)],
}


def inputs_of(name):
    return {"x": 7, "u": 3} if name == "joined" else {"x": 7}
