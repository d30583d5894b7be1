"""PyTorch twin of crates/networks: the same networks with the same names, from PyTorch's own layers.

Spectral norm is torch.nn.utils.parametrizations.spectral_norm, instance norm torch.nn.InstanceNorm2d, sampling
torch.nn.functional.grid_sample. Networks stay in eval mode, so that the singular vectors move only in power_iteration().
"""
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

EPS = 1e-4
FLOW_RANGE = 0.25
COLOUR_MARGIN = 1e-4
BRIGHT = 0.4, 0.8


def normalized(layer, on):
    return spectral_norm(layer, eps=EPS) if on else layer


class Adaptive(nn.Module):
    """AdaIN: takes its bias, then its scale, from what is left of psi."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.InstanceNorm2d(channels, eps=EPS)
        self.channels = channels

    def forward(self, x, psi):
        bias, scale = psi.take(self.channels), psi.take(self.channels)
        return self.norm(x) * scale + bias


class Psi:
    def __init__(self, values):
        self.values, self.taken = values, 0

    def take(self, channels):
        part = self.values[:, self.taken:self.taken + channels]
        self.taken += channels
        return part[:, :, None, None]


class Attention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        inner = max(channels // 8, 1)
        self.query, self.key, self.value = (normalized(nn.Conv2d(channels, inner, 1), True) for _ in range(3))
        self.output = normalized(nn.Conv2d(inner, channels, 1), True)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        query, key, value = self.query(x).flatten(2), self.key(x).flatten(2), self.value(x).flatten(2)
        weights = torch.einsum('bcj,bci->bji', query, key).softmax(2)
        drawn = torch.einsum('bci,bji->bcj', value, weights).view(x.shape[0], -1, *x.shape[2:])
        return x + self.gamma * self.output(drawn)


class Block(nn.Module):
    """The residual block as DESIGN.md writes it: the skip's resampling in the block's own order."""

    def __init__(self, inputs, outputs, resample, norm, relu, sn, attention=False):
        super().__init__()
        bias, stride = norm == 'none', 2 if resample == 'stride' else 1
        make = {'none': lambda c: None, 'affine': lambda c: nn.InstanceNorm2d(c, eps=EPS, affine=True), 'adaptive': Adaptive}[norm]
        self.norm1, self.norm2 = make(inputs), make(outputs)
        self.conv1 = normalized(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=bias), sn)
        self.conv2 = normalized(nn.Conv2d(outputs, outputs, 3, 1, 1, bias=bias), sn)
        same = inputs == outputs and resample == 'keep'
        self.skip = None if same else normalized(nn.Conv2d(inputs, outputs, 1), sn)
        self.attention = Attention(outputs) if attention else None
        self.resample, self.relu, self.norm = resample, relu, norm

    def forward(self, x, psi=None):
        apply = {'none': lambda _, x: x, 'affine': lambda n, x: n(x), 'adaptive': lambda n, x: n(x, psi)}[self.norm]
        out, skip = apply(self.norm1, x), x
        if self.relu:
            out = F.relu(out)
        if self.resample == 'up':
            out, skip = F.interpolate(out, scale_factor=2), F.interpolate(skip, scale_factor=2)
        out = self.conv2(F.relu(apply(self.norm2, self.conv1(out))))
        skip = self.skip(skip) if self.skip else skip
        if self.resample == 'pool':
            out, skip = F.avg_pool2d(out, 2), F.avg_pool2d(skip, 2)
        if self.resample == 'stride':
            skip = F.avg_pool2d(skip, 2)
        out = out + skip
        return self.attention(out) if self.attention else out


def down_path(widths):
    return nn.ModuleList(Block(i, o, 'pool', 'none', level > 0, True) for level, (i, o) in enumerate(zip([6] + widths, widths)))


def sum_pooled(x):
    return F.relu(x).sum((2, 3))


class Embedder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.blocks = down_path(config['widths'])

    def forward(self, frames, pictures):
        x = torch.cat([pictures, frames], 2).flatten(0, 1)
        for block in self.blocks:
            x = block(x)
        return sum_pooled(x).view(*frames.shape[:2], -1).mean(1)


class Generator(nn.Module):
    def __init__(self, config):
        super().__init__()
        widths, skips, sn = config['widths'], config['skips'], config['spectral_norm']
        first = int(skips)
        self.config = config
        self.stem = normalized(nn.Conv2d(config['input'], widths[0], 3, 1, 1), sn) if skips else None
        ins = ([config['input']] + widths)[first:]
        self.down = nn.ModuleList(
            Block(i, o, 'stride' if skips else 'pool', 'none' if level + first == 0 else 'affine', level + first > 0, sn)
            for level, (i, o) in enumerate(zip(ins, widths[first:])))
        self.middle = nn.ModuleList(Block(widths[-1], widths[-1], 'keep', 'adaptive', True, sn) for _ in range(config['residual_blocks']))
        self.up, channels = nn.ModuleList(), widths[-1]
        for width in widths[::-1][first:]:
            self.up.append(Block(channels, width, 'up', 'adaptive', True, sn))
            channels = width * (2 if skips else 1)
        self.norm = Adaptive(channels)
        composes = config['output'] == 'composition'
        self.output = normalized(nn.Conv2d(channels, 6 if composes else 3, 3, 1, 1), sn and not composes)
        length = 2 * sum(m.channels for m in self.modules() if isinstance(m, Adaptive))
        self.projection = normalized(nn.Linear(config['embedding'], length), sn and not composes)

    def forward(self, x, psi):
        psi, levels = Psi(psi), []
        x = self.stem(x) if self.stem else x
        for block in self.down:
            levels.append(x)
            x = block(x)
        for block in self.middle:
            x = block(x, psi)
        for block in self.up:
            x = block(x, psi)
            if self.config['skips']:
                x = torch.cat([x, levels.pop()], 1)
        x = self.output(F.relu(self.norm(x, psi)))
        assert psi.taken == psi.values.shape[1]
        if self.config['output'] == 'rgb':
            return x.tanh()
        return torch.cat([x[:, :2].tanh() * FLOW_RANGE, x[:, 2:3].sigmoid(), x[:, 3:]], 1)


class Discriminator(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.blocks = down_path(config['widths'])
        width = config['widths'][-1]
        self.blocks.append(Block(width, width, 'keep', 'none', True, True))
        self.linear = normalized(nn.Linear(width, 1), True)

    def forward(self, frames, pictures, rows):
        x, features = torch.cat([pictures, frames], 1), []
        for block in self.blocks:
            x = block(x)
            features.append(x)
        v = sum_pooled(x)
        return (v * rows).sum(1) + self.linear(v)[:, 0], features


def video_embeddings(videos, width):
    embedding = nn.Embedding(videos, width)
    embedding.weight.data.uniform_(-0.1, 0.1)
    return normalized(embedding, True)


def sample(photo, grid):
    return F.grid_sample(photo, grid, 'bilinear', 'border', align_corners=False)


def compose(output, photo, grid):
    if output.shape[2:] != grid.shape[1:3]:
        output = F.interpolate(output, grid.shape[1:3], mode='bilinear', align_corners=False)
    flow, mask, offset = output[:, :2].permute(0, 2, 3, 1), output[:, 2:3], output[:, 3:]
    base = sample(photo, grid).clamp(COLOUR_MARGIN - 1, 1 - COLOUR_MARGIN)
    moves = (offset + base.atanh()).tanh() - base
    others = (moves.sum(1, keepdim=True) - moves.amax(1, keepdim=True)) / 2
    bright = ((base - BRIGHT[0]) / (BRIGHT[1] - BRIGHT[0])).clamp(0, 1)
    colour = base + moves + bright * (others - moves).clamp(max=0)
    warped = sample(photo, grid + flow)
    return mask * warped + (1 - mask) * colour, warped, colour


def power_iteration(module):
    for norm in (m for m in module.modules() if type(m).__name__ == '_SpectralNorm'):
        layer = next(m for m in module.modules() if hasattr(m, 'parametrizations') and norm in m.parametrizations.weight)
        with torch.no_grad():
            norm._power_method(norm._reshape_weight_to_matrix(layer.parametrizations.weight.original), 1)


class Vgg(nn.Module):
    """conv{b}_{i} -> ReLU, 2x2 max pooling between blocks; features behind the named ReLUs."""

    def __init__(self, widths, convolutions):
        super().__init__()
        self.names, channels = [], 3
        for block, (width, count) in enumerate(zip(widths, convolutions), 1):
            for index in range(1, count + 1):
                self.names.append(f'conv{block}_{index}')
                self.add_module(self.names[-1], nn.Conv2d(channels, width, 3, 1, 1))
                channels = width

    def forward(self, frame, taps):
        bgr = ((frame + 1) * 127.5).flip(1)
        x, features = bgr - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1), []
        for name in self.names:
            if name.endswith('_1') and name != 'conv1_1':
                x = F.max_pool2d(x, 2)
            x = F.relu(getattr(self, name)(x))
            if name in taps:
                features.append(x)
        return features


class MobileNetV2(nn.Module):
    """torchvision's features.0 to features.{len(widths)}, with its tensor names."""
    STRIDES = [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1]

    def __init__(self, stem, widths, expansion):
        super().__init__()
        def unit(i, o, kernel, stride, groups):
            return nn.Sequential(nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(o), nn.ReLU6())
        self.features, channels = nn.ModuleList([unit(3, stem, 3, 2, 1)]), stem
        for index, (width, stride) in enumerate(zip(widths, self.STRIDES)):
            inner = channels * (expansion if index else 1)
            layers = ([unit(channels, inner, 1, 1, 1)] if index else []) + [unit(inner, inner, 3, stride, inner)]
            block = nn.Module()
            block.conv = nn.Sequential(*layers, nn.Conv2d(inner, width, 1, bias=False), nn.BatchNorm2d(width))
            block.residual = stride == 1 and width == channels
            self.features.append(block)
            channels = width

    def forward(self, frame, taps):
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x = ((frame + 1) / 2 - mean.view(1, 3, 1, 1)) / deviation.view(1, 3, 1, 1)
        x, features = self.features[0](x), []
        for index, block in enumerate(self.features[1:], 1):
            x = block.conv(x) + (x if block.residual else 0)
            if index in taps:
                features.append(x)
        return features


def content_loss(fake, real, relative):
    terms = (F.l1_loss(f, r.detach()) / (r.abs().mean() if relative else 1) for f, r in zip(fake, real))
    return sum(terms)


def pixel_loss(frame, target, masks):
    weights = 1 + 2 * masks[:, 0:1] + 6 * masks[:, 2:3] + 8 * masks[:, 3:4]
    weights = weights / weights.mean((2, 3), keepdim=True)
    total = sum(F.l1_loss(frame.diff(dim=d), target.diff(dim=d)) for d in (2, 3))
    for level in range(4):
        if level:
            frame, target, weights = (F.avg_pool2d(t, 2) for t in (frame, target, weights))
        total = total + ((frame - target).abs() * weights).mean()
    return total
