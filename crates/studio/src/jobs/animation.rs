//! A film of one portrait: what `gioconda animate` does, for a visitor.

use std::path::Path;
use std::sync::Arc;

use gioconda_avatar::builtin_motions::BuiltinMotion;
use gioconda_avatar::{Background, Drive, Error, Settings};
use gioconda_face::FaceChoice;
use gioconda_http::{ApiError, Id};
use gioconda_portrait::Portrait;
use gioconda_provenance::{Input, Statement};
use tempfile::TempPath;

use super::{Film, Job, JobResult, Made, Unmade};
use crate::limits::LARGEST_SIDE;
use crate::marking::statement;
use crate::options::{DriveId, Format, Options, PortraitId};
use crate::session::Owner;
use crate::studio::{Shared, Studio};
use crate::uploads::{Received, in_words};

/// What a film is made of.
pub(crate) struct Animation {
    portrait: Arc<Portrait>,
    settings: Settings,
    finish: (Option<gioconda_provenance::Language>, Box<Statement>),
    format: Format,
    /// A name for downloads, without its extension.
    name: String,
    /// The clip, which is kept as long as it is needed.
    clip: Option<Received>,
}

impl Animation {
    /// Finds everything that a request names.
    pub(crate) async fn prepare(
        studio: &Shared,
        owner: Owner,
        portrait_id: &PortraitId,
        drive: &DriveId,
        options: &Options,
    ) -> Result<Self, ApiError> {
        options.check()?;
        let portrait = studio.portrait(owner, portrait_id).await?;
        let background = options.background.0;
        if background != Background::Keep && portrait.avatar.matte.is_none() {
            return Err(ApiError::unusable(Error::NoMatte.to_string()));
        }
        let (drive, name, clip, fps) = match drive {
            DriveId::Motion { motion } => (Drive::built_in(builtin(motion)?), motion.clone(), None, None),
            DriveId::Clip { clip } => {
                let clip = studio.store.uploads.clip(owner, clip)?;
                let path = clip.file.path.to_path_buf();
                (Drive::Clip(path), "portrait".to_owned(), Some(clip.file), Some(clip.fps))
            }
        };
        let renderer = portrait.avatar.best_renderer();
        let driver = match &clip {
            None => None,
            Some(file) => {
                let file = file.clone();
                let read = move || Input::read("driver", &file.path, None, false);
                Some(tokio::task::spawn_blocking(read).await?.map_err(|error| ApiError::failed(&error))?)
            }
        };
        let statement = Box::new(statement(&portrait, renderer, driver, options));
        let settings = Settings::new(drive)
            .driver_face(FaceChoice::Largest)
            .gains(options.gains())
            .smooth(options.smoothing)
            .framing(options.framing(LARGEST_SIDE))
            .fps(fps)
            .renderer(renderer)
            .background(background)
            .budget(gioconda_media::Budget::for_uploads());
        let finish = (studio.label(portrait_id, options), statement);
        Ok(Self { portrait, settings, finish, format: options.format, name, clip })
    }

    pub(super) fn run(&self, studio: &Studio, job: &Job) -> Result<Made, Unmade> {
        let extension = self.format.extension();
        let path = studio.store.temporary.join(Id::random().as_str()).with_extension(extension);
        let (label, statement) = &self.finish;
        // The film is signed before it gets its name: nobody can come upon an unsigned one.
        let sign = |film: &Path| studio.sign(film, statement).map_err(|error| error.line);
        let finish = gioconda_portrait::finish(*label, Some(&statement.watermark), sign);
        let progress = |p: gioconda_avatar::Progress| job.progress(studio, p.done, p.total.unwrap_or(0));
        let made = gioconda_avatar::animate(
            &self.portrait.avatar,
            &self.settings,
            &path,
            finish,
            &progress,
            &job.cancel,
        );
        let summary = made.map_err(|error| match error {
            Error::Cancelled => Unmade::Stopped,
            error => Unmade::Failed(match &self.clip {
                Some(clip) => {
                    in_words(&error, &clip.path, "the clip").replace(&path.display().to_string(), "the film")
                }
                None => in_words(&error, &path, "the film"),
            }),
        })?;
        let bytes = std::fs::metadata(&path).map_err(|error| failed(&error))?.len();
        let path = Arc::new(TempPath::try_from_path(&path).map_err(|error| failed(&error))?);
        let (width, height) = summary.size;
        let result = JobResult::Film {
            file: format!("{}.{extension}", self.name),
            mime: self.format.mime(),
            width,
            height,
            seconds: summary.frames as f64 / summary.fps,
        };
        Ok(Made { result, film: Some(Film { path, bytes }) })
    }
}

fn failed(error: &std::io::Error) -> Unmade {
    Unmade::Failed(ApiError::internal(error).line)
}

/// The built-in motion of that name.
pub(crate) fn builtin(name: &str) -> Result<BuiltinMotion, ApiError> {
    BuiltinMotion::find(name).ok_or_else(|| ApiError::unknown("motion"))
}
