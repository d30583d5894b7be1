//! Scoring one clip, frame by frame: outputs of several renderers against what was wanted.

use gioconda_face::{HeadPose, Landmarks, rotation_vector};
use gioconda_warp::MeshWarp;
use image::{GrayImage, Rgb, RgbImage};
use nalgebra::Rotation3;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::detail::Detail;
use crate::difference::{changed, l1, psnr};
use crate::face_measures::{Face, Openings, Wanted, second_difference};
use crate::frechet::Moments;
use crate::identity::cosine;
use crate::instruments::{FaceModels, Networks};
use crate::measures::{Means, Values, rounded};
use crate::perceptual::Features;
use crate::person_regions::PersonRegions;
use crate::planes::{Planes, Weights};
use crate::similarity::{SimilarityMap, ms_ssim};

/// One renderer's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowValues {
    /// What painted: `copy`, `mesh`, `neural`, or these with a number of photos.
    pub name: String,
    /// Measures by name.
    pub values: Values,
}

/// What one clip, pair or person came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// The clip, `portrait <- driver`, or the person.
    pub name: String,
    /// Frames scored.
    pub frames: usize,
    /// Frames left out because the driver's face was not found.
    pub lost: usize,
    /// A row for each renderer.
    pub rows: Vec<RowValues>,
}

impl Case {
    /// The values of the row called `name`.
    pub fn row(&self, name: &str) -> Option<&Values> {
        self.rows.iter().find(|row| row.name == name).map(|row| &row.values)
    }
}

/// A case with what is not printed: sums for the Fréchet distance and the strip of its worst frame.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scored {
    pub(crate) case: Case,
    /// Real frames first, then a row's each.
    pub(crate) moments: Vec<Moments>,
    pub(crate) strip: Option<RgbImage>,
}

/// A head that is turned so far from the photo's, degrees, shows what the photo hides.
const TURNED: f32 = 15.0;

/// The parts of a crop that are measured by themselves and follow from the face's mesh.
pub(crate) struct Regions {
    whole: Weights,
    face: Weights,
    mouth: Weights,
    eyes: Weights,
    mouth_eyes: Weights,
}

impl Regions {
    /// From the masks of the driving mesh.
    pub(crate) fn of(warp: &MeshWarp) -> Self {
        let of = |mask: &[u8]| Weights::of(mask, warp.width);
        let (mouth, eyes) = (of(&warp.mouth), of(&warp.eyes));
        let whole = Weights::whole(warp.width, warp.height);
        Self { whole, face: of(&warp.face), mouth_eyes: mouth.or(&eyes), mouth, eyes }
    }
}

/// The frame that drives.
pub(crate) struct Driving {
    /// Its place among the clip's frames: consecutive ones give jitter.
    pub(crate) index: usize,
    /// What it looks like.
    pub(crate) picture: RgbImage,
    /// Its landmarks, pixels of its crop.
    pub(crate) landmarks: Landmarks,
    /// What an output should show.
    pub(crate) wanted: Wanted,
    /// Where the picture is the truth, its regions.
    pub(crate) regions: Option<Regions>,
}

/// The true frame, and how outputs are held against it.
struct Truth<'a> {
    planes: Planes,
    detail: Detail,
    regions: &'a Regions,
    person: PersonRegions,
    /// Whether its head is [`TURNED`] from the photo's.
    turned: bool,
}

/// How thoroughly a picture is looked at; the networks take most of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    /// Its face.
    Face,
    /// Whose face it is, and its features for the Fréchet distance.
    Identity,
    /// Its features too, to be compared with the truth's.
    Features,
}

/// What is found in a picture.
struct Examined {
    picture: RgbImage,
    face: Option<Face>,
    /// How thoroughly.
    depth: Depth,
    perceptual: Option<Features>,
    lpips: Option<Features>,
    identity: Option<Vec<f32>>,
    frechet: Option<Vec<f64>>,
}

/// Collects the scores of one case.
pub(crate) struct Scorer<'a> {
    networks: &'a Networks,
    models: &'a mut FaceModels,
    photo: RgbImage,
    photo_identity: Option<Vec<f32>>,
    photo_matte: Option<GrayImage>,
    photo_rotation: Option<Rotation3<f32>>,
    real: Moments,
    driver: Jitter,
    rows: Vec<Row>,
    frames: usize,
    worst: Option<(f64, RgbImage)>,
}

