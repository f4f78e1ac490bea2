"""The blocks of training-blocks.ts in PyTorch, as one writes them there. Parameters go in and out by our names and in our layout:
matrices [inputs, outputs], attention's three of inputs apart."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class Perceptron(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.hidden = nn.Linear(block["inputs"], block["hidden"])
        self.out = nn.Linear(block["hidden"], block["classes"])

    def forward(self, x):
        return self.out(F.relu(self.hidden(x)))


class MovingAverage(nn.Module):
    """Along axis 1, its ends repeated, as published with Autoformer and DLinear."""

    def __init__(self, kernel):
        super().__init__()
        self.half = (kernel - 1) // 2
        self.average = nn.AvgPool1d(kernel, stride=1)

    def forward(self, x):
        ends = [x[:, :1].repeat(1, self.half, 1), x, x[:, -1:].repeat(1, self.half, 1)]
        return self.average(torch.cat(ends, 1).permute(0, 2, 1)).permute(0, 2, 1)


class DLinear(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.average = MovingAverage(block["kernel"])
        self.seasonal = nn.Linear(block["lookback"], block["horizon"])
        self.trend = nn.Linear(block["lookback"], block["horizon"])

    def forward(self, x):
        trend = self.average(x)
        seasonal = self.seasonal((x - trend).permute(0, 2, 1))
        return (seasonal + self.trend(trend.permute(0, 2, 1))).permute(0, 2, 1)


class Attention(nn.TransformerEncoderLayer):
    def __init__(self, block):
        sizes = (block["width"], block["heads"], block["hidden"])
        super().__init__(*sizes, dropout=0.0, activation="gelu", batch_first=True)


class Autoformer(nn.Module):
    """A layer that adds the trend of its attention to what is seasonal at the end; correlations by FFT, values rolled, as published."""

    def __init__(self, block):
        super().__init__()
        width = block["width"]
        self.factor = block["factor"]
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))
        self.forward_1 = nn.Conv1d(width, block["hidden"], 1, bias=False)
        self.forward_2 = nn.Conv1d(block["hidden"], width, 1, bias=False)
        self.average = MovingAverage(block["kernel"])

    def attend(self, x):
        steps = x.shape[1]
        q, k, v = (layer(x).permute(0, 2, 1).contiguous() for layer in (self.query, self.key, self.value))
        spectrum = torch.fft.rfft(q, dim=-1) * torch.conj(torch.fft.rfft(k, dim=-1))
        correlations = torch.fft.irfft(spectrum, n=steps, dim=-1).mean(1)
        delays = torch.topk(correlations.mean(0), int(self.factor * math.log(steps)), dim=-1)[1]
        weights = torch.softmax(torch.stack([correlations[:, delay] for delay in delays], dim=-1), dim=-1)
        mixed = torch.zeros_like(v)
        for at, delay in enumerate(delays):
            mixed = mixed + torch.roll(v, -int(delay), -1) * weights[:, at, None, None]
        return self.output(mixed.permute(0, 2, 1))

    def forward(self, x):
        x = x + self.attend(x)
        trend = self.average(x)
        seasonal = x - trend
        y = self.forward_2(F.gelu(self.forward_1(seasonal.transpose(-1, 1)))).transpose(-1, 1)
        return seasonal + y - self.average(seasonal + y) + trend


class Convolution(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.convolution = nn.Conv2d(block["channels"], block["outputs"], 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(block["outputs"])
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.out = nn.Linear(block["outputs"], block["classes"])

    def forward(self, x):
        return self.out(self.pool(F.relu(self.norm(self.convolution(x)))).mean((2, 3)))


modules = {
    "perceptron": Perceptron,
    "dlinear": DLinear,
    "attention": Attention,
    "autoformer": Autoformer,
    "convolution": Convolution,
}
# Of a name of ours, for what isn't named alike.
renamed = {
    "self/output": "self_attn.out_proj",
    "norm-1": "norm1",
    "norm-2": "norm2",
    "scale": "weight",
    "running-mean": "running_mean",
    "running-variance": "running_var",
}
joined = ["self/query", "self/key", "self/value"]


def theirs(kind, name):
    folder, leaf = name.rsplit("/", 1)
    if kind == "attention":
        folder = {"forward-1": "linear1", "forward-2": "linear2"}.get(folder, folder)
    return f"{renamed.get(folder, folder).replace('-', '_')}.{renamed.get(leaf, leaf)}"


def laid_out(name, tensor, like):
    """Ours to theirs and back: a linear layer's matrix is transposed, and of a convolution of one element too."""
    if not name.endswith("/weight") or name == "convolution/weight":
        return tensor.reshape(like.shape)
    return tensor.reshape(like.shape[1], like.shape[0]).T.reshape(like.shape)


def load(module, kind, tensors):
    """`tensors`: by our names, flat."""
    state = module.state_dict()
    for name, tensor in tensors.items():
        folder, leaf = name.rsplit("/", 1)
        if folder in joined:
            whole = state[f"self_attn.in_proj_{leaf}"]
            part = whole.chunk(3)[joined.index(folder)]
            part.copy_(laid_out(name, tensor, part))
        else:
            target = state[theirs(kind, name)]
            target.copy_(laid_out(name, tensor, target))


def saved(module, kind, names):
    """The tensors of these names of ours, flat, as they are now."""
    state = module.state_dict()
    tensors = {}
    for name in names:
        folder, leaf = name.rsplit("/", 1)
        if folder in joined:
            tensor = state[f"self_attn.in_proj_{leaf}"].chunk(3)[joined.index(folder)]
        else:
            tensor = state[theirs(kind, name)]
        is_matrix = name.endswith("/weight") and name != "convolution/weight"
        tensors[name] = (tensor.reshape(tensor.shape[0], -1).T if is_matrix else tensor).contiguous().flatten().clone()
    return tensors


def optimiser(module, *, rate, decay, fused=False):
    """AdamW that spares biases and norms from the decay."""
    matrices = [each for each in module.parameters() if each.ndim > 1]
    others = [each for each in module.parameters() if each.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, fused=fused)


def step(module, adam, x, y, clip_norm=None):
    """The loss before the update, a tensor."""
    adam.zero_grad(set_to_none=True)
    result = module(x)
    loss = F.cross_entropy(result, y) if y.ndim == 2 else F.mse_loss(result, y)
    loss.backward()
    if clip_norm is not None:
        nn.utils.clip_grad_norm_(module.parameters(), clip_norm)
    adam.step()
    return loss.detach()
