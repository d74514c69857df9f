//! What verify-inbound is invoked with: SES's receipt event, or our own request to judge a message again.
//!
//! SES documents its event loosely and changes it, so only what is used is read, and anything else may be missing or of
//! another type. Everything here except `messageId` repeats what a stranger said over SMTP.

use std::fmt;

use gatepost::io::messages::REPORT_SUFFIX;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// SES sends one record.
pub const MAX_RECORDS: usize = 10;
/// SES accepts at most this many recipients for one message.
pub const MAX_RECIPIENTS: usize = 100;
/// 64 octets of local-part, `@`, 255 of domain (RFC 5321 §4.5.3.1).
pub const MAX_RECIPIENT_OCTETS: usize = 320;
/// The same bound as that of an envelope's paths.
pub const MAX_SENDER_OCTETS: usize = 512;

/// The names of what SES puts in `Records`, and of our own `{"sweep": {"message_id": "..", "recipients": []}}`.
#[derive(Debug, Deserialize)]
pub struct Inbound {
    #[serde(rename = "Records")]
    records: Option<Vec<Record>>,
    sweep: Option<Sweep>,
}

/// One message to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub message_id: MessageId,
    /// `mail.source`, the envelope sender; `None` when the event does not tell.
    pub mail_from: Option<String>,
    /// `receipt.recipients`, the envelope's recipients; empty when the event does not tell.
    pub recipients: Vec<String>,
    /// `PASS`, `FAIL`, `GRAY`, `PROCESSING_FAILED`, `DISABLED`, or what SES invents next.
    pub virus_verdict: Option<String>,
}

/// The name SES gave a message: 1 to 128 of letters, digits, `.`, `_` and `-`, not beginning with a dot, nor ending as reports
/// do. So it is safe as the last part of an object key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageId(String);

#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The source quotes the event, addresses and all: it is not for the log.
    #[error("the event does not have the shape of a receipt")]
    Malformed(#[from] serde_json::Error),
    #[error("the event is neither from SES nor from the sweep")]
    Foreign,
    #[error("the event is both a receipt and a sweep")]
    Ambiguous,
    #[error("the event has more than {MAX_RECORDS} records")]
    TooManyRecords,
    #[error("the message id is missing or has characters of its own")]
    MessageId,
    #[error("there are more than {MAX_RECIPIENTS} recipients")]
    TooManyRecipients,
    #[error("a recipient is longer than {MAX_RECIPIENT_OCTETS} octets")]
    RecipientTooLong,
    #[error("the envelope sender is longer than {MAX_SENDER_OCTETS} octets")]
    SenderTooLong,
}

impl Inbound {
    /// # Errors
    /// An event that names no message, or not beyond doubt, or breaks a bound stated in this file.
    pub fn parse(event: Value) -> Result<Vec<Receipt>, EventError> {
        match serde_json::from_value::<Self>(event)? {
            Self { records: Some(_), sweep: Some(_) } => Err(EventError::Ambiguous),
            Self { records: None, sweep: Some(sweep) } => Ok(vec![sweep.receipt()?]),
            Self { records: Some(records), sweep: None } if MAX_RECORDS < records.len() => {
                Err(EventError::TooManyRecords)
            }
            Self { records: Some(records), sweep: None } if !records.is_empty() => {
                records.into_iter().map(Record::receipt).collect()
            }
            Self { sweep: None, .. } => Err(EventError::Foreign),
        }
    }
}

