//! Requests taken apart, so that whatever does not fit is answered as every other failure is.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::ApiError;
use crate::connections::Client;

/// How long the body of a request may take that is no upload.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// A JSON body.
pub struct Json<T>(pub T);

/// The variable part of the address.
pub struct Part<T>(pub T);

/// What stands behind the question mark.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let client = request.extensions().get::<Arc<Client>>().cloned();
        let reading = axum::Json::from_request(request, state);
        let read = slowly(client.as_deref(), tokio::time::timeout(BODY_WITHIN, reading)).await;
        let too_slow =
            |_| ApiError::new(StatusCode::REQUEST_TIMEOUT, "the request is too slow; send it again");
        let axum::Json(value) = read.map_err(too_slow)?.map_err(|rejection: JsonRejection| {
            ApiError::new(rejection.status(), one_line(&rejection.body_text()))
        })?;
        Ok(Self(value))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Part<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(value) = Path::from_request_parts(parts, state)
            .await
            .map_err(|rejection: PathRejection| bad(&rejection.body_text()))?;
        Ok(Self(value))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(value) = Query::from_request_parts(parts, state)
            .await
            .map_err(|rejection: QueryRejection| bad(&rejection.body_text()))?;
        Ok(Self(value))
    }
}

/// Waits for something that the client decides the pace of: meanwhile its connection may give way to others.
pub async fn slowly<T>(client: Option<&Client>, pace: impl Future<Output = T>) -> T {
    if let Some(client) = client {
        client.waits();
    }
    let done = pace.await;
    if let Some(client) = client {
        client.works();
    }
    done
}

fn bad(line: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, one_line(line))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
