//! Every measure there is: the one table from which values, tables, pages, thresholds and documentation are made.

use std::collections::BTreeMap;

/// Which of two values is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// The higher.
    Higher,
    /// The lower.
    Lower,
    /// The nearer to 1.
    One,
    /// Neither: a property of the driver, printed for comparison.
    Neither,
}

/// A row of [`MEASURES`].
#[derive(Clone, Copy, Debug)]
pub struct MeasureInfo {
    /// Name in reports and in `--require`.
    pub name: &'static str,
    /// Heading of its column.
    pub title: &'static str,
    /// Unit, empty where there is none.
    pub unit: &'static str,
    /// Which direction is better.
    pub better: Better,
    /// Decimals worth printing.
    pub decimals: usize,
    /// Whether it stands in the table that is read first.
    pub main: bool,
    /// What is computed.
    pub what: &'static str,
}

macro_rules! measure {
    ($name:literal, $title:literal, $unit:literal, $better:ident, $decimals:literal, $main:literal, $what:literal) => {
        MeasureInfo {
            name: $name,
            title: $title,
            unit: $unit,
            better: Better::$better,
            decimals: $decimals,
            main: $main,
            what: $what,
        }
    };
}

/// All measures, in the order of the tables.
#[rustfmt::skip]
pub const MEASURES: [MeasureInfo; 50] = [
    measure!("psnr", "PSNR", "dB", Higher, 2, true, "peak signal-to-noise ratio, whole crop, at most 60"),
    measure!("psnr_face", "PSNR face", "dB", Higher, 2, true, "the same inside the face mask"),
    measure!("psnr_face_turned", "PSNR face turned", "dB", Higher, 2, true, "PSNR face over the frames whose head is turned by more than 15 degrees from the photo's"),
    measure!("psnr_mouth_eyes", "PSNR mouth+eyes", "dB", Higher, 2, true, "PSNR between the true frame's lips and lids"),
    measure!("psnr_mouth", "PSNR mouth", "dB", Higher, 2, false, "the same between the lips, where they are apart"),
    measure!("psnr_eyes", "PSNR eyes", "dB", Higher, 2, false, "the same between the lids, where they are apart"),
    measure!("psnr_hair", "PSNR hair", "dB", Higher, 2, true, "the same in the true frame's matte, outside the face, above the chin"),
    measure!("psnr_neck", "PSNR neck", "dB", Higher, 2, true, "the same in the true frame's matte, outside the face, below the chin: neck and shoulders"),
    measure!("psnr_background", "PSNR background", "dB", Higher, 2, true, "the same outside the mattes of photo and true frame"),
    measure!("l1", "L1", "", Lower, 4, false, "mean absolute difference, whole crop, colours in 0..1"),
    measure!("l1_face", "L1 face", "", Lower, 4, false, "the same inside the face mask"),
    measure!("l1_mouth", "L1 mouth", "", Lower, 4, false, "the same between the lips"),
    measure!("l1_eyes", "L1 eyes", "", Lower, 4, false, "the same between the lids"),
    measure!("l1_hair", "L1 hair", "", Lower, 4, false, "the same in the hair"),
    measure!("l1_neck", "L1 neck", "", Lower, 4, false, "the same in neck and shoulders"),
    measure!("l1_background", "L1 background", "", Lower, 4, false, "the same in the background"),
    measure!("ssim", "SSIM", "", Higher, 3, true, "structural similarity (Wang et al. 2004), 11 x 11 Gaussian window, sigma 1.5, on 0..1"),
    measure!("ssim_face", "SSIM face", "", Higher, 3, false, "mean over the windows around pixels of the face"),
    measure!("ssim_mouth", "SSIM mouth", "", Higher, 3, false, "likewise between the lips"),
    measure!("ssim_eyes", "SSIM eyes", "", Higher, 3, false, "likewise between the lids"),
    measure!("ssim_hair", "SSIM hair", "", Higher, 3, false, "likewise in the hair"),
    measure!("ssim_neck", "SSIM neck", "", Higher, 3, false, "likewise in neck and shoulders"),
    measure!("ssim_background", "SSIM background", "", Higher, 3, false, "likewise in the background"),
    measure!("ms_ssim", "MS-SSIM", "", Higher, 3, false, "multi-scale structural similarity (Wang et al. 2003)"),
    measure!("detail_mouth", "detail mouth", "", One, 2, true, "energy of luma above a quarter of the sampling rate between the lips, output over true frame, each summed over the frames of a clip; a blur is below 1, noise above"),
    measure!("detail_eyes", "detail eyes", "", One, 2, true, "the same between the lids"),
    measure!("background_changed", "background changed", "%", Lower, 2, true, "share of background pixels in which a channel of the output is more than 2 levels of 255 from the photo"),
    measure!("perceptual", "perceptual", "", Lower, 3, true, "distance of VGG16-HED features normalised as in LPIPS; not LPIPS"),
    measure!("perceptual_face", "perceptual face", "", Lower, 3, false, "the same inside the face mask"),
    measure!("lpips", "LPIPS", "", Lower, 3, true, "LPIPS (VGG, v0.1); only with the original VGG16 weights at hand"),
    measure!("csim", "CSIM", "", Higher, 3, true, "cosine similarity of identity embeddings, output and photo"),
    measure!("csim_truth", "CSIM truth", "", Higher, 3, false, "the same, output and true frame"),
    measure!("akd", "AKD", "px", Lower, 2, true, "mean absolute difference of re-detected landmark coordinates, at 256 pixels"),
    measure!("akd_mouth", "AKD mouth", "px", Lower, 2, false, "the same over the lips' landmarks"),
    measure!("akd_eyes", "AKD eyes", "px", Lower, 2, false, "the same over lids and irises"),
    measure!("nme", "NME", "%", Lower, 2, false, "mean landmark distance over the distance of the outer eye corners"),
    measure!("expression", "expression", "", Lower, 4, true, "mean absolute difference of the 52 blendshape coefficients"),
    measure!("pose", "pose", "°", Lower, 2, true, "angle between wanted and found head rotation"),
    measure!("mouth_opening", "mouth opening", "", Lower, 4, true, "absolute error of lip distance over mouth width"),
    measure!("eye_opening", "eye opening", "", Lower, 4, true, "absolute error of lid distance over eye width, mean of both eyes"),
    measure!("mouth_correlation", "mouth corr.", "", Higher, 3, false, "correlation of wanted and found mouth opening over a clip's frames"),
    measure!("eye_correlation", "eye corr.", "", Higher, 3, false, "correlation of wanted and found eye opening over a clip's frames"),
    measure!("gaze", "gaze", "", Lower, 4, false, "distance of iris positions in units of the eye's width, mean of both eyes"),
    measure!("jitter", "jitter", "px", Lower, 3, true, "mean length of the landmarks' second difference over three consecutive frames"),
    measure!("jitter_driver", "jitter driver", "px", Neither, 3, false, "the same of the driver"),
    measure!("jitter_ratio", "jitter ratio", "", Lower, 2, false, "jitter over the driver's"),
    measure!("jitter_excess", "jitter excess", "px", Lower, 3, false, "jitter less the driver's"),
    measure!("no_face", "no face", "%", Lower, 1, true, "share of outputs in which no face is found; they count in no measure of landmarks"),
    measure!("fid", "FID", "", Lower, 2, true, "Fréchet distance of MobileNetV2 features (ImageNet, 96 channels of block 13, averaged over the picture), outputs against real frames of the same clips; over all clips, not comparable with Inception's FID"),
    measure!("fid_count", "FID N", "", Neither, 0, false, "outputs that the Fréchet distance is over"),
];