impl MessageId {
    /// # Errors
    /// [`EventError::MessageId`].
    pub fn parse(text: &str) -> Result<Self, EventError> {
        let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'_' | b'-');
        let is_name = !text.starts_with('.') && !text.ends_with(REPORT_SUFFIX);
        let plain = (1..=128).contains(&text.len()) && text.bytes().all(is_plain) && is_name;
        if plain { Ok(Self(text.to_owned())) } else { Err(EventError::MessageId) }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[derive(Debug, Deserialize)]
struct Sweep {
    message_id: String,
    #[serde(default)]
    recipients: Vec<String>,
}

impl Sweep {
    fn receipt(self) -> Result<Receipt, EventError> {
        Ok(Receipt {
            message_id: MessageId::parse(&self.message_id)?,
            mail_from: None,
            recipients: bounded_recipients(self.recipients)?,
            virus_verdict: None,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_source: Option<String>,
    ses: Option<Ses>,
}

#[derive(Debug, Deserialize)]
struct Ses {
    mail: Option<Mail>,
    receipt: Option<SesReceipt>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mail {
    message_id: Option<String>,
    source: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SesReceipt {
    recipients: Option<Vec<String>>,
    #[serde(default, deserialize_with = "if_as_expected")]
    virus_verdict: Option<Verdict>,
}

#[derive(Debug, Deserialize)]
struct Verdict {
    status: Option<String>,
}

impl Record {
    fn receipt(self) -> Result<Receipt, EventError> {
        if self.event_source.is_some_and(|source| source != "aws:ses") {
            return Err(EventError::Foreign);
        }
        let ses = self.ses.ok_or(EventError::Foreign)?;
        let mail = ses.mail.ok_or(EventError::MessageId)?;
        let receipt = ses.receipt.unwrap_or_default();
        Ok(Receipt {
            message_id: MessageId::parse(&mail.message_id.ok_or(EventError::MessageId)?)?,
            mail_from: mail.source.map(bounded_sender).transpose()?,
            recipients: bounded_recipients(receipt.recipients.unwrap_or_default())?,
            virus_verdict: receipt.virus_verdict.and_then(|verdict| verdict.status),
        })
    }
}

fn bounded_sender(sender: String) -> Result<String, EventError> {
    if MAX_SENDER_OCTETS < sender.len() { Err(EventError::SenderTooLong) } else { Ok(sender) }
}

fn bounded_recipients(recipients: Vec<String>) -> Result<Vec<String>, EventError> {
    if MAX_RECIPIENTS < recipients.len() {
        return Err(EventError::TooManyRecipients);
    }
    if recipients.iter().any(|recipient| MAX_RECIPIENT_OCTETS < recipient.len()) {
        return Err(EventError::RecipientTooLong);
    }
    Ok(recipients)
}

/// A value of another type counts as missing.
fn if_as_expected<'de, D: Deserializer<'de>, T: DeserializeOwned>(value: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(value)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn receipt(mail: &Value, receipt: &Value) -> Result<Vec<Receipt>, EventError> {
        Inbound::parse(json!({"Records": [{"eventSource": "aws:ses", "ses": {"mail": mail, "receipt": receipt}}]}))
    }

    #[test]
    fn a_receipt_names_the_message_and_its_envelope() {
        let receipts = receipt(
            &json!({"timestamp": "2026-11-20T09:15:02.028Z", "source": "bounce@mail.example.com", "messageId": "o3vrnil0",
                "destination": ["someone@else.example"], "headersTruncated": false, "headers": [{"name": "From"}],
                "commonHeaders": {"from": ["Support <support@example.com>"]}}),
            &json!({"processingTimeMillis": 1205, "recipients": ["verify@in.example.net"], "spamVerdict": {"status": "PASS"},
                "virusVerdict": {"status": "DISABLED"}, "dmarcPolicy": "reject", "action": {"type": "Lambda"}}),
        );
        let expected = Receipt {
            message_id: MessageId("o3vrnil0".to_owned()),
            mail_from: Some("bounce@mail.example.com".to_owned()),
            recipients: vec!["verify@in.example.net".to_owned()],
            virus_verdict: Some("DISABLED".to_owned()),
        };
        assert_eq!(receipts.expect("a plain receipt"), [expected]);
    }

    #[test]
    fn what_is_not_needed_may_be_missing_null_or_of_another_type() {
        for (mail, rest) in [
            (json!({"messageId": "m"}), Value::Null),
            (json!({"messageId": "m", "source": null, "commonHeaders": null, "headers": 5}), json!({})),
            (
                json!({"messageId": "m"}),
                json!({"recipients": null, "spamVerdict": "PASS", "virusVerdict": {"status": 1}}),
            ),
        ] {
            let receipts = receipt(&mail, &rest).expect("only the message id is needed");
            let Receipt { mail_from, recipients, virus_verdict, .. } = &receipts[0];
            assert_eq!((mail_from, recipients.len(), virus_verdict), (&None, 0, &None), "{mail}");
        }
    }

    #[test]
    fn the_null_sender_is_a_sender() {
        let receipts = receipt(&json!({"messageId": "m", "source": ""}), &json!({})).expect("a plain receipt");
        assert_eq!(receipts[0].mail_from.as_deref(), Some(""));
    }

    #[test]
    fn the_sweep_names_a_message_only() {
        let receipts = Inbound::parse(json!({"sweep": {"message_id": "AMAZON_SES-1.eml"}})).expect("a plain sweep");
        assert_eq!(receipts[0].message_id.as_str(), "AMAZON_SES-1.eml");
    }

    #[test]
    fn a_message_id_cannot_leave_its_folder() {
        let longest = "a".repeat(128);
        for (text, accepted) in [
            ("o3vrnil0e2ic28trm7", true),
            ("A.b_c-9", true),
            (longest.as_str(), true),
            (&format!("{longest}a"), false),
            ("", false),
            (".", false),
            ("..", false),
            (".hidden", false),
            ("a/b", false),
            ("a b", false),
            ("a\n", false),
            ("a.report.json", false),
            ("a!b", false),
            ("ä", false),
        ] {
            assert_eq!(MessageId::parse(text).ok().map(|id| id.to_string()), accepted.then(|| text.to_owned()));
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_quoted() {
        let refused = Inbound::parse(json!({"sweep": "ann@receiver.example"})).expect_err("no sweep");
        assert!(!refused.to_string().contains("ann@"), "{refused}");
    }

    #[test]
    fn an_event_that_names_no_message_beyond_doubt_is_refused() {
        let address = |octets: usize| "x".repeat(octets);
        let mail = json!({"messageId": "m"});
        for (event, expected) in [
            (json!({}), "the event is neither from SES nor from the sweep"),
            (json!({"Records": []}), "the event is neither from SES nor from the sweep"),
            (
                json!({"Records": [{"eventSource": "aws:s3", "ses": {"mail": mail}}]}),
                "the event is neither from SES nor from the sweep",
            ),
            (
                json!({"Records": [{"EventSource": "aws:sns", "Sns": {}}]}),
                "the event is neither from SES nor from the sweep",
            ),
            (json!({"Records": [{"ses": {"mail": {}}}]}), "the message id is missing or has characters of its own"),
            (
                json!({"Records": [{"ses": {"mail": {"messageId": "../m"}}}]}),
                "the message id is missing or has characters of its own",
            ),
            (json!({"sweep": {"message_id": "a/b"}}), "the message id is missing or has characters of its own"),
            (json!({"Records": [], "sweep": {"message_id": "m"}}), "the event is both a receipt and a sweep"),
            (json!({"Records": vec![json!({"ses": {"mail": mail}}); 11]}), "the event has more than 10 records"),
            (
                json!({"Records": [{"ses": {"mail": mail, "receipt": {"recipients": vec!["a@b.example"; 101]}}}]}),
                "there are more than 100 recipients",
            ),
            (
                json!({"Records": [{"ses": {"mail": mail, "receipt": {"recipients": [address(321)]}}}]}),
                "a recipient is longer than 320 octets",
            ),
            (
                json!({"Records": [{"ses": {"mail": {"messageId": "m", "source": address(513)}}}]}),
                "the envelope sender is longer than 512 octets",
            ),
        ] {
            assert_eq!(Inbound::parse(event.clone()).expect_err("refused").to_string(), expected, "{event}");
        }
    }

    #[test]
    fn recipients_that_are_no_text_are_malformed() {
        let error = receipt(&json!({"messageId": "m"}), &json!({"recipients": [1]})).expect_err("refused");
        assert!(matches!(error, EventError::Malformed(_)), "{error}");
    }
}
