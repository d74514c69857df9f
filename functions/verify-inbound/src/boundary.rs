//! The trust boundary in an object that SES stored: what SES prepended, and where what the sender wrote begins.
//!
//! SES prepends, in this order:
//!
//! ```text
//! Return-Path: <MAIL FROM>
//! Received: from HELO (RDNS [IP]) by inbound-smtp.REGION.amazonaws.com with SMTP id ID for RCPT; DATE
//! X-SES-Spam-Verdict, X-SES-Virus-Verdict (when the rule scans)
//! Received-SPF: RESULT (TEXT) client-ip=IP; envelope-from=MAIL FROM; helo=HELO;
//! Authentication-Results: amazonses.com; ..
//! X-SES-RECEIPT, X-SES-DKIM-SIGNATURE
//! ```
//!
//! Below may stand forged copies of all of these. Inside, the sender chooses MAIL FROM, HELO, RDNS (by the PTR record),
//! RCPT (where any local-part is accepted) and part of TEXT, and whether SES escapes them is unknown. SES alone writes
//! IP and ID. So the client's address is read where nothing a sender can say reaches, and whatever looks as if
//! somebody had tried is a fault.

#![expect(clippy::indexing_slicing, reason = "offsets come from a scan of the same slice")]

use std::net::IpAddr;

use gatepost::envelope::{Envelope, EnvelopeFault};
use gatepost::header_section::{Field, HeaderSection};

use crate::event::MessageId;

/// What SES testifies, and what it heard the client say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary {
    /// The client that connected to SES: the only value here that no sender can choose.
    pub client_ip: IpAddr,
    /// As the client said it; any text.
    pub helo: String,
    /// `RFC5321.MailFrom` as the client said it, `""` for the null sender; any text.
    pub mail_from: String,
    /// One of the recipients, for a message that is judged again without its event.
    pub recipient_in_received: Option<String>,
    /// Where what the sender wrote begins. DKIM, ARC and the author are judged on the message from here on.
    pub sender_part_offset: usize,
    /// What SES's scanner said, in SES's words.
    pub virus_verdict: Option<String>,
    /// Names of fields that only SES has a reason to write, found below the boundary; each once.
    pub forged_fields: Vec<&'static str>,
}

/// Why the envelope of a stored message cannot be known for sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BoundaryFault {
    #[error("the message does not begin with the fields that SES prepends")]
    NoBlock,
    #[error("the topmost Received field is not the one that SES writes")]
    ForeignReceived,
    #[error("the topmost Received field can be read in two ways")]
    AmbiguousReceived,
    #[error("the topmost Received field belongs to another message")]
    OtherMessage,
    #[error("SES's Received-SPF field names no client address")]
    NoClientIp,
    #[error("Received and Received-SPF disagree on the client's address")]
    ClientIpsDisagree,
    #[error("the event and Return-Path disagree on the envelope sender")]
    SendersDisagree,
}

impl BoundaryFault {
    /// Every fault.
    pub const ALL: [Self; 7] = [
        Self::NoBlock,
        Self::ForeignReceived,
        Self::AmbiguousReceived,
        Self::OtherMessage,
        Self::NoClientIp,
        Self::ClientIpsDisagree,
        Self::SendersDisagree,
    ];

    /// Stable, for findings.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoBlock => "ses_no_block",
            Self::ForeignReceived => "ses_foreign_received",
            Self::AmbiguousReceived => "ses_ambiguous_received",
            Self::OtherMessage => "ses_other_message",
            Self::NoClientIp => "ses_no_client_ip",
            Self::ClientIpsDisagree => "ses_client_ips_disagree",
            Self::SendersDisagree => "ses_senders_disagree",
        }
    }
}

