//! The HTTP pages, by hand.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use floodwall::control;

use crate::support::{Steer, TOKEN, users};

fn send(steer: &Steer, request: &str) -> String {
    let mut stream = TcpStream::connect(steer.http).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

pub(crate) fn get(steer: &Steer, path: &str, headers: &str) -> String {
    send(steer, &format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", steer.http))
}

pub(crate) fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn probes_follow_the_state() {
    let steer = Steer::start(&users());
    let control = &steer.sources.control;
    assert!(get(&steer, "/healthz", "").ends_with("ok\n"));
    assert!(status(&get(&steer, "/readyz", "")) == "503" && get(&steer, "/readyz", "").ends_with("starting\n"));
    control.started();
    assert_eq!(status(&get(&steer, "/readyz", "")), "200");
    control.shut_down(control::Shutdown::Drain, "test");
    assert!(status(&get(&steer, "/readyz", "")) == "503" && get(&steer, "/readyz", "").ends_with("draining\n"));
    assert_eq!(status(&get(&steer, "/healthz", "")), "200");
}

#[test]
fn metrics_are_open_to_any_host_name() {
    let steer = Steer::start(&users());
    let _seat = steer.join("django");
    let text = send(&steer, "GET /metrics HTTP/1.1\r\nHost: floodwall.monitoring.svc\r\nConnection: close\r\n\r\n");
    assert_eq!(status(&text), "200");
    assert!(text.contains("text/plain; version=0.0.4"));
    for series in
        ["floodwall_build_info{", "process_resident_memory_bytes ", "floodwall_sessions{", "floodwall_paused 0"]
    {
        assert!(text.contains(series), "{series}");
    }
}

#[test]
fn the_front_page_is_for_this_host() {
    let steer = Steer::start(&users());
    let page = get(&steer, "/", "");
    assert!(status(&page) == "200" && page.contains("/metrics") && page.contains("content-security-policy"));
    assert_eq!(status(&send(&steer, "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")), "403");
    assert_eq!(status(&get(&steer, "/", "Origin: http://evil.example\r\n")), "403");
    assert_eq!(status(&get(&steer, "/nothing", "")), "404");
}

#[test]
fn the_rest_wants_the_token() {
    let steer = Steer::start(&users());
    assert_eq!(status(&get(&steer, "/api/sessions", "")), "401");
    assert_eq!(status(&get(&steer, "/api/sessions", "Authorization: Bearer nonsense\r\n")), "401");
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(status(&get(&steer, "/api/sessions", &token)), "404");
    assert_eq!(status(&get(&steer, "/api/sessions", &format!("{token}Origin: http://evil.example\r\n"))), "403");
}

#[test]
fn nodes_are_told_to_who_has_the_token() {
    let steer = Steer::start(&users());
    assert_eq!(status(&get(&steer, "/api/nodes", "")), "401");
    let told = get(&steer, "/api/nodes", &format!("Authorization: Bearer {TOKEN}\r\n"));
    let body = told.split("\r\n\r\n").nth(1).unwrap();
    let nodes: serde_json::Value = serde_json::from_str(body).unwrap();
    let node = &nodes["nodes"][0];
    let texts = ["listener", "server", "state", "role"].map(|key| node[key].as_str().unwrap());
    assert_eq!(texts, ["main", "127.0.0.1:5432", "up", "primary"]);
    assert!(node["used"].as_bool().unwrap() && node["since_seconds"].is_u64() && node["last_error"].is_null());
}

#[test]
fn only_get_is_served() {
    let steer = Steer::start(&users());
    for path in ["/metrics", "/healthz", "/readyz", "/"] {
        let request =
            format!("POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", steer.http);
        assert_eq!(status(&send(&steer, &request)), "405", "{path}");
    }
}

#[test]
fn heads_are_bounded() {
    let steer = Steer::start(&users());
    let long = format!("X-Long: {}\r\n", "x".repeat(100_000));
    assert!(["431", ""].contains(&status(&get(&steer, "/healthz", &long))));
    let many: String = (0..1000).map(|n| format!("X-{n}: y\r\n")).collect();
    assert!(["431", ""].contains(&status(&get(&steer, "/healthz", &many))));
    assert_eq!(status(&get(&steer, "/healthz", "")), "200");
}

#[test]
fn a_slow_head_is_cut_off() {
    let steer = Steer::start(&users());
    let mut stream = TcpStream::connect(steer.http).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost:").unwrap();
    let start = Instant::now();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(start.elapsed() < Duration::from_secs(40), "closed in time");
}

#[test]
fn too_many_connections_are_turned_away_and_places_come_back() {
    let steer = Steer::start(&users());
    let held: Vec<_> = (0..64).map(|_| TcpStream::connect(steer.http).unwrap()).collect();
    crate::support::eventually("full", || get(&steer, "/healthz", "").is_empty());
    drop(held);
    crate::support::eventually("free", || status(&get(&steer, "/healthz", "")) == "200");
}
