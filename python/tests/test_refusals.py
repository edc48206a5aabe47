"""Everything that is refused, with the words that tell why."""
import copy

from common import Case, Net, data, loss_of, torch, train_epoch, unittest
from rtmc.pruning import BSP, BankBalanced, Block, ConfigError, Diverged, Pruner, PruningError, Rows, Unstructured
from torch.nn.utils import parametrize, prune, spectral_norm, weight_norm

try:
    import yaml
except ImportError:
    yaml = None


class ConfigTest(Case):
    def config(self, text, config, kind=Block, model=None):
        self.refuses(ConfigError, text, kind, model or Net(), config)

    def test_structure(self):
        self.config("rate is 0.5; at least 1", {"block": (4, 2), "rate": 0.5})
        self.config("blocks of 17x2 are larger than a gate of gru.weight_ih_l0, which is 16x6", {"block": (17, 2), "rate": 2})
        self.config("a rate is needed", {"block": (4, 2)})
        self.config("needs a block", {"rate": 2})
        self.config("a bank is (1, width)", {"block": (2, 2), "rate": 2}, BankBalanced)
        self.config("block is 'big'", {"block": "big", "rate": 2})
        self.config("names no scheme", {"rate": 2}, Pruner)
        self.config("did you mean 'bsp'", {"scheme": "bpsp", "rate": 2, "block": (2, 2)}, Pruner)

        self.config("budget is 0.5; at least 1", {"block": (4, 2), "budget": 0.5})
        self.config("rate and budget are given", {"block": (4, 2), "budget": 5, "rate": 2})
        self.config("bank keeps a number that its own rate gives", {"block": (1, 2), "budget": 5}, BankBalanced)

    def test_names(self):
        self.config("no key 'rats'; did you mean 'rate' or", {"block": (4, 2), "rats": 2})
        self.config("'gru.weight_hl_l0' matches no weight that can be pruned; did you mean 'gru.weight_",
                    {"block": (4, 2), "rate": 2, "tensors": [{"match": "gru.weight_hl_l0"}]})
        self.config("an entry of tensors has no key 'scheem'; did you mean 'scheme'?", {"tensors": [{"match": "gru", "scheem": "row"}]})
        self.config("{match: pattern, ...} is needed", {"tensors": ["gru"]})
        self.config("tensors is no list", {"tensors": {"match": "gru"}})
        self.config("no weight is pruned", {"rate": 2, "block": (1, 1)}, model=torch.nn.Sequential(torch.nn.Linear(2, 2)))

    def test_schedule(self):
        good = {"block": (4, 2), "rate": 2}
        for text, wrong in (("method is 'amdm'", {"method": "amdm"}), ("rho is [-1.0]", {"rho": -1}), ("must not fall", {"rho": [1, 0.1]}),
                            ("rho is 'x'", {"rho": "x"}), ("epochs_per_rho is 0", {"epochs_per_rho": 0}),
                            ("tolerance is 2.0", {"tolerance": 2}),
                            ("divergence is 0.5", {"divergence": 0.5}), ("ramp_epochs is 1.5", {"ramp_epochs": 1.5}),
                            ("retrain_epochs is [-1]", {"retrain_epochs": -1}), ("rho is [inf]", {"rho": float("inf")})):
            self.config(text, {**good, **wrong})

    @unittest.skipIf(yaml is None, "no PyYAML")
    def test_yaml_files(self):
        path = self.path("prune.yaml")
        with open(path, "w") as file:
            file.write("scheme: bsp\nblock: [8, 3]\ncolumn_rate: 2\nrho: [1e-3, 0.1]\n"
                       "tensors:\n  - {match: 'gru.weight_hh*', row_rate: 29/10}\n  - {match: gru}\n")
        pruner = Pruner(Net(), path)
        self.assertEqual(pruner.config.schedule.rho, (1e-3, 0.1))
        self.assertEqual(pruner.config.structures["gru.weight_hh_l0"].row_rate, "29/10")
        self.assertIsNone(pruner.config.structures["gru.weight_ih_l0"].row_rate)
        for text, words in (("a: [", "prune.yaml"), ("- 1\n", "a map of keys")):
            with open(path, "w") as file:
                file.write(text)
            self.refuses(ConfigError, words, Pruner, Net(), path)


