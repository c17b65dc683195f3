//! From the start-up packet to ReadyForQuery.

use std::sync::Arc;

use bytes::Bytes;
use pgwire::api::auth::sasl::SCRAM_SHA_256_METHOD;
use pgwire::api::auth::sasl::scram::ScramServerAuth;
use pgwire::messages::startup::{
    Authentication, BackendKeyData, MESSAGE_TYPE_BYTE_PASSWORD_MESSAGE_FAMILY, NegotiateProtocolVersion,
    ParameterStatus, PasswordMessageFamily, SecretKey, Startup,
};
use pgwire::messages::{PgWireBackendMessage as Reply, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};

use super::accounts::{Accounts, Operator};
use super::answer::{Failure, ready, server_version};
use super::keys::{Key, Keys};
use super::wire::{End, Opening, Wire};
use crate::config::Role;
use crate::units::display_bytes;

/// TLS and GSS requests before the start-up packet.
const ENCRYPTION_REQUESTS_MAX: usize = 2;

/// How somebody proves who they are.
pub(super) enum Proof {
    /// By password.
    Scram(Arc<Accounts>),
    /// The kernel says that the peer is us or root, by this number.
    Peer(u32),
    /// The kernel says that the peer is somebody else.
    Stranger,
}

/// Logs a client in; `None` where it only wanted to cancel something.
pub(super) async fn login<S>(wire: &mut Wire<S>, proof: Proof, keys: &Arc<Keys>) -> Result<Option<(Operator, Key)>, End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(startup) = startup(wire, keys).await? else { return Ok(None) };
    let user = startup.parameters.get("user").map(String::as_str).unwrap_or_default();
    if user.is_empty() {
        return Err(End::Refused(Failure::new("28000", "no user name in the startup packet")));
    }
    negotiate(wire, &startup)?;
    let operator = match proof {
        Proof::Peer(uid) => Operator { name: claimed(uid, user), role: Role::Admin },
        Proof::Stranger => return Err(End::Refused(Failure::new("28000", "peer authentication failed"))),
        Proof::Scram(accounts) => {
            let role = scram(wire, &accounts, user).await?;
            Operator { name: display_bytes(user.as_bytes()), role }
        }
    };
    let key = keys.issue().map_err(|error| End::Io(error.into()))?;
    welcome(wire, user, &startup, &key)?;
    wire.flush().await?;
    Ok(Some((operator, key)))
}

/// Who comes over the Unix socket: the number is the kernel's word, the name is nobody's but their own.
fn claimed(uid: u32, user: &str) -> String {
    format!("uid {uid} (as {})", display_bytes(user.as_bytes()))
}

async fn startup<S>(wire: &mut Wire<S>, keys: &Keys) -> Result<Option<Startup>, End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for _ in 0..=ENCRYPTION_REQUESTS_MAX {
        match wire.opening().await? {
            Opening::Encryption => wire.decline().await?,
            Opening::Cancel(pid, secret) => {
                keys.cancel(pid, secret);
                return Ok(None);
            }
            Opening::Startup(startup) => return Ok(Some(startup)),
        }
    }
    Err(End::Refused(Failure::new("08P01", "too many encryption requests")))
}

/// Newer minor versions and options that we don't know are met with the newest version that we do.
fn negotiate<S>(wire: &mut Wire<S>, startup: &Startup) -> Result<(), End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let known = ProtocolVersion::from_version_number(startup.protocol_number_major, startup.protocol_number_minor);
    let options = startup.parameters.keys().filter(|name| name.starts_with("_pq_."));
    let options: Vec<String> = options.cloned().collect();
    if known.is_some() && options.is_empty() {
        return Ok(());
    }
    let version = known.unwrap_or(ProtocolVersion::PROTOCOL3_2);
    wire.put(&Reply::NegotiateProtocolVersion(NegotiateProtocolVersion::new(version.into(), options)))
}

async fn scram<S>(wire: &mut Wire<S>, accounts: &Accounts, user: &str) -> Result<Role, End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    wire.put(&Reply::Authentication(Authentication::SASL(vec![SCRAM_SHA_256_METHOD.to_owned()])))?;
    wire.flush().await?;
    let first = first_response(wire.body(MESSAGE_TYPE_BYTE_PASSWORD_MESSAGE_FAMILY).await?)?;
    let (secret, role) = accounts.secret(user);
    let refused = || End::Refused(Failure::new("28P01", format!("password authentication failed for user \"{user}\"")));
    let exchange = ScramServerAuth::new().on_client_first_message_with_secret(&first, secret);
    let (challenge, exchange) = exchange.map_err(|_| refused())?;
    wire.put(&Reply::Authentication(Authentication::SASLContinue(challenge.into())))?;
    wire.flush().await?;
    let last = wire.body(MESSAGE_TYPE_BYTE_PASSWORD_MESSAGE_FAMILY).await?;
    let signature = exchange.on_client_final_message(&last).map_err(|_| refused())?;
    // A name that does not exist can't get here; it is refused all the same.
    let role = role.ok_or_else(refused)?;
    wire.put(&Reply::Authentication(Authentication::SASLFinal(signature.into())))?;
    Ok(role)
}

/// Mechanism, length, data. The lengths are checked before `pgwire` reads them: it panics on short bodies, and this is
/// what strangers send.
fn first_response(body: bytes::BytesMut) -> Result<Bytes, End> {
    let malformed = || End::Refused(Failure::new("08P01", "malformed SASL response"));
    let name_bytes = body.iter().position(|byte| *byte == 0).ok_or_else(malformed)?;
    let rest = body.get(name_bytes + 1..).unwrap_or_default();
    let (length, data) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
    if usize::try_from(i32::from_be_bytes(*length)) != Ok(data.len()) {
        return Err(malformed());
    }
    let response = PasswordMessageFamily::Raw(body).into_sasl_initial_response().map_err(|_| malformed())?;
    if response.auth_method != SCRAM_SHA_256_METHOD {
        return Err(End::Refused(Failure::new("08P01", "client selected an invalid SASL authentication mechanism")));
    }
    response.data.ok_or_else(malformed)
}

fn welcome<S>(wire: &mut Wire<S>, user: &str, startup: &Startup, key: &Key) -> Result<(), End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let version = server_version();
    let application_name = startup.parameters.get("application_name").map(String::as_str).unwrap_or_default();
    let parameters = [
        ("server_version", version.as_str()),
        ("server_encoding", "UTF8"),
        ("client_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
        ("integer_datetimes", "on"),
        ("DateStyle", "ISO, YMD"),
        ("TimeZone", "UTC"),
        ("session_authorization", user),
        ("application_name", application_name),
    ];
    wire.put(&Reply::Authentication(Authentication::Ok))?;
    for (name, value) in parameters {
        wire.put(&Reply::ParameterStatus(ParameterStatus::new(name.to_owned(), value.to_owned())))?;
    }
    let (pid, secret) = key.told();
    wire.put(&Reply::BackendKeyData(BackendKeyData::new(pid, SecretKey::I32(secret))))?;
    wire.put(&ready())
}
