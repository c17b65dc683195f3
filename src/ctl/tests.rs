//! Commands to a console that says what it is told to say.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::config;

/// A console that says one prepared answer to whoever asks, on the socket of `config`.
async fn answering(config: &Config, answer: &'static [u8]) -> tokio::task::JoinHandle<Vec<u8>> {
    let listener = tokio::net::UnixListener::bind(config.console_socket().unwrap()).unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        let start_up = socket.read(&mut buffer).await.unwrap();
        assert!(buffer[..start_up].windows(11).any(|part| part == b"user\0admin\0"));
        socket.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").await.unwrap();
        let asked = socket.read(&mut buffer).await.unwrap();
        socket.write_all(answer).await.unwrap();
        buffer[..asked].to_vec()
    })
}

fn config_in(folder: &std::path::Path) -> Config {
    let text = "[admin]\nconsole = \"127.0.0.1:1\"\n[[listener]]\n";
    let mut config = config::read(text, &config::Process::WithoutSecrets, &|_| Vec::new()).unwrap().config;
    config.state_dir = folder.to_owned();
    config
}

async fn asked(config: &Config, command: &str) -> Result<String, Failed> {
    let mut out = Vec::new();
    run(config, &Login::default(), Order { command, layout: Layout::Table }, &mut out)
        .await
        .map(|()| String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn a_command_goes_over_the_socket_and_prints_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(folder.path());
    let console = answering(
        &config,
        b"T\0\0\0\x1b\0\x01id\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0\
          D\0\0\0\x0c\0\x01\0\0\0\x0217C\0\0\0\x09SHOW\0Z\0\0\0\x05I",
    )
    .await;
    assert_eq!(asked(&config, "SHOW CLIENTS").await.unwrap(), "id\n--\n17\n");
    assert!(console.await.unwrap().ends_with(b"SHOW CLIENTS\0"));
}

#[tokio::test]
async fn a_refused_command_fails_with_the_words_of_the_console() {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(folder.path());
    let error = b"E\0\0\0\x2eSERROR\0C42601\0Mno command SHO\0HSHOW HELP\0\0Z\0\0\0\x05I";
    let console = answering(&config, error).await;
    assert_eq!(asked(&config, "SHO").await.unwrap_err().to_string(), "no command SHO\nSHOW HELP");
    console.await.unwrap();
}

#[tokio::test]
async fn a_command_without_rows_says_what_it_has_done() {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(folder.path());
    let answer = b"N\0\0\0\x1dSNOTICE\0C00000\0Mresumed\0\0C\0\0\0\x0bRESUME\0Z\0\0\0\x05I";
    let console = answering(&config, answer).await;
    assert_eq!(asked(&config, "RESUME").await.unwrap(), "resumed\n");
    console.await.unwrap();
}

#[tokio::test]
async fn without_a_console_the_address_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(folder.path());
    let error = asked(&config, "SHOW CLIENTS").await.unwrap_err();
    assert!(matches!(error, Failed::Unreachable { .. }), "{error}");
    config.admin.console = None;
    assert!(matches!(asked(&config, "SHOW CLIENTS").await, Err(Failed::Off)));
}