/// One renderer's collected scores.
struct Row {
    name: String,
    means: Means,
    openings: Openings,
    jitter: Jitter,
    moments: Moments,
    outputs: u32,
    without_face: u32,
    /// The output before: a picture that stays still is looked at once.
    last: Option<Examined>,
}

/// Landmarks of the last frames.
#[derive(Default)]
struct Jitter {
    history: Vec<(usize, Landmarks)>,
    means: Means,
}

impl Jitter {
    fn add(&mut self, index: usize, landmarks: &Landmarks, measure: &'static str) {
        if self.history.len() == 2 {
            if let [(first, a), (second, b)] = &self.history[..]
                && first + 2 == index
                && second + 1 == index
            {
                self.means.add(measure, second_difference([a, b, landmarks]));
            }
            self.history.remove(0);
        }
        self.history.push((index, landmarks.clone()));
    }
}

impl<'a> Scorer<'a> {
    /// For outputs of `rows` that show the person of `photo`.
    pub(crate) fn new(
        networks: &'a Networks,
        models: &'a mut FaceModels,
        photo: &RgbImage,
        rows: &[String],
    ) -> Result<Self> {
        let landmarks = models.landmarks(photo)?;
        let photo_identity = match (&networks.identity, &landmarks) {
            (Some(network), Some(landmarks)) => Some(network.embedding(photo, landmarks)?),
            _ => None,
        };
        let photo_matte = match &landmarks {
            Some(landmarks) => models.matte(photo, landmarks)?,
            None => None,
        };
        let photo_rotation = landmarks.map(|landmarks| HeadPose::fit(&landmarks).rotation);
        let row = |name: &String| Row {
            name: name.clone(),
            means: Means::default(),
            openings: Openings::default(),
            jitter: Jitter::default(),
            moments: Moments::default(),
            outputs: 0,
            without_face: 0,
            last: None,
        };
        Ok(Self {
            networks,
            models,
            photo: photo.clone(),
            photo_identity,
            photo_matte,
            photo_rotation,
            real: Moments::default(),
            driver: Jitter::default(),
            rows: rows.iter().map(row).collect(),
            frames: 0,
            worst: None,
        })
    }

    /// The face models, for what is wanted.
    pub(crate) fn models(&mut self) -> &mut FaceModels {
        self.models
    }

    /// Only follows the faces, for the jitter of the frames to come.
    pub(crate) fn lead_in(&mut self, driving: &Driving, outputs: &[RgbImage]) -> Result<()> {
        self.driver.add(driving.index, &driving.landmarks, "jitter_driver");
        for (row, output) in self.rows.iter_mut().zip(outputs) {
            let examined = examine(output, row.last.take(), Depth::Face, self.networks, self.models)?;
            if let Some(face) = &examined.face {
                row.jitter.add(driving.index, &face.landmarks, "jitter");
            }
            row.last = Some(examined);
        }
        Ok(())
    }

