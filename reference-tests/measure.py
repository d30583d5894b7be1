"""PyTorch's column beside `cargo run --release -p gioconda-networks --example measure` (milliseconds of the twin's
generators) and `cargo bench -p gioconda-networks --bench convolutions -- net` (GFLOP/s of the seven-layer net).

    python reference-tests/measure.py [THREADS]
"""
import sys
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


def fastest(run):
    run()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def seven_layers():
    """3->32, 32->64 and 64->128 with stride 2, four times 128->128, each with instance norm and ReLU."""
    widths = [(3, 32, 1), (32, 64, 2), (64, 128, 2)] + [(128, 128, 1)] * 4
    layers, size, flop = [], 128, 0
    for inner, outer, stride in widths:
        layers += [torch.nn.Conv2d(inner, outer, 3, stride, 1), torch.nn.InstanceNorm2d(outer, affine=True),
                   torch.nn.ReLU()]
        size //= stride
        flop += 2 * 4 * outer * size * size * inner * 9
    net, x = torch.nn.Sequential(*layers), torch.rand(4, 3, 128, 128)

    def backward():
        net.zero_grad()
        net(x).square().mean().backward()

    with torch.no_grad():
        forward = fastest(lambda: net(x))
    both = fastest(backward)
    print(f'seven layers  forward {flop * 1e-9 / forward:4.0f} GFLOP/s   '
          f'forward and backward {3 * flop * 1e-9 / both:4.0f} GFLOP/s')


if len(sys.argv) > 1:
    torch.set_num_threads(int(sys.argv[1]))
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
seven_layers()
