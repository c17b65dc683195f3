//! The sender of a notification.
//!
//! Source: PostgreSQL manual, "Message Formats": NotificationResponse; "NOTIFY": a client tells its own by the process of its session.

use super::code::server;
use super::frame::{HEAD, server_head};

/// Gives the notifications among these whole messages that come from the process `of` the number `to`. True where there was one.
pub fn renumber(messages: &mut [u8], of: i32, to: i32) -> bool {
    let (mut rest, mut found) = (messages, false);
    while let Ok(Some(head)) = server_head(rest) {
        let size = usize::try_from(head.size).unwrap_or(usize::MAX);
        let Some((message, after)) = rest.split_at_mut_checked(size) else { break };
        if head.code == server::NOTIFICATION
            && let Some(sender) = message.get_mut(HEAD..).and_then(|body| body.first_chunk_mut::<4>())
            && *sender == of.to_be_bytes()
        {
            *sender = to.to_be_bytes();
            found = true;
        }
        rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_from_that_process_gets_another_number() {
        let news = |pid: u8| [b"A\0\0\0\x13\0\0\0", &[pid][..], b"news\0hello\0"].concat();
        let told = b"S\0\0\0\x0c\0\0\0\x07a\0b\0";
        let mut messages = [&news(7), &told[..], &news(8), &news(7)].concat();
        assert!(renumber(&mut messages, 7, 9));
        assert_eq!(messages, [&news(9), &told[..], &news(8), &news(9)].concat());
        assert!(!renumber(&mut messages, 7, 9));
        // What is not whole is left alone.
        let mut cut = news(7)[..12].to_vec();
        assert!(!renumber(&mut cut, 7, 9) && cut == news(7)[..12]);
    }
}
