//! What Prometheus is told at `/metrics`.

use std::sync::atomic::AtomicU64;

use axum::http::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// An answer's status.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct Status {
    status: u16,
}

/// Whether a job was done, failed or was stopped.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct End {
    pub(crate) end: &'static str,
}

/// Everything that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Status, Counter>,
    /// Requests that failed by the studio's own fault, and live sessions that broke.
    pub(crate) errors: Counter,
    /// Jobs that wait.
    pub(crate) queued: Gauge,
    /// Jobs that ended.
    pub(crate) jobs: Family<End, Counter>,
    /// Frames rendered by jobs.
    pub(crate) frames: Counter,
    /// Frames a second of the running job, 0 while there is none.
    pub(crate) job_fps: Gauge<f64, AtomicU64>,
    /// Live sessions and participants of calls.
    pub(crate) sessions: Gauge,
    /// Frames rendered live.
    pub(crate) live_frames: Counter,
    /// Frames that were not rendered live because a newer one had come.
    pub(crate) live_dropped: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("gioconda");
        let metrics = Self {
            requests: Family::default(),
            errors: Counter::default(),
            queued: Gauge::default(),
            jobs: Family::default(),
            frames: Counter::default(),
            job_fps: Gauge::default(),
            sessions: Gauge::default(),
            live_frames: Counter::default(),
            live_dropped: Counter::default(),
            registry: Registry::default(),
        };
        registry.register("requests", "Requests answered, by status", metrics.requests.clone());
        registry.register("errors", "Failures that are the studio's own", metrics.errors.clone());
        registry.register("jobs_queued", "Jobs that wait for their turn", metrics.queued.clone());
        registry.register("jobs", "Jobs that ended", metrics.jobs.clone());
        registry.register("frames", "Frames rendered by jobs", metrics.frames.clone());
        registry.register(
            "job_frames_per_second",
            "Frames a second of the running job",
            metrics.job_fps.clone(),
        );
        registry.register("sessions", "Live sessions and participants of calls", metrics.sessions.clone());
        registry.register("live_frames", "Frames rendered live", metrics.live_frames.clone());
        registry.register(
            "live_frames_dropped",
            "Camera frames passed over because a newer one had come",
            metrics.live_dropped.clone(),
        );
        Self { registry, ..metrics }
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, status: StatusCode) {
        self.requests.get_or_create(&Status { status: status.as_u16() }).inc();
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            self.errors.inc();
        }
    }

    /// All of it in `OpenMetrics` text.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut page = String::new();
        text::encode(&mut page, &self.registry)?;
        Ok(page)
    }
}