/// The row called `name`.
pub fn measure(name: &str) -> Option<&'static MeasureInfo> {
    MEASURES.iter().find(|measure| measure.name == name)
}

/// Measured values by name.
pub type Values = BTreeMap<String, f64>;

/// Means of measures over frames; a measure that a frame does not have is left out of its mean.
#[derive(Clone, Debug, Default)]
pub(crate) struct Means {
    /// What is divided, and by what: a sum of values and their number, or the two sums of a ratio.
    sums: BTreeMap<&'static str, (f64, f64)>,
}

impl Means {
    /// Adds one frame's value.
    pub(crate) fn add(&mut self, name: &'static str, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into() {
            self.add_ratio(name, [value, 1.0]);
        }
    }

    /// Adds one frame's share of a ratio of sums, what is divided and by what: a frame in which there is little to measure
    /// counts little. For each name either this or [`Self::add`].
    pub(crate) fn add_ratio(&mut self, name: &'static str, ratio: impl Into<Option<[f64; 2]>>) {
        debug_assert!(measure(name).is_some(), "{name} stands in the table");
        if let Some([part, whole]) = ratio.into().filter(|[part, whole]| part.is_finite() && *whole > 0.0) {
            let (sum, total) = self.sums.entry(name).or_default();
            *sum += part;
            *total += whole;
        }
    }

    /// Adds the frames of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (name, (part, whole)) in &other.sums {
            let (sum, total) = self.sums.entry(name).or_default();
            *sum += part;
            *total += whole;
        }
    }

    /// The means.
    pub(crate) fn values(&self) -> Values {
        self.sums.iter().map(|(name, (sum, total))| ((*name).to_owned(), rounded(sum / total))).collect()
    }
}

