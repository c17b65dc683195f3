//! Who may use what is not open: requests that a browser was not tricked into sending, and that bring the token.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

/// The secret of `/api/*`, sent as `Authorization: Bearer …`.
#[derive(Clone)]
pub struct Token(Arc<[u8]>);

impl Token {
    /// Wraps a secret; `None` where it is too short to be one.
    pub fn new(secret: &str) -> Option<Self> {
        const BYTES_MIN: usize = 16;
        (secret.len() >= BYTES_MIN).then(|| Self(secret.as_bytes().into()))
    }

    /// Compared in constant time for secrets of the same length.
    fn is(&self, given: &[u8]) -> bool {
        self.0.ct_eq(given).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// Lets only requests through that name this machine as their host, and whose page, if a browser sent them, came from here
/// too. Without it, a web page whose name resolves to 127.0.0.1 could read and act.
pub(super) async fn same_host(request: Request, next: Next) -> Response {
    if is_same_host(request.headers(), request.uri()) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "this host name or origin is not served\n").into_response()
    }
}

/// Lets only requests with the token through; without a token configured, none.
pub(super) async fn with_token(State(token): State<Option<Token>>, request: Request, next: Next) -> Response {
    let given =
        request.headers().get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if given.zip(token).is_some_and(|(given, token)| token.is(given)) {
        next.run(request).await
    } else {
        (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], "this wants the token\n").into_response()
    }
}

fn is_same_host(headers: &HeaderMap, uri: &Uri) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(host) = host.to_str() else { return false };
    // An absolute request target overrides Host, so it must not differ.
    if !is_local(host) || uri.authority().is_some_and(|authority| authority.as_str() != host) {
        return false;
    }
    match headers.get(header::ORIGIN) {
        None => true,
        Some(origin) => origin.to_str().is_ok_and(|origin| origin.strip_prefix("http://") == Some(host)),
    }
}

/// An address or `localhost`: a name of somebody else's can't be one.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        is_same_host(&headers, &Uri::from_static("/"))
    }

    #[test]
    fn addresses_and_localhost_pass() {
        for host in ["127.0.0.1:9300", "localhost:9300", "LOCALHOST", "[::1]:9300", "[::1]", "10.1.2.3:80"] {
            assert!(check(host, None), "{host}");
        }
        for host in ["evil.example:9300", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", ""] {
            assert!(!check(host, None), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_origin_does_not_pass() {
        assert!(check("127.0.0.1:9300", Some("http://127.0.0.1:9300")));
        for origin in ["http://evil.example", "http://127.0.0.1:9301", "https://127.0.0.1:9300", "null"] {
            assert!(!check("127.0.0.1:9300", Some(origin)), "{origin}");
        }
    }

    #[test]
    fn no_host_or_two_do_not_pass() {
        let mut headers = HeaderMap::new();
        assert!(!is_same_host(&headers, &Uri::from_static("/")));
        headers.append(header::HOST, "127.0.0.1".parse().unwrap());
        assert!(is_same_host(&headers, &Uri::from_static("/")));
        assert!(!is_same_host(&headers, &Uri::from_static("http://evil.example/")));
        headers.append(header::HOST, "127.0.0.1".parse().unwrap());
        assert!(!is_same_host(&headers, &Uri::from_static("/")));
    }

    #[test]
    fn tokens_are_compared_whole() {
        let token = Token::new("0123456789abcdef").unwrap();
        assert!(token.is(b"0123456789abcdef"));
        assert!(!token.is(b"0123456789abcdeg") && !token.is(b"0123456789abcde") && !token.is(b""));
        assert!(Token::new("short").is_none());
        assert!(!format!("{token:?}").contains("0123"));
    }
}
