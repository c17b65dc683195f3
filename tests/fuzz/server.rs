//! A server that answers by the text alone, so that it can be asked twice: directly and through the relay.

use std::collections::HashMap;

use crate::support::{error, message, ready};

/// What a client sends: a code and a body.
pub(crate) type Message = (u8, Vec<u8>);

/// A small PostgreSQL: simple and extended protocol, transactions, errors that skip to Sync.
#[derive(Debug)]
pub(crate) struct Server {
    transaction: u8,
    skipping: bool,
    prepared: HashMap<Vec<u8>, String>,
    bound: Option<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self { transaction: b'I', skipping: false, prepared: HashMap::new(), bound: None }
    }
}

impl Server {
    /// The bytes that answer one message.
    pub(crate) fn answer(&mut self, (code, body): &Message) -> Vec<u8> {
        match code {
            b'S' => {
                self.skipping = false;
                ready(self.transaction)
            }
            _ if self.skipping => Vec::new(),
            b'Q' => {
                let mut out = self.run(&text(body)).unwrap_or_else(|failed| self.fail(&failed));
                out.extend(ready(self.transaction));
                out
            }
            b'P' | b'B' | b'E' => self.extended(*code, body).unwrap_or_else(|failed| {
                self.skipping = true;
                self.fail(&failed)
            }),
            _ => Vec::new(),
        }
    }

    fn extended(&mut self, code: u8, body: &[u8]) -> Result<Vec<u8>, String> {
        let mut parts = body.split(|&byte| byte == 0);
        let (first, second) = (parts.next().unwrap(), parts.next().unwrap());
        match code {
            b'P' => {
                let sql = text(second);
                // A failing Parse of the unnamed statement also forgets the old one. No client relies on that: it would have
                // to bind a statement whose Parse it has just seen fail.
                stumbles(&sql)?;
                self.prepared.insert(first.to_vec(), sql);
                Ok(message(b'1', b""))
            }
            b'B' => {
                stumbles(&text(second))?;
                let sql = self.prepared.get(second).cloned().ok_or("26000 no such statement")?;
                self.bound = Some(sql);
                Ok(message(b'2', b""))
            }
            _ => {
                let sql = self.bound.clone().ok_or("34000 no such portal")?;
                self.run(&sql)
            }
        }
    }

    fn run(&mut self, sql: &str) -> Result<Vec<u8>, String> {
        stumbles(sql)?;
        if self.transaction == b'E' && sql != "commit" {
            return Err("25P02 in a failed transaction".to_owned());
        }
        match sql {
            "begin" => self.transaction = b'T',
            "commit" => self.transaction = b'I',
            _ if sql.starts_with("fail") => return Err(format!("22012 {sql}")),
            _ => {}
        }
        Ok([message(b'D', sql.as_bytes()), message(b'C', b"DONE\0")].concat())
    }

    fn fail(&mut self, failed: &str) -> Vec<u8> {
        if self.transaction == b'T' {
            self.transaction = b'E';
        }
        let (code, text) = failed.split_once(' ').unwrap();
        error(code, text)
    }
}

/// What the parser says: of a word that stands for a refusal, and, asked directly, of what the relay would have refused.
fn stumbles(sql: &str) -> Result<(), String> {
    if sql.starts_with("floodwall_refused_") {
        return Err(format!("42601 syntax error at or near \"{sql}\""));
    }
    if sql.starts_with("refuse") || sql.starts_with("wait") {
        return Err("54000 FLOODWALL".to_owned());
    }
    Ok(())
}

fn text(body: &[u8]) -> String {
    String::from_utf8(body.split(|&byte| byte == 0).next().unwrap().to_vec()).unwrap()
}