/// To nine digits: as many as a JSON number keeps through writing and reading, so that resumed runs give what
/// uninterrupted ones give.
pub(crate) fn rounded(value: f64) -> f64 {
    format!("{value:.8e}").parse().unwrap_or(value)
}

/// The mean of each measure over `cases`, every case that has it counting the same.
pub(crate) fn mean_over<'a>(cases: impl Iterator<Item = &'a Values>) -> Values {
    let mut sums: BTreeMap<String, (f64, u32)> = BTreeMap::new();
    for (name, value) in cases.flatten() {
        let (sum, count) = sums.entry(name.clone()).or_default();
        *sum += value;
        *count += 1;
    }
    sums.into_iter().map(|(name, (sum, count))| (name, rounded(sum / f64::from(count)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_documented() {
        let page = include_str!("../../../docs/eval.md");
        for (index, measure) in MEASURES.iter().enumerate() {
            assert!(MEASURES[..index].iter().all(|other| other.name != measure.name), "{}", measure.name);
            assert!(
                page.contains(&format!("| `{}` |", measure.name)),
                "docs/eval.md has no {}",
                measure.name
            );
            assert!(page.contains(measure.what), "docs/eval.md tells something else about {}", measure.name);
        }
    }

    #[test]
    fn means_leave_out_what_is_missing() {
        let mut means = Means::default();
        for value in [Some(1.0), None, Some(f64::NAN), Some(3.0)] {
            means.add("psnr", value);
        }
        assert_eq!(means.values(), Values::from([("psnr".to_owned(), 2.0)]));
    }

    #[test]
    fn ratios_are_of_sums_and_frames_without_a_whole_do_not_count() {
        let (mut means, mut other) = (Means::default(), Means::default());
        means.add_ratio("detail_mouth", [1.0, 2.0]);
        means.add_ratio("detail_mouth", [1.0, 0.0]);
        other.add_ratio("detail_mouth", [8.0, 4.0]);
        means.merge(&other);
        assert_eq!(means.values(), Values::from([("detail_mouth".to_owned(), 1.5)]));
    }

    #[test]
    fn values_survive_a_file_to_the_bit() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..1000 {
            let value = rounded((rng.f64() - 0.5) * 10_f64.powi(rng.i32(-6..4)));
            let text = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<f64>(&text).unwrap().to_bits(), value.to_bits(), "{text}");
        }
    }
}
