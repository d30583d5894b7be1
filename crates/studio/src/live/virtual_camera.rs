//! The live portrait as a camera of this machine: `--virtual-camera /dev/videoN`.
//!
//! On Linux, the v4l2loopback module makes devices that one program writes pictures to and all others see as a camera.
//! The device gets one format for its life, 512 x 512 pixels of YUYV, which every program can read; pictures of
//! another size are scaled to it. Where several sessions run, each picture is shown as it comes: the studio has one
//! camera.

use std::path::Path;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use image::RgbImage;

use crate::error::Error;

/// Side of the device's pictures, pixels.
const SIDE: u32 = 512;

/// A device that is open for writing. It is closed when this goes.
pub(crate) struct VirtualCamera {
    pictures: SyncSender<RgbImage>,
}

impl VirtualCamera {
    /// Opens the device and sets its format.
    ///
    /// # Errors
    /// When there is no such device, it is not one to write pictures to, or this is not Linux.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |what: String| Error::VirtualCamera { path: path.to_owned(), what };
        let mut device = device::open(path).map_err(failed)?;
        let (pictures, waiting) = sync_channel::<RgbImage>(1);
        let name = path.to_owned();
        let show = move || {
            for picture in waiting {
                let frame = yuyv(&gioconda_media::resize(&picture, SIDE, SIDE));
                if let Err(error) = std::io::Write::write_all(&mut device, &frame) {
                    tracing::error!(
                        "{}: the virtual camera shows nothing any more ({error})",
                        name.display()
                    );
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("virtual camera".to_owned()).spawn(show);
        thread.map_err(|error| failed(error.to_string()))?;
        Ok(Self { pictures })
    }

    /// Shows a picture, unless the one before is still being shown.
    pub(crate) fn show(&self, picture: &RgbImage) {
        match self.pictures.try_send(picture.clone()) {
            // Behind, or broken; the thread has said so.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

/// Packed 4:2:2 of BT.601 in the limited range, two pixels in the order Y, U, Y, V.
fn yuyv(picture: &RgbImage) -> Vec<u8> {
    let mut packed = Vec::with_capacity(picture.as_raw().len() * 2 / 3);
    for pair in picture.as_raw().as_chunks::<6>().0 {
        let [r0, g0, b0, r1, g1, b1] = pair.map(f32::from);
        let luma = |r: f32, g: f32, b: f32| 16.0 + 0.2568 * r + 0.5041 * g + 0.0979 * b;
        let (r, g, b) = (0.5 * (r0 + r1), 0.5 * (g0 + g1), 0.5 * (b0 + b1));
        let u = 128.0 - 0.1482 * r - 0.2910 * g + 0.4392 * b;
        let v = 128.0 + 0.4392 * r - 0.3678 * g - 0.0714 * b;
        packed.extend([luma(r0, g0, b0), u, luma(r1, g1, b1), v].map(|sample| sample.round() as u8));
    }
    packed
}

#[cfg(target_os = "linux")]
mod device {
    use std::fs::{File, OpenOptions};
    use std::os::unix::fs::FileTypeExt;
    use std::path::Path;

    use rustix::ioctl::{Updater, ioctl, opcode};

    use super::SIDE;

    /// `struct v4l2_format` of `linux/videodev2.h` with its `v4l2_pix_format`; the union has the alignment of a pointer.
    #[repr(C)]
    #[derive(Default)]
    struct Format {
        kind: u32,
        picture: Picture,
    }

    #[repr(C)]
    struct Picture {
        width: u32,
        height: u32,
        pixel_format: u32,
        field: u32,
        bytes_per_line: u32,
        size: u32,
        colour_space: u32,
        rest: [u32; 43],
        alignment: [usize; 0],
    }

    impl Default for Picture {
        fn default() -> Self {
            Self {
                width: SIDE,
                height: SIDE,
                pixel_format: u32::from_le_bytes(*b"YUYV"),
                // V4L2_FIELD_NONE: whole pictures.
                field: 1,
                bytes_per_line: 2 * SIDE,
                size: 2 * SIDE * SIDE,
                // V4L2_COLORSPACE_SRGB.
                colour_space: 8,
                rest: [0; 43],
                alignment: [],
            }
        }
    }

    /// `V4L2_BUF_TYPE_VIDEO_OUTPUT`.
    const OUTPUT: u32 = 2;
    /// `VIDIOC_S_FMT`.
    const SET_FORMAT: u32 = opcode::read_write::<Format>(b'V', 5);

    pub(super) fn open(path: &Path) -> Result<File, String> {
        let advice = "load the module v4l2loopback (`sudo modprobe v4l2loopback`) and name its device";
        let metadata =
            std::fs::metadata(path).map_err(|error| format!("no such device ({error}); {advice}"))?;
        if !metadata.file_type().is_char_device() {
            return Err(format!("not a video device; {advice}"));
        }
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|error| format!("cannot be opened ({error}); check that you may write to it"))?;
        let mut format = Format { kind: OUTPUT, ..Format::default() };
        set_format(&device, &mut format).map_err(|error| format!("takes no pictures ({error}); {advice}"))?;
        let Picture { width, height, pixel_format, .. } = format.picture;
        if (width, height, pixel_format) != (SIDE, SIDE, u32::from_le_bytes(*b"YUYV")) {
            return Err(format!(
                "another program holds it at {width}x{height} pixels; close that program, or load v4l2loopback anew"
            ));
        }
        Ok(device)
    }

    #[allow(unsafe_code, reason = "the system call that sets a video device's format has no safe form")]
    fn set_format(device: &File, format: &mut Format) -> rustix::io::Result<()> {
        // SAFETY: VIDIOC_S_FMT reads and writes one `v4l2_format`, which `Format` is in size and layout (tested below);
        // every bit pattern of it is valid. A device that knows no video answers ENOTTY and touches nothing.
        unsafe { ioctl(device, Updater::<SET_FORMAT, Format>::new(format)) }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        #[cfg(target_pointer_width = "64")]
        fn the_format_is_laid_out_as_the_kernel_has_it() {
            assert_eq!(size_of::<Format>(), 208);
            assert_eq!(std::mem::offset_of!(Format, picture), 8);
            assert_eq!(SET_FORMAT, 0xc0d0_5605, "VIDIOC_S_FMT on 64 bits");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod device {
    use std::fs::File;
    use std::path::Path;

    pub(super) fn open(_path: &Path) -> Result<File, String> {
        Err("virtual cameras are there on Linux only; elsewhere show the broadcast page with OBS".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_bt_601() {
        let cases = [
            ([255, 255, 255], [235, 128, 235, 128]),
            ([0, 0, 0], [16, 128, 16, 128]),
            ([255, 0, 0], [81, 90, 81, 240]),
            ([0, 0, 255], [41, 240, 41, 110]),
        ];
        for (colour, expected) in cases {
            assert_eq!(yuyv(&RgbImage::from_pixel(2, 1, image::Rgb(colour))), expected, "{colour:?}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_no_video_device_is_refused_in_words() {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for (path, expected) in [
            ("/dev/video-none", "no such device"),
            (here, "not a video device"),
            ("/dev/null", "takes no pictures"),
        ] {
            let error = VirtualCamera::open(Path::new(path)).err().expect(path).to_string();
            assert!(error.starts_with(path) && error.contains(expected), "{error}");
        }
    }
}
