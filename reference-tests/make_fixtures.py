"""Writes crates/networks/tests/fixtures: narrow networks of the twin with random weights, their inputs and outputs.

    python reference-tests/make_fixtures.py
"""
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import twin

FOLDER = Path(__file__).resolve().parent.parent / 'crates/networks/tests/fixtures'

EMBEDDER = {'widths': [4, 8, 12], 'resolution': 32, 'self_attention': False}
RGB = {'input': 3, 'widths': [4, 8, 12], 'residual_blocks': 2, 'skips': False, 'spectral_norm': True, 'self_attention': False,
       'embedding': 12, 'output': 'rgb', 'resolution': 32}
COMPOSITION = RGB | {'input': 10, 'skips': True, 'spectral_norm': False, 'output': 'composition'}


def named(prefix, module):
    """The module's tensors under the names of crates/networks."""
    tensors = {}
    for name, value in module.state_dict().items():
        name = name.replace('parametrizations.weight.original', 'weight').replace('parametrizations.weight.0._u', 'u')
        if name.endswith(('_v', 'num_batches_tracked')):
            continue
        if '.norm' in f'.{name}':
            name = name.replace('weight', 'scale')
        tensors[f'{prefix}.{name}'] = value.detach().clone().contiguous()
    return tensors


def randomized(module):
    """Random weights everywhere, also where training starts at zero or one; singular vectors half converged."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += torch.randn_like(parameter) * 0.1
    twin.power_iteration(module)
    return module.eval()


def uniform(*shape):
    return torch.rand(*shape) * 2 - 1


def save(name, preset, generator, tensors):
    config = {'embedder': EMBEDDER, 'generator': generator, 'discriminator': EMBEDDER}
    header = {'format': 'gioconda-weights-1', 'preset': preset, 'config': json.dumps(config), 'landmark_picture_version': '1',
              'training_data': 'random numbers', 'licence': 'CC0-1.0'}
    tensors = {key: value.detach().float().contiguous().clone() for key, value in tensors.items()}
    save_file(tensors, FOLDER / f'{name}.safetensors', header)


def blocks():
    cases = {  # as in crates/networks/tests/pytorch.rs
        'first': (3, 8, 'pool', 'none', False, True, False),
        'pool': (8, 12, 'pool', 'none', True, True, False),
        'pool_affine': (8, 12, 'pool', 'affine', True, True, False),
        'keep': (8, 8, 'keep', 'none', True, True, False),
        'keep_adaptive': (8, 8, 'keep', 'adaptive', True, True, False),
        'up_adaptive': (8, 4, 'up', 'adaptive', True, True, False),
        'stride_affine': (8, 12, 'stride', 'affine', True, False, False),
        'attention': (8, 16, 'pool', 'none', True, True, True),
    }
    tensors = {}
    for name, case in cases.items():
        block = randomized(twin.Block(*case))
        x = uniform(2, case[0], 8, 6).requires_grad_()
        psi = torch.randn(2, 2 * (case[0] + case[1]), requires_grad=True) if case[3] == 'adaptive' else None
        out = block(x, twin.Psi(psi)) if psi is not None else block(x)
        out.square().sum().backward()
        tensors |= named(name, block)
        tensors |= {f'io.{name}.x': x, f'io.{name}.out': out, f'io.{name}.x_gradient': x.grad}
        tensors[f'io.{name}.weight_gradient'] = (block.conv1.parametrizations.weight.original if case[5] else block.conv1.weight).grad
        if psi is not None:
            tensors |= {f'io.{name}.psi': psi, f'io.{name}.psi_gradient': psi.grad}
    save('blocks', 'paper', RGB, tensors)


def singular_vectors():
    conv = twin.normalized(torch.nn.Conv2d(5, 7, 3, 1, 1), True).eval()
    with torch.no_grad():
        conv.parametrizations.weight[0]._u.copy_(F.normalize(torch.randn(7), dim=0))
    norm, weight = conv.parametrizations.weight[0], conv.parametrizations.weight.original
    with torch.no_grad():  # v follows from u, as in crates/networks
        norm._v.copy_(F.normalize(weight.flatten(1).T @ norm._u, dim=0))
    tensors = named('before', conv)
    twin.power_iteration(conv)
    x = uniform(1, 5, 6, 6)
    save('spectral_norm', 'paper', RGB, tensors | named('after', conv) | {'io.x': x, 'io.out': conv(x)})


def perceptual_networks():
    """Content loss on networks whose sizes come from their files."""
    vgg, mobilenet = twin.Vgg([4, 6, 8, 8, 8], [2, 2, 3, 3, 1]).eval(), twin.MobileNetV2(4, [4, 6, 6, 8, 8, 8], 3).eval()
    with torch.no_grad():
        for tensor in mobilenet.state_dict().values():
            if tensor.is_floating_point() and tensor.dim() == 1:
                tensor.uniform_(0.5, 1.5)
    save_file(vgg.state_dict(), FOLDER / 'vgg.safetensors')
    save_file(mobilenet.state_dict(), FOLDER / 'mobilenet.safetensors')
    vgg_taps = ['conv1_1', 'conv2_1', 'conv3_1', 'conv4_1', 'conv5_1']
    return {'vgg': lambda f: vgg(f, vgg_taps), 'mobilenet': lambda f: mobilenet(f, [1, 3, 6])}


def networks(name, preset, generator_config, perceptual):
    embedder, discriminator = randomized(twin.Embedder(EMBEDDER)), randomized(twin.Discriminator(EMBEDDER))
    generator, videos = randomized(twin.Generator(generator_config)), randomized(twin.video_embeddings(3, 12))
    frames, pictures = uniform(2, 2, 3, 32, 32), uniform(2, 2, 3, 32, 32)
    frame, picture, video = uniform(2, 3, 32, 32), uniform(2, 3, 32, 32), torch.tensor([2, 0])
    tensors = named('embedder', embedder) | named('generator', generator) | named('discriminator', discriminator) | named('videos', videos)
    tensors |= {'io.frames': frames, 'io.pictures': pictures, 'io.frame': frame, 'io.picture': picture}

    embedding = embedder(frames, pictures)
    psi = generator.projection(embedding)
    tensors |= {'io.embedding': embedding, 'io.psi': psi}
    if preset == 'portrait':
        photo, grid, masks = uniform(2, 3, 40, 36), uniform(2, 32, 32, 2), torch.rand(2, 4, 32, 32)
        tensors |= {'io.photo': photo, 'io.grid': grid, 'io.masks': masks}
        output = generator(torch.cat([twin.sample(photo, grid), picture, masks], 1), psi)
        fake, warped, colour = twin.compose(output, photo, grid)
        large = F.interpolate(grid.permute(0, 3, 1, 2), (50, 60), mode='bilinear').permute(0, 2, 3, 1)
        tensors |= {'io.large_grid': large, 'io.large_frame': twin.compose(output, photo, large)[0]}
        pixel = twin.pixel_loss(fake, frame, masks) + 0.25 * (twin.pixel_loss(warped, frame, masks) + twin.pixel_loss(colour, frame, masks))
    else:
        output = fake = generator(picture, psi)
        pixel = torch.zeros(())
    tensors |= {'io.output': output, 'io.fake': fake}

    # The discriminator's half of the step.
    rows = videos(video)
    real_score, real_features = discriminator(frame, picture, rows)
    fake_score, _ = discriminator(fake.detach(), picture, rows)
    loss = F.relu(1 + fake_score).mean() + F.relu(1 - real_score).mean()
    loss.backward()
    tensors |= {'io.rows': rows, 'io.real_score': real_score, 'io.discriminator_loss': loss.reshape(1)}
    tensors |= {f'io.features.{i}': feature for i, feature in enumerate(real_features)}
    tensors |= {'io.discriminator_gradient': gradient_norm(discriminator), 'io.videos_gradient': gradient_norm(videos)}

    # The generator's half.
    fake_score, fake_features = discriminator(fake, picture, rows.detach())
    terms = {
        'content': 0.15 * twin.content_loss(perceptual['vgg'](fake), perceptual['vgg'](frame), False)
                   + 0.3 * twin.content_loss(perceptual['mobilenet'](fake), perceptual['mobilenet'](frame), True),
        'adversarial': -fake_score.mean(),
        'feature_matching': sum(F.l1_loss(f, r.detach()) for f, r in zip(fake_features, real_features)) / len(real_features),
        'matching': F.l1_loss(embedding, rows.detach()),
        'pixel': pixel,
    }
    weights = {'content': 1, 'adversarial': 1, 'feature_matching': 10, 'matching': 10, 'pixel': 2}
    total = sum(weights[term] * value for term, value in terms.items())
    total.backward()
    tensors |= {f'io.loss.{term}': value.reshape(1) for term, value in (terms | {'total': total}).items()}
    tensors |= {'io.embedder_gradient': gradient_norm(embedder), 'io.generator_gradient': gradient_norm(generator)}
    save(name, preset, generator_config, tensors)


def gradient_norm(module):
    return torch.stack([p.grad.square().sum() for p in module.parameters() if p.grad is not None]).sum().sqrt().reshape(1)


def main():
    torch.manual_seed(20190520)
    FOLDER.mkdir(parents=True, exist_ok=True)
    blocks()
    singular_vectors()
    perceptual = perceptual_networks()
    networks('paper', 'paper', RGB, perceptual)
    networks('portrait', 'portrait', COMPOSITION, perceptual)
    for path in sorted(FOLDER.iterdir()):
        print(f'{path.stat().st_size / 1024:8.0f} KB  {path.name}')


if __name__ == '__main__':
    main()
