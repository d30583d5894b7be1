"""Makes reference-tests/metrics.json, which crates/eval's measures are tested against.

SSIM by scikit-image, MS-SSIM by pytorch-msssim, the Fréchet distance by scipy's matrix square root, feature
normalisation by lpips itself.

    pip install torch numpy scipy scikit-image pytorch-msssim lpips
    python reference-tests/make_metric_fixtures.py
"""

import json
import pathlib

import numpy
import torch
from lpips import normalize_tensor, spatial_average
from pytorch_msssim import ms_ssim
from scipy.linalg import sqrtm
from skimage.metrics import structural_similarity

HERE = pathlib.Path(__file__).parent


def picture(other):
    """The same picture as `fixtures::picture`: integers only, so that both languages agree."""
    y, x = numpy.mgrid[0:176, 0:192]
    base = (x * x // 7 + 3 * y + x * y // 11) % 256
    colours = [(base + 40 * c + ((x * 5 + y * 13 + c * 7) % 61 if other else 0)) % 256 for c in range(3)]
    return numpy.stack(colours, axis=2).astype(numpy.float64) / 255.0


def frechet(a, b):
    covariances = [numpy.cov(features, rowvar=False) for features in (a, b)]
    root = sqrtm(covariances[0] @ covariances[1]).real
    shift = a.mean(axis=0) - b.mean(axis=0)
    return float(shift @ shift + numpy.trace(covariances[0] + covariances[1] - 2.0 * root))


def lpips_layer(a, b):
    """One layer of lpips.LPIPS(lpips=False): `diffs[kk].sum(dim=1)`, then the spatial average."""
    difference = (normalize_tensor(a) - normalize_tensor(b)) ** 2
    return float(spatial_average(difference.sum(dim=1, keepdim=True), keepdim=True))


def main():
    a, b = picture(False), picture(True)
    similarity = structural_similarity(
        a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0, channel_axis=2
    )
    tensors = [torch.from_numpy(p).permute(2, 0, 1)[None] for p in (a, b)]
    random = numpy.random.default_rng(4)
    mix = random.normal(size=(6, 6))
    clouds = [random.normal(size=(20, 6)), random.normal(size=(25, 6)) @ mix * 0.5 + 0.3]
    clouds = [numpy.round(cloud, 4) for cloud in clouds]
    features = [numpy.round(numpy.abs(random.normal(size=(1, 5, 4, 3))), 4) for _ in range(2)]
    fixture = {
        "ssim": float(similarity),
        "ms_ssim": float(ms_ssim(*tensors, data_range=1.0)),
        "frechet_a": clouds[0].tolist(),
        "frechet_b": clouds[1].tolist(),
        "frechet": frechet(*clouds),
        "lpips_shape": [1, 5, 4, 3],
        "lpips_a": features[0].reshape(1, -1).tolist(),
        "lpips_b": features[1].reshape(1, -1).tolist(),
        "lpips": lpips_layer(*(torch.from_numpy(f) for f in features)),
    }
    (HERE / "metrics.json").write_text(json.dumps(fixture, indent=1) + "\n")


if __name__ == "__main__":
    main()
