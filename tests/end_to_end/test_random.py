"""verify on random networks, sizes, patterns, precisions and switches. RTMC_SEED and RTMC_COUNT choose which and how many."""
import os
import random

from harness import BUG, Case, OK, main, rtmc
from models import CAUSAL, WHOLE_SEQUENCES, inputs_of, write_network


class RandomNetworks(Case):
    def test_random_networks(self):
        seed = int(os.environ.get("RTMC_SEED", "1"))
        count = int(os.environ.get("RTMC_COUNT", "24"))
        print(f"RTMC_SEED={seed} RTMC_COUNT={count}")
        networks = {**CAUSAL, **WHOLE_SEQUENCES}
        for number in range(count):
            rng = random.Random(f"{seed} {number}")
            name = rng.choice(list(networks))
            layers = [dict(layer, size=rng.randint(1, 70)) for layer in networks[name]]
            for layer in layers:
                if "projection" in layer:
                    layer["projection"] = rng.randint(1, 30)
            model = write_network(self, name, {k: rng.randint(1, 40) for k in inputs_of(name)}, layers, seed=number,
                                  keep=rng.choice([0.0, 0.02, 0.1, 0.3, 1.0]))
            threads = rng.randint(1, 4)
            options = ["--precision", rng.choice(["f32", "f16", "bf16"]), "--threads", str(threads), "--steps", "4",
                       "--unroll", rng.choice(["auto", "none", "tile", "full"])]
            if rng.random() < 0.3:
                options.append(rng.choice(["--no-fold", "--no-permute", "--no-reorder", "--no-share-loads", "--no-compact"]))
            if rng.random() < 0.3:
                options += ["--cpu", "portable"]
            if threads == 1:
                options += ["--chunk", str(rng.randint(1, 6))]
            with self.subTest(number=number, layers=layers, options=options):
                self.expect(OK, "verify", model, *options)
                damaged = rtmc("verify", model, *options, "--corrupt-weight", rng.randrange(1 << 40))
                self.assertTrue(damaged.status == BUG or "no weight that could be corrupted" in damaged.err, damaged.err)


if __name__ == "__main__":
    main()