class ModelTest(Case):
    CONFIG = {"rate": 2, "method": "one_shot"}

    def model(self, text, model, config=None):
        self.refuses(PruningError, text, lambda: Rows(model, config or self.CONFIG).prepare())

    def test_tensors_that_are_not_plain(self):
        net = Net()
        net.head.weight = torch.nn.Parameter(torch.zeros(5, 16))
        net.tied = torch.nn.Linear(16, 5)
        net.tied.weight = net.head.weight
        self.model("head.weight is shared (head.weight, tied.weight are one tensor)", net, {**self.CONFIG, "tensors": [{"match": "head"}]})
        net = Net()
        net.again = net.gru
        self.model("is shared (gru.weight_ih_l0, again.weight_ih_l0", net)
        linear = {**self.CONFIG, "tensors": [{"match": "*head.weight"}]}
        net = Net()
        parametrize.register_parametrization(net.head, "weight", torch.nn.Identity())
        self.model("head.weight is parametrized", net, linear)
        net = Net()
        prune.l1_unstructured(net.head, "weight", 0.5)
        self.model("is pruned already by torch.nn.utils.prune", net, linear)
        net = Net()
        weight_norm(net.head)
        self.model("has weight normalisation", net, linear)
        net = Net()
        spectral_norm(net.head)
        self.model("(spectral_norm?)", net, linear)

    def test_values_and_places(self):
        self.model("gru.weight_ih_l0 is torch.float16", Net().half())
        self.model("is torch.bfloat16", Net().bfloat16())
        net = Net()
        with torch.no_grad():
            net.gru.weight_hh_l0[3, 4] = float("nan")
        self.model("gru.weight_hh_l0 holds NaN", net)
        net = Net()
        net.gru.weight_hh_l0.requires_grad_(False)
        self.model("gru.weight_hh_l0 is frozen", net)
        self.model("device 'meta'", torch.nn.GRU(4, 4, device="meta"))
        self.model("a torch.nn.Module is needed", "net")
        self.model("scripted", torch.jit.script(torch.nn.Linear(2, 2)))
        self.model("a lazy module", torch.nn.Sequential(torch.nn.LazyLinear(4)), {**self.CONFIG, "tensors": [{"match": "0"}]})

    def test_sharded_models(self):
        class FullyShardedDataParallel(torch.nn.Module):  # the real one needs a process group
            def __init__(self, module):
                super().__init__()
                self._fsdp_wrapped_module = module

        self.model("sharded (FSDP)", FullyShardedDataParallel(Net()))

    def test_changes_after_prepare(self):
        def prepared():
            model = Net()
            optimizer = torch.optim.SGD(model.parameters(), 0.1)
            pruner = Rows(model, self.CONFIG)
            pruner.prepare()
            pruner.attach(optimizer)
            return model, optimizer
        model, optimizer = prepared()
        model.double()
        self.refuses(PruningError, "went from cpu torch.float32 to cpu torch.float64", train_epoch, _Double(model), optimizer)
        model, optimizer = prepared()
        model.gru.weight_hh_l0 = torch.nn.Parameter(model.gru.weight_hh_l0.detach().clone())
        self.refuses(PruningError, "gru.weight_hh_l0 was replaced", train_epoch, model, optimizer)


class _Double(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x.double())


class OptimizerTest(Case):
    def attach(self, make, model=None):
        model = model or Net()
        pruner = Rows(model, {"rate": 2, "method": "one_shot"})
        pruner.prepare()
        optimizer = make(model)
        pruner.attach(optimizer)
        return model, optimizer, pruner

    def test_attach(self):
        self.refuses(PruningError, "does not update gru.weight_ih_l0, gru.weight_hh_l0", self.attach,
                     lambda m: torch.optim.SGD(copy.deepcopy(m).parameters(), 0.1))
        self.refuses(PruningError, "inside step()", self.attach, lambda m: torch.optim.LBFGS(m.parameters()))
        self.refuses(PruningError, "a torch.optim.Optimizer is needed", self.attach, lambda m: m)
        _, optimizer, pruner = self.attach(lambda m: torch.optim.SGD(m.parameters(), 0.1))
        self.refuses(PruningError, "detach() comes first", pruner.attach, optimizer)
        self.refuses(PruningError, "calls before_step() itself", pruner.before_step)
        pruner.detach()
        pruner.attach(optimizer)

    def test_closures_and_fused_scalers(self):
        model, optimizer, _ = self.attach(lambda m: torch.optim.SGD(m.parameters(), 0.1))
        x, y = data()
        self.refuses(PruningError, "without a closure", optimizer.step, lambda: loss_of(model, x, y))
        optimizer.grad_scale = torch.ones(1)  # what GradScaler leaves there for a fused optimiser
        self.refuses(PruningError, "fused=False", train_epoch, model, optimizer)

    def test_fused_under_a_real_scaler(self):
        try:
            scaler = torch.amp.GradScaler("cpu")
            model, optimizer, _ = self.attach(lambda m: torch.optim.Adam(m.parameters(), fused=True))
        except (AttributeError, RuntimeError, TypeError) as error:
            self.skipTest(f"no fused Adam or gradient scaler on this CPU: {error}")
        x, y = data()
        scaler.scale(loss_of(model, x, y)).backward()
        self.refuses(PruningError, "fused=False", scaler.step, optimizer)
        model, plain, pruner = self.attach(lambda m: torch.optim.Adam(m.parameters()))  # an ordinary one is fine
        scaler = torch.amp.GradScaler("cpu")
        scaler.scale(loss_of(model, x, y)).backward()
        scaler.step(plain)
        scaler.update()
        for name, mask in pruner.masks.items():
            self.assertFalse(model.get_parameter(name).detach()[~mask].any())

    def test_order_of_calls(self):
        pruner = Rows(Net(), {"rate": 2})
        for call in (pruner.epoch_end, pruner.state_dict, pruner.finish, pruner.before_step):
            self.refuses(PruningError, "prepare() comes first", call)
        self.refuses(PruningError, "not final", pruner.squash_mask)
        pruner.prepare()
        self.refuses(PruningError, "was called before", pruner.prepare)
        self.refuses(PruningError, "no step since", pruner.epoch_end)

    def test_weights_that_become_nan(self):
        for method in ("admm", "gradual", "one_shot"):
            model, pruner = Net(), None
            pruner = Unstructured(model, {"rate": 2, "method": method})
            pruner.prepare()
            with torch.no_grad():
                model.gru.weight_hh_l0.fill_(float("nan"))
            pruner.after_step()
            self.refuses(Diverged, "gru.weight_hh_l0: became NaN", pruner.epoch_end)

    def test_states_of_others(self):
        pruner = BSP(Net(), {"block": (8, 3), "column_rate": 2})
        pruner.prepare()
        state = pruner.state_dict()
        other = BSP(Net(), {"block": (8, 3), "column_rate": 3, "rho": 1})
        other.prepare()
        self.refuses(ConfigError, "column_rate was 2, is 3", other.load_state_dict, state)
        self.refuses(PruningError, "version", other.load_state_dict, {**state, "version": 2})


if __name__ == "__main__":
    unittest.main()
