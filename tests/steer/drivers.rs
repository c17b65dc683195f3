//! A real driver, in the simple and the extended protocol.

use std::time::Duration;

use tokio_postgres::{Client, Error, NoTls, SimpleQueryMessage};

use crate::support::{Steer, users};

async fn connect(steer: &Steer) -> Client {
    let (client, connection) = tokio_postgres::connect(&steer.dsn("sre", "admin secret"), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn code(error: &Error) -> &str {
    error.code().map(tokio_postgres::error::SqlState::code).unwrap_or_default()
}

#[tokio::test]
async fn simple_queries() {
    let steer = Steer::start(&users());
    let client = connect(&steer).await;
    let messages = client.simple_query("SHOW CAPS; SHOW SURGES").await.unwrap();
    let rows = messages.iter().filter(|message| matches!(message, SimpleQueryMessage::Row(_)));
    assert_eq!(rows.count(), 2);
    assert_eq!(code(&client.simple_query("SHOW NOTHING").await.unwrap_err()), "42601");
    client.simple_query("SHOW VERSION").await.unwrap();
}

#[tokio::test]
async fn extended_queries_are_typed() {
    let steer = Steer::start(&users());
    let seat = steer.join("django");
    let client = connect(&steer).await;
    let row = client.query_one("SHOW CLIENTS", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>("id"), 1);
    assert_eq!(row.get::<_, &str>("user"), "django");
    assert_eq!(row.get::<_, Option<i64>>("server_pid"), None);
    let statement = client.prepare("SHOW CAPS").await.unwrap();
    for _ in 0..3 {
        assert_eq!(client.query_one(&statement, &[]).await.unwrap().get::<_, i64>("current"), 59);
    }
    client.execute("KILL CLIENT 1", &[]).await.unwrap();
    assert_eq!(seat.signalled(), floodwall::roster::Signal::Kill);
}

#[tokio::test]
async fn extended_errors_leave_the_connection_usable() {
    let steer = Steer::start(&users());
    let client = connect(&steer).await;
    assert_eq!(code(&client.query("SHOW CLENTS", &[]).await.unwrap_err()), "42601");
    assert_eq!(code(&client.query("SHOW CAPS; SHOW CAPS", &[]).await.unwrap_err()), "42601");
    assert_eq!(code(&client.execute("KILL CLIENT 77", &[]).await.unwrap_err()), "42704");
    assert_eq!(client.query("SHOW CAPS", &[]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_can_be_asked_for_in_parts() {
    let steer = Steer::start(&users());
    let seats: Vec<_> = (0..5).map(|n| steer.join(&format!("u{n}"))).collect();
    let mut client = connect(&steer).await;
    let transaction = client.transaction().await.unwrap();
    // A portal lives until Sync here, since the console knows no transactions.
    let statement = transaction.prepare("SHOW CLIENTS").await.unwrap();
    assert_eq!(transaction.query(&statement, &[]).await.unwrap().len(), seats.len());
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn many_rows_arrive() {
    let steer = Steer::start(&users());
    let seats: Vec<_> = (0..5000).map(|n| steer.join(&format!("u{n}"))).collect();
    let client = connect(&steer).await;
    let rows = tokio::time::timeout(Duration::from_secs(60), client.query("SHOW CLIENTS", &[])).await.unwrap().unwrap();
    assert_eq!(rows.len(), seats.len());
    assert_eq!(rows[4999].get::<_, &str>("user"), "u4999");
}

#[tokio::test]
async fn the_server_names_itself() {
    let steer = Steer::start(&users());
    let (_client, connection) = tokio_postgres::connect(&steer.dsn("sre", "admin secret"), NoTls).await.unwrap();
    assert!(connection.parameter("server_version").unwrap().starts_with("17.0 (Floodwall"));
    assert_eq!(connection.parameter("client_encoding"), Some("UTF8"));
    assert_eq!(connection.parameter("standard_conforming_strings"), Some("on"));
}
