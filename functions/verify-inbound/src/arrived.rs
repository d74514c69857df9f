//! A message as it arrived: the envelope, and the octets that the sender wrote.

use gatepost::{
    envelope::Envelope,
    finding::{Finding, Severity},
    header_section::HeaderSection,
};

use crate::{
    boundary::{Boundary, BoundaryFault},
    event::{MessageId, Receipt},
};

/// What is judged.
#[derive(Debug, Clone)]
pub struct Arrived<'m> {
    pub envelope: Envelope,
    /// Without the header fields that SES prepended: signatures cover only what the sender wrote.
    pub written_by_sender: &'m [u8],
    /// Names of SES's own fields that the sender wrote as well.
    pub forged_fields: Vec<&'static str>,
}

/// Codes of the findings that this file makes, with the README's words.
pub const FINDING_CODES: &[(&str, &str)] = &[
    ("envelope_out_of_bounds", "HELO, a path or the recipients are longer than SMTP allows"),
    ("forged_ses_fields", "the sender wrote header fields that only SES writes"),
];

impl<'m> Arrived<'m> {
    /// As SMTP handed it over, with no field of SES's.
    #[must_use]
    pub fn over_smtp(envelope: Envelope, message: &'m [u8]) -> Self {
        Self { envelope, written_by_sender: message, forged_fields: Vec::new() }
    }

    /// As SES stored it. Recipients that nobody named are read from the field that SES wrote.
    ///
    /// # Errors
    /// The finding that keeps the message back: without a certain envelope nothing can be judged.
    pub fn read(stored: &'m [u8], receipt: &Receipt, recipients: &[String]) -> Result<Self, Finding> {
        Self::stored_as(stored, &receipt.message_id, receipt.mail_from.as_deref(), recipients)
    }

    fn stored_as(
        stored: &'m [u8],
        message_id: &MessageId,
        mail_from: Option<&str>,
        recipients: &[String],
    ) -> Result<Self, Finding> {
        let boundary = Boundary::of(&HeaderSection::parse(stored), message_id, mail_from).map_err(doubtful)?;
        let in_received = boundary.recipient_in_received.clone();
        let named: Vec<String> =
            if recipients.is_empty() { in_received.into_iter().collect() } else { recipients.to_vec() };
        let envelope = boundary.envelope(&named).map_err(|fault| {
            Finding::new("envelope_out_of_bounds", Severity::Quarantine, format!("The envelope is unusable: {fault}."))
        })?;
        let written_by_sender = stored.get(boundary.sender_part_offset..).unwrap_or_default();
        Ok(Self { envelope, written_by_sender, forged_fields: boundary.forged_fields })
    }

    pub(crate) fn finding(&self) -> Option<Finding> {
        let detail = format!("The sender wrote fields that only SES writes: {}.", self.forged_fields.join(", "));
        (!self.forged_fields.is_empty()).then(|| Finding::new("forged_ses_fields", Severity::Review, detail))
    }
}

fn doubtful(fault: BoundaryFault) -> Finding {
    Finding::new(fault.code(), Severity::Quarantine, format!("The envelope is not certain: {fault}."))
}
