//! The SMTP envelope of one message (RFC 5321 §2.3.1), as the receiving server saw it.

use std::net::IpAddr;

use serde::Serialize;

/// Octets of a HELO argument: an SMTP command line has 512 (RFC 5321 §4.5.3.1.4).
pub const MAX_HELO_OCTETS: usize = 512;
/// Octets of a reverse-path or forward-path: RFC 5321 §4.5.3.1.3 says 256, and servers are told to be generous.
pub const MAX_PATH_OCTETS: usize = 512;
/// SES hands over at most this many recipients at once.
pub const MAX_RECIPIENTS: usize = 100;

/// Only [`Envelope::new`] makes one, so its bounds hold everywhere.
///
/// The texts are what the client said and nothing more: `helo` and `mail_from` may hold any character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Envelope {
    /// The client that connected; an IPv4 address as such, never IPv4-mapped IPv6.
    pub client_ip: IpAddr,
    /// The argument of HELO or EHLO, at most [`MAX_HELO_OCTETS`].
    pub helo: String,
    /// `RFC5321.MailFrom` without angle brackets, at most [`MAX_PATH_OCTETS`]; the null sender is `""`.
    pub mail_from: String,
    /// `RCPT TO` without angle brackets, at most [`MAX_RECIPIENTS`] of at most [`MAX_PATH_OCTETS`].
    pub rcpt_to: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeFault {
    #[error("the HELO argument is longer than {MAX_HELO_OCTETS} octets")]
    HeloTooLong,
    #[error("the envelope sender is longer than {MAX_PATH_OCTETS} octets")]
    SenderTooLong,
    #[error("a recipient is longer than {MAX_PATH_OCTETS} octets")]
    RecipientTooLong,
    #[error("there are more than {MAX_RECIPIENTS} recipients")]
    TooManyRecipients,
}

impl Envelope {
    /// Maps an IPv4-mapped IPv6 address to IPv4, because SPF compares families (RFC 7208 §5), and drops one pair of angle
    /// brackets around a path.
    ///
    /// # Errors
    /// The first bound that is broken.
    pub fn new(client_ip: IpAddr, helo: &str, mail_from: &str, rcpt_to: &[String]) -> Result<Self, EnvelopeFault> {
        if MAX_HELO_OCTETS < helo.len() {
            return Err(EnvelopeFault::HeloTooLong);
        }
        if MAX_PATH_OCTETS < mail_from.len() {
            return Err(EnvelopeFault::SenderTooLong);
        }
        if rcpt_to.iter().any(|path| MAX_PATH_OCTETS < path.len()) {
            return Err(EnvelopeFault::RecipientTooLong);
        }
        if MAX_RECIPIENTS < rcpt_to.len() {
            return Err(EnvelopeFault::TooManyRecipients);
        }
        Ok(Self {
            client_ip: client_ip.to_canonical(),
            helo: helo.to_owned(),
            mail_from: without_brackets(mail_from).to_owned(),
            rcpt_to: rcpt_to.iter().map(|path| without_brackets(path).to_owned()).collect(),
        })
    }
}

fn without_brackets(path: &str) -> &str {
    path.strip_prefix('<').and_then(|path| path.strip_suffix('>')).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "192.0.2.1";

    #[test]
    fn a_mapped_address_is_the_ipv4_address_it_maps() {
        for (written, expected) in
            [(CLIENT, CLIENT), ("::ffff:192.0.2.1", CLIENT), ("2001:db8::1", "2001:db8::1"), ("::1", "::1")]
        {
            let client_ip = written.parse().expect("the table holds addresses");
            let envelope = Envelope::new(client_ip, "h", "", &[]).expect("nothing is too long");
            assert_eq!(envelope.client_ip.to_string(), expected);
        }
    }

    #[test]
    fn a_path_loses_its_brackets_and_nothing_else() {
        for (written, expected) in
            [("<>", ""), ("", ""), ("<a@b.example>", "a@b.example"), ("a@b.example", "a@b.example"), ("<a", "<a")]
        {
            let client_ip = CLIENT.parse().expect("an address");
            let envelope = Envelope::new(client_ip, "h", written, &[written.to_owned()]).expect("nothing is too long");
            assert_eq!((envelope.mail_from.as_str(), envelope.rcpt_to[0].as_str()), (expected, expected));
        }
    }

    #[test]
    fn what_is_over_a_bound_is_refused() {
        let long = "x".repeat(513);
        let many = vec!["a@b.example".to_owned(); 101];
        for (helo, mail_from, rcpt_to, expected) in [
            (long.as_str(), "", &[][..], EnvelopeFault::HeloTooLong),
            ("h", long.as_str(), &[], EnvelopeFault::SenderTooLong),
            ("h", "", std::slice::from_ref(&long), EnvelopeFault::RecipientTooLong),
            ("h", "", &many, EnvelopeFault::TooManyRecipients),
        ] {
            let client_ip = CLIENT.parse().expect("an address");
            assert_eq!(Envelope::new(client_ip, helo, mail_from, rcpt_to), Err(expected));
        }
    }
}
