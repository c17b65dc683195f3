//! What each path answers.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use serde_json::Value;

use super::guard::{same_host, with_token};
use super::http::Http;
use crate::control::Readiness;

/// All paths. What comes after the first three sits behind the guard, so that a path added later does too.
pub(super) fn router(http: Http) -> Router {
    let api = Router::new()
        .route("/api/report", get(report))
        .route("/api/nodes", get(nodes))
        .route("/api/{*path}", any(not_found))
        .layer(from_fn_with_state(http.token.clone(), with_token));
    let guarded = Router::new().route("/", get(front)).merge(api).fallback(not_found).layer(from_fn(same_host));
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .merge(guarded)
        .with_state(http)
}

/// This process answers. It says nothing of any server.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether new clients should be sent here.
async fn readyz(State(http): State<Http>) -> Response {
    let readiness = http.control.readiness();
    let status = if readiness == Readiness::Ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, format!("{}\n", readiness.label())).into_response()
}

async fn metrics(State(http): State<Http>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], http.metrics.render()).into_response()
}

async fn report(State(http): State<Http>) -> Json<Value> {
    Json(super::report::report(&http))
}

async fn nodes(State(http): State<Http>) -> Json<Value> {
    Json(super::nodes::nodes(&http))
}

async fn front() -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, Html(FRONT)).into_response()
}

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "nothing is here\n").into_response()
}

const FRONT: &str = include_str!("front.html");