    /// Scores a frame's outputs, one for each row; the last row's are what is judged.
    pub(crate) fn score(&mut self, driving: &Driving, outputs: &[RgbImage]) -> Result<()> {
        self.driver.add(driving.index, &driving.landmarks, "jitter_driver");
        let depth = if driving.regions.is_some() { Depth::Features } else { Depth::Identity };
        let real = examine(&driving.picture, None, depth, self.networks, self.models)?;
        if let Some(feature) = &real.frechet {
            self.real.add(feature);
        }
        let truth = match &driving.regions {
            Some(regions) => Some(self.truth(driving, regions)?),
            None => None,
        };
        let mut badness = 0.0;
        for (row, output) in self.rows.iter_mut().zip(outputs) {
            let examined = examine(output, row.last.take(), depth, self.networks, self.models)?;
            row.outputs += 1;
            let mut frame = Means::default();
            if let Some(truth) = &truth {
                compare_pictures(output, truth, &mut frame);
                frame.add_ratio("background_changed", changed(output, &self.photo, &truth.person.background));
                compare_features(&examined, &real, truth.regions, self.networks, &mut frame);
            }
            if let (Some(own), Some(photo)) = (&examined.identity, &self.photo_identity) {
                frame.add("csim", cosine(own, photo));
            }
            if let (Some(own), Some(truth), Some(_)) = (&examined.identity, &real.identity, &driving.regions)
            {
                frame.add("csim_truth", cosine(own, truth));
            }
            match &examined.face {
                Some(face) => {
                    driving.wanted.compare(face, &mut frame);
                    row.openings.add(&driving.wanted, face);
                    row.jitter.add(driving.index, &face.landmarks, "jitter");
                }
                None => row.without_face += 1,
            }
            if let Some(feature) = &examined.frechet {
                row.moments.add(feature);
            }
            badness = badness_of(&frame.values());
            row.means.merge(&frame);
            row.last = Some(examined);
        }
        self.frames += 1;
        if self.worst.as_ref().is_none_or(|(worst, _)| badness > *worst) {
            self.worst = Some((badness, strip(&self.photo, driving, outputs)));
        }
        Ok(())
    }

    /// What the outputs of a frame are held against.
    fn truth<'d>(&mut self, driving: &'d Driving, regions: &'d Regions) -> Result<Truth<'d>> {
        let landmarks = &driving.landmarks;
        let matte = self.models.matte(&driving.picture, landmarks)?;
        let face = regions.face.or(&regions.mouth_eyes);
        let person = PersonRegions::of(matte.as_ref(), self.photo_matte.as_ref(), &face, landmarks);
        let rotation = HeadPose::fit(landmarks).rotation;
        let angle =
            |photo: Rotation3<f32>| rotation_vector(&(rotation * photo.inverse())).norm().to_degrees();
        let turned = self.photo_rotation.is_some_and(|photo| angle(photo) > TURNED);
        let planes = Planes::of(&driving.picture);
        Ok(Truth { detail: Detail::of(&planes), planes, regions, person, turned })
    }

    /// What the case came to.
    pub(crate) fn finish(self, name: String, lost: usize) -> Scored {
        let driver = self.driver.means.values();
        let mut moments = vec![self.real];
        let mut rows = Vec::new();
        for mut row in self.rows {
            row.openings.finish(&mut row.means);
            row.means.add("no_face", 100.0 * f64::from(row.without_face) / f64::from(row.outputs.max(1)));
            let mut values = row.means.values();
            values.extend(row.jitter.means.values());
            values.extend(driver.clone());
            if let (Some(own), Some(of_driver)) = (values.get("jitter"), values.get("jitter_driver")) {
                let (ratio, excess) = (own / of_driver.max(1e-9), own - of_driver);
                values.insert("jitter_ratio".to_owned(), rounded(ratio));
                values.insert("jitter_excess".to_owned(), rounded(excess));
            }
            rows.push(RowValues { name: row.name, values });
            moments.push(row.moments);
        }
        let case = Case { name, frames: self.frames, lost, rows };
        Scored { case, moments, strip: self.worst.map(|(_, strip)| strip) }
    }
}

/// Looks for what the measures need; `last` is used again where the picture is the same.
fn examine(
    picture: &RgbImage,
    last: Option<Examined>,
    depth: Depth,
    networks: &Networks,
    models: &mut FaceModels,
) -> Result<Examined> {
    if let Some(last) = last.filter(|last| last.picture == *picture && last.depth >= depth) {
        return Ok(last);
    }
    let face = models.face(picture)?;
    let identity = match (&networks.identity, &face) {
        (Some(network), Some(face)) if depth >= Depth::Identity => {
            Some(network.embedding(picture, &face.landmarks)?)
        }
        _ => None,
    };
    let features = |network: &Option<crate::perceptual::PerceptualDistance>| {
        network.as_ref().filter(|_| depth >= Depth::Features).map(|network| network.features(picture))
    };
    let (perceptual, lpips) = (features(&networks.perceptual), features(&networks.lpips));
    let frechet =
        networks.frechet.as_ref().filter(|_| depth >= Depth::Identity).map(|network| network.of(picture));
    Ok(Examined { picture: picture.clone(), face, depth, perceptual, lpips, identity, frechet })
}