impl Boundary {
    /// Reads the block at the top of a stored message. `event_source` is the event's `mail.source`, which has been through
    /// no header and so is preferred; a sweep has none and takes Return-Path.
    ///
    /// # Errors
    /// Whatever leaves a doubt. The message must then not be delivered.
    pub fn of(
        section: &HeaderSection,
        message_id: &MessageId,
        event_source: Option<&str>,
    ) -> Result<Self, BoundaryFault> {
        let block = Block::at_top_of(section)?;
        let received = Received::parse(&block.received.unfolded(), message_id)?;
        if client_ip_in(&block.received_spf.unfolded())? != received.client_ip {
            return Err(BoundaryFault::ClientIpsDisagree);
        }
        Ok(Self {
            client_ip: received.client_ip,
            helo: received.helo,
            mail_from: mail_from(&block.return_path.unfolded(), event_source)?,
            recipient_in_received: received.recipient,
            sender_part_offset: block.end,
            virus_verdict: block.virus_verdict.map(Field::unfolded),
            forged_fields: forged_fields(&section.fields[block.fields..]),
        })
    }

    /// # Errors
    /// A HELO, a path or a number of recipients that is over its bound.
    pub fn envelope(&self, rcpt_to: &[String]) -> Result<Envelope, EnvelopeFault> {
        Envelope::new(self.client_ip, &self.helo, &self.mail_from, rcpt_to)
    }
}

/// In the order in which SES writes them, each at most once.
const BLOCK: [&str; 8] = [
    "Return-Path",
    "Received",
    "X-SES-Spam-Verdict",
    "X-SES-Virus-Verdict",
    "Received-SPF",
    "Authentication-Results",
    "X-SES-RECEIPT",
    "X-SES-DKIM-SIGNATURE",
];

/// The fields that SES prepended.
struct Block<'s> {
    return_path: &'s Field<'s>,
    received: &'s Field<'s>,
    received_spf: &'s Field<'s>,
    virus_verdict: Option<&'s Field<'s>>,
    /// How many fields belong to it.
    fields: usize,
    /// Where the next line of the message begins.
    end: usize,
}

impl<'s> Block<'s> {
    /// A field belongs to the block if it comes next in SES's order and right after the one before: a second copy, or
    /// one after a gap, is the sender's.
    fn at_top_of(section: &'s HeaderSection) -> Result<Self, BoundaryFault> {
        let mut found = [None; BLOCK.len()];
        let (mut fields, mut end) = (0, 0);
        for (place, name) in BLOCK.iter().enumerate() {
            let next = section.fields.get(fields).filter(|field| field.is_named(name) && field.offset == end);
            if let Some(field) = next {
                found[place] = Some(field);
                (fields, end) = (fields + 1, field_end(field));
            }
        }
        match found {
            [Some(return_path), Some(received), _, virus_verdict, Some(received_spf), ..] => {
                Ok(Self { return_path, received, received_spf, virus_verdict, fields, end })
            }
            _ => Err(BoundaryFault::NoBlock),
        }
    }
}

/// SES folds Received and Authentication-Results but keeps `X-SES-` fields on one line, so a continuation of one of those
/// is the sender's first line, written to disappear into the block.
fn field_end(field: &Field) -> usize {
    let first_line_end = field.value.iter().position(|&octet| octet == b'\n').map(|lf| field.value_offset + lf + 1);
    match first_line_end {
        Some(end) if field.name.starts_with(b"X-SES-") => end,
        _ => field.end,
    }
}

struct Received {
    client_ip: IpAddr,
    helo: String,
    recipient: Option<String>,
}

impl Received {
    /// The middle, `]) by inbound-smtp.REGION.amazonaws.com with SMTP id ID`, holds the id that SES gave the message, which
    /// the client cannot know while it says HELO and RCPT; and should the middle's beginning occur twice, nothing
    /// is believed. The address ends where the middle begins, to the right of everything the client could say.
    fn parse(text: &str, message_id: &MessageId) -> Result<Self, BoundaryFault> {
        const MIDDLE: &str = "]) by inbound-smtp.";
        let mut parts = text.split(MIDDLE);
        let (Some(from), Some(by), None) = (parts.next(), parts.next(), parts.next()) else {
            let seen = text.contains(MIDDLE);
            return Err(if seen { BoundaryFault::AmbiguousReceived } else { BoundaryFault::ForeignReceived });
        };
        let (client_ip, helo) = from_clause(from).ok_or(BoundaryFault::ForeignReceived)?;
        let (id, rest) = by_clause(by).ok_or(BoundaryFault::ForeignReceived)?;
        if id != message_id.as_str() {
            return Err(BoundaryFault::OtherMessage);
        }
        Ok(Self { client_ip, helo: helo.to_owned(), recipient: recipient(rest).map(str::to_owned) })
    }
}

