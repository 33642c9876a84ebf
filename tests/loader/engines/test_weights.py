"""loader.engines.weights: mapped tensors, and modules built without random initialization."""

from tests.loader.children import answer_of, run_program

START = """
    import json, mmap, sys
    from pathlib import Path
    import torch
    from torch import nn
    from loader.engines.weights import *
    from loader.errors import ArtifactError
    from tests.support.mapped_parameters import parameters_elsewhere

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.normed = nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 5, 3))
            self.linear = nn.Linear(5, 300)
            nn.init.trunc_normal_(tensor=self.linear.weight)
            nn.init.constant_(self.linear.bias, 3)
            self.scale = nn.BatchNorm1d(3)
            self.memory = nn.LSTM(4, 4)
            self.table = nn.Embedding(10, 3)
            self.table.weight.data.normal_(0, 2)
            self.start = nn.Parameter(torch.randn(3, 1, 5))
            self.register_buffer("steps", torch.arange(5.0))
            self.register_buffer("late", torch.full((3,), 7.0), persistent=False)

    def mapped(path):
        with open(path, "rb") as file:
            return mmap.mmap(file.fileno(), 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
"""


def test_a_network_computes_from_the_mapping(tmp_path):
    found = answer_of(
        START + """
    original = Network().eval()
    path = Path(sys.argv[1])
    write_tensors(path, original.state_dict())
    with without_initialisation():
        network = Network()
    buffer = mapped(path)
    tensors = mapped_tensors(buffer, "weights")
    assign(network, tensors)
    there = placed(network, "cpu")
    signal = torch.randn(1, 4, 9)
    length = int.from_bytes(buffer[:8], "little")
    print(json.dumps({
        "elsewhere": parameters_elsewhere(network, [buffer]),
        "original": len(parameters_elsewhere(original, [buffer])) == len(list(original.parameters())),
        "same": all(torch.equal(value, network.state_dict()[name]) for name, value in original.state_dict().items()),
        "convolved": torch.equal(original.normed(signal), network.normed(signal)),
        "remembered": torch.equal(original.memory(signal.mT)[0], network.memory(signal.mT)[0]),
        "copied": torch.equal(original.normed(signal), there.normed(signal)),
        "late": network.late.tolist(),
        "trains": network.training or any(each.requires_grad for each in network.parameters()),
        "aligned": (8 + length) % 64,
        "heavy": [name for name in ("torch._dynamo", "torch._inductor") if name in sys.modules],
    }))
    """,
        tmp_path / "weights.safetensors",
    )

    assert {
        "elsewhere": [], "original": True, "same": True, "convolved": True, "remembered": True,
        "copied": True, "late": [7.0, 7.0, 7.0], "trains": False, "aligned": 0, "heavy": [],
    } == found  # fmt: skip


def test_building_draws_no_random_number_and_keeps_constants():
    found = answer_of(
        START + """
    before = torch.random.get_rng_state()
    with without_initialisation():
        network = Network()
    after = torch.random.get_rng_state()
    Network()  # which draws
    print(json.dumps([
        torch.equal(before, after), torch.equal(after, torch.random.get_rng_state()),
        network.linear.bias.unique().tolist(), network.steps.tolist(), network.scale.running_var.tolist(),
    ]))
    """
    )

    assert [True, False, [3.0], [0.0, 1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0]] == found


def test_the_safetensors_library_reads_the_file(tmp_path):
    found = answer_of(
        START + """
    from safetensors.torch import load_file, save_file
    kinds = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8")
    tensors = {kind: torch.arange(5).to(getattr(torch, kind)) for kind in kinds}
    tensors |= {"flags": torch.tensor([True, False]), "none": torch.empty(0, 3), "one": torch.tensor(2.5)}
    tensors["turned"] = torch.arange(12.0).reshape(3, 4).T
    path = Path(sys.argv[1])
    write_tensors(path, tensors)
    theirs, ours = load_file(path), mapped_tensors(mapped(path), "weights")
    save_file({name: each.contiguous() for name, each in tensors.items()}, sys.argv[2], {"made": "by them"})
    read = mapped_tensors(Path(sys.argv[2]).read_bytes(), "theirs")
    same = lambda found: found.keys() == tensors.keys() and all(
        torch.equal(found[name], each) and found[name].dtype == each.dtype for name, each in tensors.items())
    print(json.dumps([same(theirs), same(ours), same(read)]))
    """,
        tmp_path / "ours.safetensors", tmp_path / "theirs.safetensors",
    )  # fmt: skip

    assert [True, True, True] == found


def test_writing_into_a_mapped_weight_ends_the_process(tmp_path):
    done = run_program(
        START + """
    write_tensors(Path(sys.argv[1]), {"weight": torch.zeros(4)})
    mapped_tensors(mapped(sys.argv[1]), "weights")["weight"][0] = 1.0
    """,
        tmp_path / "weights.safetensors",
    )

    assert -11 == done.returncode


def test_weights_that_do_not_fit_and_invalid_files_are_refused(tmp_path):
    found = answer_of(
        START + """
    path = Path(sys.argv[1])
    said = []
    def refused(work):
        try:
            work()
        except ArtifactError as error:
            said.append(str(error))
    other = nn.Linear(5, 300)
    write_tensors(path, other.state_dict())
    refused(lambda: assign(nn.Linear(6, 300), mapped_tensors(mapped(path), "weights")))
    refused(lambda: assign(nn.Linear(5, 300, bias=False), mapped_tensors(mapped(path), "weights")))
    whole = path.read_bytes()
    for content in (b"", b"short", whole[:300], b"\\0" * 64, whole[:8] + b"[" + whole[9:], whole.replace(b"F32", b"X32")):
        refused(lambda: mapped_tensors(content, "weights.safetensors"))
    print(json.dumps(said))
    """,
        tmp_path / "weights.safetensors",
    )

    assert 8 == len(found)
    assert all("the baked weights do not fit Linear" in each for each in found[:2])
    assert all(each.startswith("weights.safetensors: not a file of weights") for each in found[2:])
    assert all(each.endswith("bake the voice again") for each in found)
