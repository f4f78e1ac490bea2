"""Makes packages/training/src/engine/gradients/pytorch.json.gz: the gradients that PyTorch finds for what
gradient-cases.fixture.ts builds, by the same names.

    pip install torch numpy
    python infra/reference/gradients.py packages/training/src/engine/gradients

Of every case: the parameters in the order in which the graph makes them, `mix`, which weighs each element of the result in the
sum that is differentiated, and one gradient per parameter. Numbers are little-endian float32 in base64.
"""

import base64
import gzip
import json
import sys
from pathlib import Path

import numpy
import torch
from torch import Tensor
from torch.nn import functional as F

torch.manual_seed(5)
random = numpy.random.default_rng(5)


def normal(shape):
    return random.standard_normal(shape)


def positive(shape):
    return 0.5 + random.random(shape)


def away_from_zero(shape):
    return random.choice([-1, 1], shape) * (0.2 + random.random(shape))


def ranked(shape):
    """All different."""
    return (random.permutation(int(numpy.prod(shape))).reshape(shape) - 8) * 0.07


cases = {}


def case(name, shapes, build, draw=normal):
    assert name not in cases, name
    cases[name] = (shapes, build, draw)


def gelu(x):
    return F.gelu(x, approximate="none")


def layer_norm(x, scale, bias):
    return F.layer_norm(x, scale.shape, scale, bias, 1e-5)


# Elementwise.
case("Add, Mul and Div that broadcast", [[3, 4], [4], [3, 1]], lambda a, b, c: (a + b) * c / (b**2 + 1))
case("Sub", [[2, 3], [1, 3]], lambda a, b: (a - b).tanh())
case("Pow", [[3, 4], [4]], lambda a, b: a**b, positive)
case("Pow of a constant exponent", [[3, 4]], lambda a: a**2 + a**3 * 0.1)
case("Max and Min", [[3, 4], [3, 4]], lambda a, b: torch.maximum(a, b) + torch.minimum(a, b) * 0.3)
case("Sum of three", [[2, 3], [3], [2, 1]], lambda a, b, c: (a + b + c).tanh())
case("Exp, Log, Sqrt", [[3, 4]], lambda a: (a.exp() + 1).log() + (a**2 + 1).sqrt())
case("Reciprocal", [[3, 4]], lambda a: (a + 1).reciprocal(), positive)
case("Sin, Cos, Tanh, Sigmoid", [[3, 4]], lambda a: (a.sin() * a.cos() + a.tanh()) * a.sigmoid())
case("Erf and gelu", [[3, 4]], lambda a: gelu(a) + a.erf())
case("Relu, Abs, Elu, Softplus", [[3, 4]], lambda a: (a.relu() + a.abs() + F.elu(a)) * F.softplus(a), away_from_zero)
case("LeakyRelu and Elu of another alpha", [[3, 4]], lambda a: F.leaky_relu(a, 0.3) + F.elu(a, 0.7), away_from_zero)
case("Neg and Identity", [[3]], lambda a: (-a).exp())
case("Clip at either bound", [[3, 4]], lambda a: a.clamp(min=0).sin() + a.clamp(-9, 0).exp(), away_from_zero)
case("Cast", [[3, 4]], lambda a: a.sin() * (a >= 0).float(), away_from_zero)
case("Where", [[3, 4], [3, 4]], lambda a, b: torch.where(torch.tensor([True, False, True, False]), a, b).tanh())

# Matrices.
case("MatMul of matrices", [[4, 5], [5, 3]], lambda a, b: (a @ b).tanh())
case("MatMul with a matrix on the right", [[2, 4, 5], [5, 3]], lambda a, b: (a @ b).sin())
case("MatMul of batches", [[2, 3, 4, 5], [2, 3, 5, 4]], lambda a, b: (a @ b).tanh())
case("MatMul that broadcasts batches", [[4, 5], [2, 3, 5, 2]], lambda a, b: (a @ b).tanh())
case(
    "MatMul with a vector on either side",
    [[5], [2, 5, 3], [3]],
    lambda a, b, c: (a @ b).tanh() * (b @ c).sum(1, keepdim=True),
)
for trans_a in (0, 1):
    for trans_b in (0, 1):
        case(
            f"Gemm, transA {trans_a}, transB {trans_b}",
            [[5, 4] if trans_a else [4, 5], [3, 5] if trans_b else [5, 3], [3]],
            lambda a, b, c, s=trans_a, t=trans_b: (0.5 * (a.T if s else a) @ (b.T if t else b) + 2 * c).tanh(),
        )