/// `from HELO (RDNS [IP`. What RDNS adds to HELO, should it hold a parenthesis, only garbles a name that the sender
/// could have chosen anyway.
fn from_clause(text: &str) -> Option<(IpAddr, &str)> {
    let (names, ip) = text.strip_prefix("from ")?.rsplit_once('[')?;
    let (helo, _rdns) = names.rsplit_once(" (")?;
    Some((parse_ip(ip)?, helo))
}

/// `REGION.amazonaws.com with SMTP id ID for RCPT; DATE`: the id and what follows it.
fn by_clause(text: &str) -> Option<(&str, &str)> {
    let (host, rest) = text.split_once(" with ")?;
    let region = host.strip_suffix(".amazonaws.com")?;
    let (protocol, rest) = rest.split_once(" id ")?;
    let is_region = !region.is_empty() && region.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    let is_protocol =
        protocol.contains("SMTP") && protocol.bytes().all(|octet| octet.is_ascii_uppercase() || octet.is_ascii_digit());
    let id_end = rest.find([' ', ';']).unwrap_or(rest.len());
    (is_region && is_protocol).then(|| rest.split_at(id_end))
}

/// ` for RCPT; DATE`.
fn recipient(text: &str) -> Option<&str> {
    let (recipient, _date) = text.strip_prefix(" for ")?.rsplit_once(';')?;
    Some(without_brackets(recipient.trim()))
}

/// Every `client-ip=` counts, wherever in the text it stands: one that the sender slipped in either agrees or stops the
/// message, and never replaces SES's own.
fn client_ip_in(received_spf: &str) -> Result<IpAddr, BoundaryFault> {
    let mut written =
        received_spf.split("client-ip=").skip(1).map(|rest| parse_ip(rest.split(';').next().unwrap_or_default()));
    let first = written.next().flatten().ok_or(BoundaryFault::NoClientIp)?;
    if written.all(|ip| ip == Some(first)) { Ok(first) } else { Err(BoundaryFault::ClientIpsDisagree) }
}

fn mail_from(return_path: &str, event_source: Option<&str>) -> Result<String, BoundaryFault> {
    let return_path = without_brackets(return_path);
    let sender = event_source.map_or(return_path, without_brackets);
    if sender.eq_ignore_ascii_case(return_path) { Ok(sender.to_owned()) } else { Err(BoundaryFault::SendersDisagree) }
}

/// Received and Return-Path have honest reasons to stand further down, and so has another server's
/// Authentication-Results.
fn forged_fields(senders: &[Field]) -> Vec<&'static str> {
    let is_forged = |name: &str, field: &Field| {
        field.is_named(name)
            && match name {
                "Return-Path" | "Received" => false,
                "Authentication-Results" => field.unfolded().contains("amazonses.com"),
                _ => true,
            }
    };
    BLOCK.into_iter().filter(|name| senders.iter().any(|field| is_forged(name, field))).collect()
}

fn parse_ip(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.strip_prefix("IPv6:").unwrap_or(text).parse().ok().map(|ip: IpAddr| ip.to_canonical())
}

