"""Runs the graphs that `cargo run --release -p gioconda-networks --example export_graphs FOLDER` wrote in ONNX Runtime and
compares them with rten's answers, which lie beside them.

    python reference-tests/onnx_runtime.py FOLDER
"""
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
from safetensors.numpy import load_file

folder = Path(sys.argv[1])
worst = 0.0
for path in sorted(folder.glob('*.onnx')):
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    recorded = load_file(path.with_suffix('.safetensors'))
    run = lambda: session.run(['output'], {'input': recorded['input']})[0]
    output = run()
    times = []
    for _ in range(7):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    scale = np.abs(recorded['burn']).max()
    burn, rten = (float(np.abs(output - recorded[name]).max() / scale) for name in ('burn', 'rten'))
    worst = max(worst, burn, rten)
    print(f'{path.stem:9} {output.shape}  {np.median(times) * 1e3:6.0f} ms   off from Burn by {burn:.1e}, from rten by {rten:.1e}')
sys.exit(worst > 1e-4)
