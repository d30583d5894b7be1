//! An avatar of several photos: what `gioconda learn` does, for a visitor.

#[cfg(not(feature = "tuning"))]
#[path = "learning/no_tuning.rs"]
mod tuning;
#[cfg(feature = "tuning")]
mod tuning;

use std::sync::Arc;

use gioconda_avatar::builtin_motions::BuiltinMotion;
use gioconda_avatar::{
    Avatar, AvatarFile, Declaration, Framing, MOST_PHOTOS, Performance, PerformanceSettings, Reference,
};
use gioconda_face::FaceChoice;
use gioconda_http::{ApiError, Id};
use gioconda_provenance::Finisher;
use image::RgbImage;

use super::{Job, JobResult, Made, Unmade};
use crate::marking::statement;
use crate::options::{DeclaredSubject, Options, check_text};
use crate::portraits::ReducedPhoto;
use crate::session::Owner;
use crate::studio::{Shared, Studio};
use crate::uploads::{Photo, in_words};
use tuning::Tuning;

/// Side of the strip's pictures, pixels, and how many there are in a row.
const STRIP_SIDE: u32 = 224;
const STRIP_MOMENTS: u32 = 4;
/// What the strip shows.
const STRIP_MOTION: &str = "look-around";

/// What an avatar is made of.
pub(crate) struct Learning {
    photos: Vec<Photo>,
    /// Whose avatar it will be.
    owner: Owner,
    name: String,
    declaration: Declaration,
    /// `None`: the network is left untuned.
    tuning: Option<Tuning>,
}

impl Learning {
    pub(crate) fn prepare(
        studio: &Shared,
        owner: Owner,
        photos: &[Id],
        name: &str,
        (subject, consent): (Option<DeclaredSubject>, Option<String>),
        steps: Option<u32>,
        feed_forward: bool,
    ) -> Result<Self, ApiError> {
        if !(1..=MOST_PHOTOS).contains(&photos.len()) {
            let line = format!("an avatar is made of 1 to {MOST_PHOTOS} photos, not {}", photos.len());
            return Err(ApiError::unusable(line));
        }
        let name = name.trim();
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(ApiError::unusable("the avatar needs a name"));
        }
        check_text("name", Some(name))?;
        check_text("consent", consent.as_deref())?;
        let tuning = Tuning::new(photos.len(), steps, feed_forward)?;
        let photos =
            photos.iter().map(|id| studio.store.uploads.photo(owner, id)).collect::<Result<Vec<_>, _>>()?;
        let subject = subject.map(|subject| gioconda_provenance::Subject::from(subject).to_string());
        let declaration = Declaration { subject, consent };
        Ok(Self { photos, owner, name: name.to_owned(), declaration, tuning })
    }

    #[cfg(test)]
    pub(super) fn example() -> Self {
        Self {
            photos: Vec::new(),
            owner: Owner::example(1),
            name: "nobody".to_owned(),
            declaration: Declaration::default(),
            tuning: None,
        }
    }

    pub(super) fn run(&self, studio: &Studio, job: &Job) -> Result<Made, Unmade> {
        let untuned = (0, self.photos.len() as u64);
        let (done, total) = self.tuning.as_ref().map_or(untuned, Tuning::progress);
        job.progress(studio, done, total);
        let (mut references, mut matte) = (Vec::<Reference>::new(), None);
        for (number, photo) in self.photos.iter().enumerate() {
            stop_if(job)?;
            let photo = open(photo, number + 1)?;
            // Of the one that will be shown.
            if number == 0 {
                matte = studio
                    .models
                    .with_finder(|finder| photo.matte(finder))
                    .map_err(|error| Unmade::Failed(ApiError::failed(&error).line))?;
            }
            references.push(photo.into());
            if self.tuning.is_none() {
                job.progress(studio, number as u64 + 1, total);
            }
        }
        let alone = Avatar { matte: matte.clone(), ..Avatar::of(&references[..1]) };
        let before = studio.models.with_network(alone);
        let mut after = Avatar { matte, ..Avatar::of(&references) };
        match &self.tuning {
            None => after = studio.models.with_network(after),
            Some(tuning) => after.network = Some(Arc::new(tuning.run(studio, job, &after)?)),
        }
        let file = AvatarFile::new(after, self.declaration.clone());
        let strip =
            self.strip(studio, &AvatarFile::new(before, Declaration::default()).avatar, &file.avatar)?;
        stop_if(job)?;
        let avatar = studio
            .store
            .avatars
            .save(self.owner, &file, &self.name, &strip)
            .map_err(|error| Unmade::Failed(ApiError::failed(&error).line))?;
        Ok(Made { result: JobResult::Avatar { avatar }, film: None })
    }

    /// Whether it holds a network that was stopped while it was tuned.
    pub(super) fn is_paused(&self) -> bool {
        self.tuning.as_ref().is_some_and(Tuning::is_paused)
    }

    /// Lets go of it: resumed, tuning begins anew.
    pub(super) fn begin_anew(&self) {
        if let Some(tuning) = &self.tuning {
            tuning.begin_anew();
        }
    }

    /// The first photo alone above, the avatar below, at the same moments of the same motion; marked and signed.
    fn strip(&self, studio: &Studio, before: &Avatar, after: &Avatar) -> Result<Vec<u8>, Unmade> {
        let failed = |error: gioconda_avatar::Error| Unmade::Failed(error.to_string());
        let mut strip = RgbImage::new(STRIP_SIDE * STRIP_MOMENTS, STRIP_SIDE * 2);
        let motion = BuiltinMotion::find(STRIP_MOTION).expect("the strip's motion is built in").load();
        for (row, avatar) in [before, after].into_iter().enumerate() {
            let settings = PerformanceSettings::default()
                .framing(Framing::Head { side: STRIP_SIDE })
                .renderer(avatar.best_renderer());
            let mut performance = Performance::new(avatar, settings).map_err(failed)?;
            let mut picture = RgbImage::default();
            for moment in 0..STRIP_MOMENTS {
                let at = motion.seconds() * (f64::from(moment) + 0.5) / f64::from(STRIP_MOMENTS);
                performance.render_motion(&motion.at(at), &mut picture).map_err(failed)?;
                let (x, y) = (moment * STRIP_SIDE, row as u32 * STRIP_SIDE);
                image::imageops::replace(&mut strip, &picture, i64::from(x), i64::from(y));
            }
        }
        let told = |error: ApiError| Unmade::Failed(error.line);
        let path = &self.photos[0].file.path;
        let file = AvatarFile::new(after.clone(), self.declaration.clone());
        let portrait = studio.models.portrait_of(path, file).map_err(told)?;
        let statement = statement(&portrait, after.best_renderer(), None, &Options::default());
        Finisher::new(None, Some(&statement.watermark)).finish(&mut strip);
        studio.signed_jpeg(&strip, &statement).map_err(told)
    }
}

fn stop_if(job: &Job) -> Result<(), Unmade> {
    if job.cancel.load(std::sync::atomic::Ordering::Relaxed) { Err(Unmade::Stopped) } else { Ok(()) }
}

/// The photo and the largest face in it.
fn open(photo: &Photo, number: usize) -> Result<ReducedPhoto, Unmade> {
    let name = format!("photo {number}");
    let face = FaceChoice::Largest.choose(&photo.faces).ok().flatten().ok_or_else(|| {
        Unmade::Failed(format!("{name}: no face found; use a photo in which one face is seen from the front"))
    })?;
    let path = &photo.file.path;
    ReducedPhoto::read(path, &face.landmarks, &photo.faces)
        .map_err(|error| Unmade::Failed(in_words(&error, path, &name)))
}