fn without_brackets(path: &str) -> &str {
    path.strip_prefix('<').and_then(|path| path.strip_suffix('>')).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1";

    /// What SES would store for a client at 192.0.2.66.
    fn stored(helo: &str, rdns: &str, mail_from: &str, rcpt_to: &str, message: &str) -> String {
        format!(
            "Return-Path: <{mail_from}>\r\n\
             Received: from {helo} ({rdns} [192.0.2.66])\r\n by inbound-smtp.eu-west-1.amazonaws.com with SMTP id {ID}\r\n \
             for {rcpt_to};\r\n Fri, 20 Nov 2026 11:30:10 +0000 (UTC)\r\n\
             X-SES-Spam-Verdict: PASS\r\n\
             X-SES-Virus-Verdict: PASS\r\n\
             Received-SPF: none (spfCheck: 192.0.2.66 is neither permitted nor denied by domain of {mail_from}) \
             client-ip=192.0.2.66; envelope-from={mail_from}; helo={helo};\r\n\
             Authentication-Results: amazonses.com;\r\n spf=none client-ip=192.0.2.66; helo={helo};\r\n dmarc=none;\r\n\
             X-SES-RECEIPT: AEFB\r\n\
             X-SES-DKIM-SIGNATURE: a=rsa-sha256; d=amazonses.com; h=From:X-SES-RECEIPT;\r\n\
             {message}"
        )
    }

    fn plain() -> String {
        stored("mx.example.org", "unknown", "a@example.org", "in@example.net", "From: <a@example.org>\r\n\r\nhello\r\n")
    }

    fn boundary(message: &str, event_source: Option<&str>) -> Result<Boundary, BoundaryFault> {
        let id = MessageId::parse(ID).expect("a plain id");
        Boundary::of(&HeaderSection::parse(message.as_bytes()), &id, event_source)
    }

    #[test]
    fn the_envelope_is_what_ses_wrote_on_top() {
        let message = plain();
        let boundary = boundary(&message, None).expect("a plain message");
        let envelope = boundary.envelope(&["in@example.net".to_owned()]).expect("nothing is too long");
        assert_eq!(envelope.client_ip.to_string(), "192.0.2.66");
        assert_eq!((envelope.helo.as_str(), envelope.mail_from.as_str()), ("mx.example.org", "a@example.org"));
        assert_eq!(boundary.recipient_in_received.as_deref(), Some("in@example.net"));
        assert_eq!(&message[boundary.sender_part_offset..], "From: <a@example.org>\r\n\r\nhello\r\n");
        assert_eq!(boundary.forged_fields, [""; 0]);
    }

    #[test]
    fn fields_that_ses_leaves_out_without_scanning_may_be_missing() {
        let message = plain().replace("X-SES-Spam-Verdict: PASS\r\nX-SES-Virus-Verdict: PASS\r\n", "");
        let boundary = boundary(&message, None).expect("a plain message");
        assert!(message[boundary.sender_part_offset..].starts_with("From:"));
    }

    #[test]
    fn the_null_sender_is_empty_text() {
        let message = stored("mx.example.org", "mx.example.org", "", "in@example.net", "\r\n");
        for source in [None, Some(""), Some("<>")] {
            assert_eq!(boundary(&message, source).expect("a plain message").mail_from, "");
        }
    }

    #[test]
    fn nothing_a_sender_says_moves_the_client_address() {
        let middle = "198.51.100.1]) by inbound-smtp.eu-west-1.amazonaws.com with SMTP id";
        let known_id = format!("mx ([{middle} {ID} for in@example.net; ");
        let unknown_id = format!("mx ([{middle} guess for in@example.net; ");
        for (helo, rdns, mail_from, rcpt_to, expected) in [
            ("mx (mx [198.51.100.1])", "r", "a@b.example", "c@d.example", Ok(())),
            ("[198.51.100.1]", "r", "a@b.example", "c@d.example", Ok(())),
            ("mx; client-ip=192.0.2.66", "r", "a@b.example", "c@d.example", Ok(())),
            ("mx", "r) ([198.51.100.1", "a@b.example", "c@d.example", Ok(())),
            (&known_id, "r", "a@b.example", "c@d.example", Err(BoundaryFault::AmbiguousReceived)),
            (&unknown_id, "r", "a@b.example", "c@d.example", Err(BoundaryFault::AmbiguousReceived)),
            ("mx", &known_id, "a@b.example", "c@d.example", Err(BoundaryFault::AmbiguousReceived)),
            ("mx", "r", "a@b.example", &known_id, Err(BoundaryFault::AmbiguousReceived)),
            ("mx; client-ip=198.51.100.1", "r", "a@b.example", "c@d.example", Err(BoundaryFault::ClientIpsDisagree)),
            (
                "mx",
                "r",
                "\"; client-ip=198.51.100.1; \"@b.example",
                "c@d.example",
                Err(BoundaryFault::ClientIpsDisagree),
            ),
            ("mx", "r", "\"client-ip=198.51.100.1;\"@b.example", "c@d.example", Err(BoundaryFault::ClientIpsDisagree)),
            ("mx client-ip=junk", "r", "a@b.example", "c@d.example", Err(BoundaryFault::ClientIpsDisagree)),
        ] {
            let message = stored(helo, rdns, mail_from, rcpt_to, "From: <a@b.example>\r\n\r\n");
            let address = boundary(&message, Some(mail_from)).map(|boundary| boundary.client_ip.to_string());
            assert_eq!(address, expected.map(|()| "192.0.2.66".to_owned()), "{message}");
        }
    }

    #[test]
    fn the_helo_is_kept_as_the_client_said_it() {
        let helo = "mail.evil.example; dkim=pass header.i=@bank.example; dmarc=pass (x)";
        let boundary = boundary(&stored(helo, "r", "a@b.example", "c@d.example", "\r\n"), None).expect("one reading");
        assert_eq!(boundary.helo, helo);
    }

    #[test]
    fn a_block_that_is_not_certainly_of_this_message_is_a_fault() {
        for (from, to, expected) in [
            ("Return-Path:", "X-Other: 1\r\nReturn-Path:", BoundaryFault::NoBlock),
            ("Return-Path:", " folded\r\nReturn-Path:", BoundaryFault::NoBlock),
            ("Return-Path:", "\r\nReturn-Path:", BoundaryFault::NoBlock),
            ("Received: from", "X-Received: from", BoundaryFault::NoBlock),
            ("Received-SPF:", "X-Other: 1\r\nReceived-SPF:", BoundaryFault::NoBlock),
            (ID, "other", BoundaryFault::OtherMessage),
            (ID, "o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1x", BoundaryFault::OtherMessage),
            ("inbound-smtp.eu-west-1.", "inbound-smtp.evil.example.", BoundaryFault::ForeignReceived),
            ("by inbound-smtp.", "by mx.", BoundaryFault::ForeignReceived),
            ("[192.0.2.66])", "[192.0.2.999])", BoundaryFault::ForeignReceived),
            ("[192.0.2.66])", "[192.0.2.67])", BoundaryFault::ClientIpsDisagree),
            ("client-ip=192.0.2.66;", "", BoundaryFault::NoClientIp),
        ] {
            assert_eq!(boundary(&plain().replacen(from, to, 1), None), Err(expected), "{from:?} -> {to:?}");
        }
        assert_eq!(boundary(&plain(), Some("x@evil.example")), Err(BoundaryFault::SendersDisagree));
        assert_eq!(boundary("", None), Err(BoundaryFault::NoBlock));
    }

    #[test]
    fn a_folded_first_line_of_the_sender_stays_the_senders() {
        let message =
            stored("mx", "r", "a@b.example", "c@d.example", " From: <x@y.example>\r\nFrom: <a@b.example>\r\n\r\n");
        let boundary = boundary(&message, None).expect("the block is whole");
        assert!(message[boundary.sender_part_offset..].starts_with(" From: <x@y.example>"));
    }

    #[test]
    fn copies_of_ses_fields_below_the_boundary_are_the_senders_and_named() {
        let forged = "X-SES-Spam-Verdict: PASS\r\nReceived-SPF: pass client-ip=198.51.100.1;\r\n\
                      Authentication-Results: amazonses.com; dmarc=pass\r\nAuthentication-Results: mx.example; spf=pass\r\n\
                      Received: by mx.example\r\nreceived-spf: pass\r\nFrom: <a@b.example>\r\n\r\n";
        let message = stored("mx", "r", "a@b.example", "c@d.example", forged);
        let boundary = boundary(&message, None).expect("the block is whole");
        assert_eq!(boundary.forged_fields, ["X-SES-Spam-Verdict", "Received-SPF", "Authentication-Results"]);
        assert_eq!(&message[boundary.sender_part_offset..], forged);
        assert_eq!(boundary.client_ip.to_string(), "192.0.2.66");
    }
}