fn compare_pictures(output: &RgbImage, truth: &Truth<'_>, frame: &mut Means) {
    let output = Planes::of(output);
    let Truth { planes, regions, person, .. } = truth;
    let similarity = SimilarityMap::new(&output, planes);
    let parts = [
        (&regions.whole, ["psnr", "l1", "ssim"]),
        (&regions.face, ["psnr_face", "l1_face", "ssim_face"]),
        (&regions.mouth, ["psnr_mouth", "l1_mouth", "ssim_mouth"]),
        (&regions.eyes, ["psnr_eyes", "l1_eyes", "ssim_eyes"]),
        (&person.hair, ["psnr_hair", "l1_hair", "ssim_hair"]),
        (&person.neck, ["psnr_neck", "l1_neck", "ssim_neck"]),
        (&person.background, ["psnr_background", "l1_background", "ssim_background"]),
    ];
    for (weights, [psnr_name, l1_name, ssim_name]) in
        parts.into_iter().filter(|(part, _)| part.is_measurable())
    {
        frame.add(psnr_name, psnr(&output, planes, weights));
        frame.add(l1_name, l1(&output, planes, weights));
        frame.add(ssim_name, similarity.as_ref().and_then(|map| map.mean(weights)));
    }
    if regions.mouth_eyes.is_measurable() {
        frame.add("psnr_mouth_eyes", psnr(&output, planes, &regions.mouth_eyes));
    }
    if truth.turned && regions.face.is_measurable() {
        frame.add("psnr_face_turned", psnr(&output, planes, &regions.face));
    }
    frame.add("ms_ssim", ms_ssim(&output, planes));
    let detail = Detail::of(&output);
    frame.add_ratio("detail_mouth", detail.against(&truth.detail, &regions.mouth));
    frame.add_ratio("detail_eyes", detail.against(&truth.detail, &regions.eyes));
}

fn compare_features(
    output: &Examined,
    truth: &Examined,
    regions: &Regions,
    networks: &Networks,
    frame: &mut Means,
) {
    if let (Some(network), Some(a), Some(b)) = (&networks.perceptual, &output.perceptual, &truth.perceptual) {
        let distances = network.distances(a, b, &[&regions.whole, &regions.face]);
        frame.add("perceptual", distances[0]);
        frame.add("perceptual_face", distances[1]);
    }
    if let (Some(network), Some(a), Some(b)) = (&networks.lpips, &output.lpips, &truth.lpips) {
        frame.add("lpips", network.distances(a, b, &[&regions.whole])[0]);
    }
}

/// How bad a frame is, to choose the one that is shown: a lost face, then what is wrong inside the face, or, where the
/// truth is not known, with the identity.
fn badness_of(values: &Values) -> f64 {
    let of = |name: &str| values.get(name).copied();
    if of("pose").is_none() {
        return 100.0;
    }
    of("l1_face").or(of("csim").map(|similarity| 1.0 - similarity)).unwrap_or(0.0)
}

/// Photo, driver, each output but the copy, and four times the difference of the last to the truth.
fn strip(photo: &RgbImage, driving: &Driving, outputs: &[RgbImage]) -> RgbImage {
    let mut pictures: Vec<&RgbImage> = vec![photo, &driving.picture];
    pictures.extend(outputs.iter().skip(1));
    let difference =
        driving.regions.as_ref().zip(outputs.last()).map(|(_, output)| difference(output, &driving.picture));
    pictures.extend(difference.as_ref());
    let (width, height) = photo.dimensions();
    let mut strip = RgbImage::new(width * pictures.len() as u32, height);
    for (i, picture) in pictures.into_iter().enumerate() {
        image::imageops::replace(&mut strip, picture, i as i64 * i64::from(width), 0);
    }
    strip
}

fn difference(a: &RgbImage, b: &RgbImage) -> RgbImage {
    RgbImage::from_fn(a.width(), a.height(), |x, y| {
        let (a, b) = (a.get_pixel(x, y).0, b.get_pixel(x, y).0);
        Rgb(std::array::from_fn(|i| a[i].abs_diff(b[i]).saturating_mul(4)))
    })
}
