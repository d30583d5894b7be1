//! One frame of a film, while somebody moves the sliders: what is slow is kept ready between requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use gioconda_avatar::{Framing, Motion, Performance, PerformanceSettings};
use gioconda_http::{ApiError, ErrorBody, Json};
use gioconda_portrait::Portrait;
use gioconda_provenance::Finisher;
use image::RgbImage;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::jobs::animation::builtin;
use crate::library::picture;
use crate::marking::statement;
use crate::options::{DriveId, Options, PortraitId};
use crate::session::Owner;
use crate::studio::{Shared, Studio};

/// Longest side of a preview, pixels.
const LARGEST: u32 = 640;
/// Portraits that are kept ready to be painted.
const READY: usize = 3;
/// Frames before the one shown that the smoother hears, so that it smooths as in the film.
const LEAD: u32 = 12;

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/api/preview", post(preview))
}

/// Which frame of what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewRequest {
    portrait: PortraitId,
    drive: DriveId,
    #[serde(default)]
    options: Options,
    /// Seconds from the drive's beginning; beyond its end it begins again.
    #[serde(default)]
    #[schema(minimum = 0)]
    at: f64,
}

/// A portrait, ready to perform.
struct Ready {
    portrait: Arc<Portrait>,
    performance: Performance,
}

/// The portraits that were previewed last.
#[derive(Default)]
pub(crate) struct Previews {
    ready: Mutex<VecDeque<Ready>>,
}

/// One frame, marked and signed, no side longer than 640 pixels.
#[utoipa::path(post, path = "/api/preview", tag = "jobs", request_body = PreviewRequest,
    params(("X-Gioconda" = String, Header, description = "studio")),
    responses((status = 200, description = "A JPEG", body = Vec<u8>, content_type = "image/jpeg"), (status = 400, description = "Not JSON", body = ErrorBody),
        (status = 404, description = "No such portrait or drive", body = ErrorBody), (status = 422, description = "Cannot be done", body = ErrorBody),
        (status = 503, description = "Too many previews at the same time", body = ErrorBody)))]
pub(crate) async fn preview(
    State(studio): State<Shared>,
    owner: Owner,
    Json(request): Json<PreviewRequest>,
) -> Result<Response, ApiError> {
    let PreviewRequest { portrait: id, drive, options, at } = request;
    options.check()?;
    if !at.is_finite() || at < 0.0 {
        return Err(ApiError::unusable(format!("at counts seconds from 0, not {at}")));
    }
    let place = Arc::clone(&studio.turns.previewing)
        .try_acquire_owned()
        .map_err(|_| ApiError::busy("too many previews at the same time; try again", 1))?;
    let portrait = studio.portrait(owner, &id).await?;
    let motion = match &drive {
        DriveId::Motion { motion } => builtin(motion)?.load(),
        DriveId::Clip { clip } => studio.motion_of(&studio.store.uploads.clip(owner, clip)?).await?,
    };
    let worker = Arc::clone(&studio);
    let jpeg = tokio::task::spawn_blocking(move || {
        let _kept = place;
        worker.paint(&id, portrait, &motion, &options, at)
    });
    Ok(picture(jpeg.await??, "image/jpeg"))
}

impl Studio {
    fn paint(
        &self,
        id: &PortraitId,
        portrait: Arc<Portrait>,
        motion: &Motion,
        options: &Options,
        at: f64,
    ) -> Result<Vec<u8>, ApiError> {
        let framing = options.framing(LARGEST);
        let statement = statement(&portrait, portrait.avatar.best_renderer(), None, options);
        let mut ready = self.store.previews.take(portrait, framing)?;
        let performance = &mut ready.performance;
        performance.set_gains(options.gains());
        performance.set_smoothing(options.smoothing);
        performance.restart();
        let mut frame = motion.at(0.0);
        for back in (0..=LEAD).rev() {
            let seconds = at - f64::from(back) / motion.fps;
            let found = motion.at(seconds.rem_euclid(motion.seconds()));
            frame = performance.advance(Some(found), (1.0 / motion.fps) as f32);
        }
        let mut shown = RgbImage::default();
        let rendered = performance.render_motion(&frame, &mut shown);
        self.store.previews.give_back(ready);
        rendered.map_err(|error| ApiError::unusable(error.to_string()))?;
        Finisher::new(self.label(id, options), Some(&statement.watermark)).finish(&mut shown);
        self.signed_jpeg(&shown, &statement)
    }
}

impl Previews {
    /// The portrait, ready from the last time or made.
    fn take(&self, portrait: Arc<Portrait>, framing: Framing) -> Result<Ready, ApiError> {
        let mut kept = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|ready| {
            Arc::ptr_eq(&ready.portrait, &portrait) && ready.performance.settings().framing == framing
        });
        if let Some(ready) = place.and_then(|place| kept.remove(place)) {
            return Ok(ready);
        }
        drop(kept);
        let avatar = &portrait.avatar;
        let settings = PerformanceSettings::default().framing(framing).renderer(avatar.best_renderer());
        let performance =
            Performance::new(avatar, settings).map_err(|error| ApiError::unusable(error.to_string()))?;
        Ok(Ready { portrait, performance })
    }

    fn give_back(&self, ready: Ready) {
        let mut kept = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(ready);
        if kept.len() > READY {
            kept.pop_front();
        }
    }

    /// Forgets portraits, some of which may have been deleted.
    pub(crate) fn forget(&self) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