# Normalisation.
case("Softmax", [[3, 6], [3, 6]], lambda a, b: a.softmax(-1) * b)
case("Softmax along another axis", [[3, 6, 2]], lambda a: a.softmax(1))
case("LogSoftmax", [[3, 6]], lambda a: a.log_softmax(-1))
case("LayerNormalization", [[3, 2, 8], [8], [8]], lambda a, b, c: layer_norm(a, b, c).tanh())
case("LayerNormalization over two axes", [[3, 2, 4], [2, 4], [2, 4]], lambda a, b, c: layer_norm(a, b, c).tanh())
case(
    "BatchNormalization by running statistics",
    [[2, 3, 4], [3], [3]],
    lambda a, b, c: F.batch_norm(
        a, torch.tensor([0.1, -0.2, 0.3]), torch.tensor([1.0, 2.0, 3.0]), b, c, training=False, eps=0.01
    ).tanh(),
)
case("InstanceNormalization", [[2, 3, 5], [3], [3]], lambda a, b, c: F.instance_norm(a, weight=b, bias=c).tanh())
case(
    "batch norm by a batch's statistics",
    [[6, 4], [4], [4]],
    lambda a, b, c: F.batch_norm(a, None, None, b, c, training=True).tanh(),
)
case("unit length", [[3, 5]], lambda a: F.normalize(a, dim=-1))

# Reduction.
case("ReduceSum and ReduceMean", [[2, 3, 4]], lambda a: a.sum(1) * a.mean((0, 1)) + a.mean(1, keepdim=True).sum(1))
case("ReduceMax and ReduceMin", [[3, 8]], lambda a: a.amax(1).exp() + a.amin(1), ranked)
case("ReduceSumSquare and ReduceL2", [[3, 4, 2]], lambda a: (a**2).sum(1) * a.norm(dim=-2, keepdim=True).sum(1))

# Shapes.
case("Transpose, Reshape", [[2, 3, 4]], lambda a: a.permute(2, 0, 1).reshape(4, 6).exp())
case("Flatten, Squeeze, Unsqueeze", [[2, 1, 3]], lambda a: a.squeeze(1).tanh().sin().exp())
case("Expand", [[3, 1]], lambda a: a.expand(2, 3, 4).sin())
case("Slice and Concat", [[3, 7]], lambda a: torch.cat([a[:, 2:5], a[:, :2], a[1:3, 1:4].T], 1).sin())
case(
    "Slice with steps, from the end",
    [[3, 7]],
    lambda a: a[:, 1::2].sin() * a.flip(1)[:, ::3] + a[:, -3:].exp(),
)
case("Split, one part unused", [[2, 6]], lambda a: a[:, :1] * a[:, 3:].exp())
case("Pad", [[2, 3]], lambda a: F.pad(F.pad(a.tanh(), (0, 2, 1, 0), value=0.5), (1, 0)).cos())
case("Tile", [[2, 3]], lambda a: a.tile(2, 3).sin())

# Indexing.
case("Gather of repeated rows", [[5, 3]], lambda a: a[torch.tensor([[0, 2], [2, 4]])].tanh())
case("Gather along the last axis", [[3, 5]], lambda a: a[:, [1, 1, 4]].tanh())
case("Gather of one position", [[3, 5]], lambda a: a[:, -2].exp())
case("Gather of a permutation", [[3, 4]], lambda a: a[:, [2, 0, 3, 1]].tanh())
case("GatherElements", [[3, 4]], lambda a: a.gather(1, torch.tensor([[0, 2], [2, 3], [3, 1]])).tanh())
case("TopK", [[3, 8]], lambda a: a.topk(3).values.tanh(), ranked)

