//! Devices by name, chosen at run time among those the program was built with.

use burn::tensor::Device;

use crate::{Error, Result};

/// A device family: its name, and the cargo feature it needs (none for the CPU).
const FAMILIES: [(&str, Option<&str>); 6] = [
    ("cpu", None),
    ("cuda", Some("cuda")),
    ("metal", Some("metal")),
    ("rocm", Some("rocm")),
    ("vulkan", Some("vulkan")),
    ("wgpu", Some("wgpu")),
];

/// The device called `name`: `cpu`, or `cuda`, `metal`, `rocm`, `vulkan`, `wgpu`, with `:N` behind it for the N-th
/// discrete GPU.
///
/// # Errors
/// When there is no such device, and [`Error::DeviceNotBuilt`].
pub fn device(name: &str) -> Result<Device> {
    let unknown = || {
        Error::from(gioconda_model::Error::UnknownName {
            what: "device",
            name: name.to_owned(),
            known: FAMILIES.map(|(family, _)| family).join(", "),
        })
    };
    let (family, index) = match name.split_once(':') {
        Some((family, index)) => (family, Some(index.parse::<usize>().map_err(|_| unknown())?)),
        None => (name, None),
    };
    let Some(&(_, feature)) = FAMILIES.iter().find(|(known, _)| *known == family) else {
        return Err(unknown());
    };
    match (feature, index) {
        (None, None) => Ok(Device::flex()),
        (None, Some(_)) => Err(unknown()),
        (Some(feature), index) => {
            gpu(family, index).ok_or_else(|| Error::DeviceNotBuilt { device: name.to_owned(), feature })
        }
    }
}

#[cfg_attr(
    not(any(feature = "cuda", feature = "metal", feature = "rocm", feature = "vulkan", feature = "wgpu")),
    expect(unused_variables, reason = "a build without GPU backends knows no index")
)]
fn gpu(family: &str, index: Option<usize>) -> Option<Device> {
    #[cfg(any(feature = "metal", feature = "vulkan", feature = "wgpu"))]
    let kind = index.map_or(burn::tensor::DeviceKind::DefaultDevice, burn::tensor::DeviceKind::DiscreteGpu);
    match family {
        #[cfg(feature = "cuda")]
        "cuda" => Some(Device::cuda(index.unwrap_or(0))),
        #[cfg(feature = "metal")]
        "metal" => Some(Device::metal(kind)),
        #[cfg(feature = "rocm")]
        "rocm" => Some(Device::rocm(index.unwrap_or(0))),
        #[cfg(feature = "vulkan")]
        "vulkan" => Some(Device::vulkan(kind)),
        #[cfg(feature = "wgpu")]
        "wgpu" => Some(Device::wgpu(kind)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert!(device("cpu").is_ok());
        for unknown in ["", "gpu", "cpu:1", "cuda:first"] {
            assert!(matches!(device(unknown), Err(Error::Model(_))), "{unknown}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_missing_backend_names_its_feature() {
        let message = device("cuda:0").unwrap_err().to_string();
        assert_eq!(message, "device `cuda:0` needs a build with `--features cuda`");
    }
}
