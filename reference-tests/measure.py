"""Milliseconds of the twin's generators: forward, and forward with backward. The PyTorch column beside
`cargo run --release -p gioconda-networks --example measure`.

    python reference-tests/measure.py
"""
import time

import torch

import twin

PAPER = {'input': 3, 'widths': [64, 128, 256, 512], 'residual_blocks': 4, 'skips': False, 'spectral_norm': True,
         'embedding': 512, 'output': 'rgb'}
PORTRAIT = {'input': 10, 'widths': [24, 48, 96, 192], 'residual_blocks': 2, 'skips': True, 'spectral_norm': False,
            'embedding': 128, 'output': 'composition'}
RUNS = 7


def median(run):
    run()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[RUNS // 2] * 1e3


print(f'PyTorch {torch.__version__}, {torch.get_num_threads()} threads')
for name, config, size in [('paper', PAPER, 256), ('portrait', PORTRAIT, 128)]:
    generator = twin.Generator(config).eval()
    length = generator.projection.out_features
    x, psi = torch.rand(1, config['input'], size, size) * 2 - 1, torch.randn(1, length)

    def backward():
        generator.zero_grad()
        generator(x, psi).abs().mean().backward()

    both = median(backward)
    for layer in generator.modules():  # spectral norm folded, as in the Rust measurement
        if torch.nn.utils.parametrize.is_parametrized(layer, 'weight'):
            torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight')
    with torch.no_grad():
        forward = median(lambda: generator(x, psi))
    print(f'{name:9} {size:4}  forward {forward:6.0f} ms   forward and backward {both:6.0f} ms')
