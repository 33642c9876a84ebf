"""loader.bake.piper_graph: every weight by its name, whatever the exporter called it; another graph is refused."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from loader.bake.piper_graph import read_piper_graph
from loader.errors import BakeError, IntegrityError


@pytest.fixture(scope="module")
def exported(piper_release):
    """The smallest voice's graph, as the exporter wrote it."""
    return piper_release("x_low") / "voice.onnx"


@pytest.fixture
def model(exported):
    """The same in memory, to be changed."""
    return onnx.load(str(exported))


@pytest.fixture
def error_of(tmp_path):
    """Return the error of reading a changed graph."""

    def error_of(model, kind=BakeError):
        path = tmp_path / "voice.onnx"
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        with pytest.raises(kind) as caught:
            read_and_build(path)
        assert str(caught.value).startswith(f"{path}: ")
        return str(caught.value)

    return error_of


def read_and_build(path):
    from loader.bake.graphs.writing import write_graphs

    network, _ = read_piper_graph(path)
    write_graphs(network, path.parent)
    return network


def renamed_throughout(model):
    """Rename every constant and node whose name the exporter chose, as an older exporter does."""
    kept = ("enc_p.", "dp.", "dec.", "flow.", "emb_g.")
    chosen = [each.name for each in model.graph.initializer if not each.name.startswith(kept)]
    renamed = {name: str(5000 + number) for number, name in enumerate(chosen)}
    for each in model.graph.initializer:
        each.name = renamed.get(each.name, each.name)
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"
        node.input[:] = [renamed.get(name, name) for name in node.input]
    return model


def test_an_older_exporters_names_give_the_same_weights(exported, model, tmp_path):
    path = tmp_path / "voice.onnx"
    path.write_bytes(renamed_throughout(model).SerializeToString())

    newer, older = (read_and_build(each) for each in (copied(exported, tmp_path / "copy"), path))

    assert newer.weights.names == older.weights.names
    assert all(np.array_equal(newer.weights[name], older.weights[name]) for name in newer.weights.names)
    assert (newer.strides, newer.dilations) == (older.strides, older.dilations)


def copied(path, folder):
    folder.mkdir()
    (folder / path.name).write_bytes(path.read_bytes())
    return folder / path.name


def initializer(model, name):
    return next(each for each in model.graph.initializer if each.name == name)


@pytest.mark.parametrize("name", [
    "sid", "enc_p.encoder.attn_layers.5.conv_q.weight", "enc_p.encoder.norm_layers_1.0.gamma", "dp.flows.5.pre.weight",
    "dp.flows.0.m", "dec.ups.1.weight", "dec.resblocks.8.convs.1.bias", "dec.conv_post.weight", "flow.flows.2.post.bias",
])  # fmt: skip
def test_a_missing_weight_is_named(model, error_of, name):
    model.graph.initializer.remove(initializer(model, name))

    shown = {"sid": "enc_p.emb.weight"}.get(name, name)
    assert "has no weight" in (message := error_of(model))
    assert shown in message or shown.rpartition(".")[0] in message


def test_a_missing_product_of_the_flow_is_named(model, error_of):
    bias = "flow.flows.4.enc.in_layers.2.bias"
    node = next(node for node in model.graph.node if bias in node.input)
    model.graph.initializer.remove(initializer(model, node.input[1]))

    assert "has no weight 'flow.flows.4.enc.in_layers.2.weight'" in error_of(model)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_not_finite_is_named(model, error_of, value):
    bias = initializer(model, "dec.conv_pre.bias")
    damaged = numpy_helper.to_array(bias).copy()
    damaged[3] = value
    bias.CopyFrom(numpy_helper.from_array(damaged, bias.name))

    assert "found 1 of 256 values of 'dec.conv_pre.bias' that are NaN or infinite" in error_of(model, IntegrityError)


def test_a_network_with_more_layers_than_known_is_refused(model, error_of):
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((4, 4), np.float32), "dec.istft.window"))

    assert "unexpected weights: dec.istft.window" in error_of(model)


def test_a_weight_of_another_shape_is_refused(model, error_of):
    weight = initializer(model, "enc_p.encoder.ffn_layers.0.conv_1.weight")
    weight.CopyFrom(numpy_helper.from_array(np.zeros((7,), np.float32), weight.name))

    assert "do not fit" in error_of(model)


def test_another_network_is_refused(error_of):
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "ab"]
    graph = helper.make_graph([helper.make_node("Add", ["a", "a"], ["b"])], "add", value[:1], value[1:])

    assert "not a complete VITS: it has no weight 'dec.ups.0.weight'" in error_of(helper.make_model(graph))


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"\x08\x08" + bytes(range(256))])
def test_a_file_of_another_kind_is_refused(error_of, content):
    assert "not a" in error_of(content)


@pytest.mark.parametrize("is_node", [False, True])
def test_weights_in_another_file_are_refused(model, error_of, is_node):
    weight = initializer(model, "dec.conv_pre.weight")
    if is_node:
        model.graph.node.insert(0, helper.make_node("Constant", [], ["dec.conv_pre.weight"], value=weight))
        model.graph.initializer.remove(weight)
        weight = model.graph.node[0].attribute[0].t
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")

    assert "its weights are in another file; export the voice as one file" in error_of(model)