# Windows.
case("Conv along one axis", [[2, 3, 7], [4, 3, 3], [4]], lambda a, b, c: F.conv1d(a, b, c).tanh())
case(
    "Conv with strides that leave a rest, padded on one side",
    [[2, 2, 8], [3, 2, 3], [3]],
    lambda a, b, c: F.conv1d(F.pad(a, (2, 0)), b, c, stride=3).tanh(),
)
case(
    "Conv whose last elements no window covers",
    [[2, 2, 9], [3, 2, 2], [3]],
    lambda a, b, c: F.conv1d(a, b, c, stride=3).tanh(),
)
case(
    "Conv in groups, with dilations",
    [[2, 4, 9], [6, 2, 3], [6]],
    lambda a, b, c: F.conv1d(a, b, c, groups=2, dilation=2, padding=1).tanh(),
)
case("Conv per channel", [[1, 3, 6], [3, 1, 4]], lambda a, b: F.conv1d(a, b, groups=3, padding=2).tanh())
case(
    "Conv along two axes, all different",
    [[2, 3, 6, 7], [2, 3, 3, 2], [2]],
    lambda a, b, c: F.conv2d(F.pad(a, (0, 1, 1, 0)), b, c, stride=(2, 1), dilation=(1, 2)).tanh(),
)
case("Conv of one element", [[2, 3, 4, 4], [5, 3, 1, 1]], lambda a, b: F.conv2d(a, b).tanh())
case("Conv of one element with strides", [[2, 3, 5, 4], [2, 3, 1, 1]], lambda a, b: F.conv2d(a, b, stride=2).tanh())
case(
    "Conv, padded to the same size at the end",
    [[1, 2, 7], [2, 2, 4]],
    lambda a, b: F.conv1d(F.pad(a, (1, 2)), b, stride=2).tanh(),
)
case(
    "Conv, padded to the same size at the beginning",
    [[1, 2, 7], [2, 2, 4]],
    lambda a, b: F.conv1d(F.pad(a, (2, 1)), b).tanh(),
)
case("MaxPool of windows that overlap", [[2, 1, 5, 5]], lambda a: F.max_pool2d(a, 3, 2, 1).tanh(), ranked)
case("MaxPool along one axis, rounded up", [[2, 3, 8]], lambda a: F.max_pool1d(a, 3, 2, ceil_mode=True).tanh(), ranked)
case(
    "AveragePool, padding left out of the mean",
    [[2, 2, 5, 4]],
    lambda a: F.avg_pool2d(a, 3, (2, 1), 1, count_include_pad=False).tanh(),
)
case("AveragePool, padding counted", [[1, 2, 8]], lambda a: F.avg_pool1d(a, 4, 2, 1).tanh())
case("AveragePool, rounded up", [[1, 2, 8]], lambda a: F.avg_pool1d(a, 3, 2, ceil_mode=True).tanh())
case("GlobalAveragePool", [[2, 3, 2, 4]], lambda a: F.adaptive_avg_pool2d(a, 1).tanh())
case("GlobalMaxPool", [[2, 2, 6]], lambda a: F.adaptive_max_pool1d(a, 1).tanh(), ranked)


# Layers. Matrices of ours are [inputs, outputs], PyTorch's [outputs, inputs].
def attention(x, *weights):
    keys = x.tanh()
    module = torch.nn.MultiheadAttention(4, 2, batch_first=True)
    (wq, bq), (wk, bk), (wv, bv), (wo, bo) = zip(weights[::2], weights[1::2])
    mixed, _ = F.multi_head_attention_forward(
        *(each.transpose(0, 1) for each in (x, keys, keys)),
        module.embed_dim, module.num_heads, torch.cat([wq.T, wk.T, wv.T]), torch.cat([bq, bk, bv]),
        None, None, False, 0.0, wo.T, bo,
    )  # fmt: skip
    return mixed.transpose(0, 1)


def convolve(x, weight, bias, kernel, **pads):
    stacked = weight.reshape(kernel, x.shape[2], -1).permute(2, 1, 0)
    before = (kernel - 1) // 2
    padded = F.pad(x.transpose(1, 2), (before, kernel - 1 - before), **pads)
    return F.conv1d(padded, stacked, bias).transpose(1, 2).tanh()


case("attention", [[2, 3, 4], *[[4, 4], [4]] * 4], attention)
case("linear", [[2, 3, 4], [4, 5], [5]], lambda a, b, c: F.linear(a, b.T, c).tanh())
case("convolution of a circle", [[2, 5, 3], [9, 4], [4]], lambda a, b, c: convolve(a, b, c, 3, mode="circular"))
case("convolution with zeros around", [[2, 5, 3], [12, 2], [2]], lambda a, b, c: convolve(a, b, c, 4))
case(
    "pooling along time",
    [[2, 8, 3]],
    lambda a: F.max_pool1d(a.transpose(1, 2), 3, 2, 1).transpose(1, 2).exp(),
    ranked,
)

# Losses.
case("mean squared and mean absolute error", [[3, 4], [3, 4]], lambda a, b: F.mse_loss(a, b) + F.l1_loss(a, b))
case("cross-entropy", [[3, 4], [3, 4]], lambda a, b: F.cross_entropy(a, b.softmax(-1)))
case(
    "binary cross-entropy",
    [[3, 4], [3, 4]],
    lambda a, b: F.binary_cross_entropy_with_logits(a, b.sigmoid()),
)


def encoded(tensor: Tensor) -> str:
    return base64.b64encode(tensor.detach().numpy().astype("<f4").tobytes()).decode()


def differentiated(shapes, build, draw):
    parameters = [torch.tensor(draw(shape), dtype=torch.float32, requires_grad=True) for shape in shapes]
    result = build(*parameters)
    mix = torch.randn(result.shape)
    gradients = torch.autograd.grad((result * mix).sum(), parameters)
    return {
        "parameters": [encoded(each) for each in parameters],
        "mix": encoded(mix),
        "gradients": [encoded(each) for each in gradients],
    }


folder = Path(sys.argv[1])
content = json.dumps({name: differentiated(*each) for name, each in cases.items()}, indent=0)
(folder / "pytorch.json.gz").write_bytes(gzip.compress(content.encode(), mtime=0))
