//! A message as it arrived: the envelope, and the octets that the sender wrote.

use gatepost::{
    envelope::Envelope,
    finding::{Finding, Severity},
    header_section::{HeaderFault, HeaderSection},
};

use crate::{
    boundary::{Boundary, BoundaryFault},
    event::Receipt,
};

/// What is judged.
#[derive(Debug, Clone)]
pub struct Arrived<'m> {
    pub envelope: Envelope,
    /// Without the header fields that SES prepended: signatures cover only what the sender wrote.
    pub written_by_sender: &'m [u8],
    /// Names of SES's own fields that the sender wrote as well.
    pub forged_fields: Vec<&'static str>,
    /// SES's own scanner found a virus.
    pub is_virus: bool,
}

/// Codes of the findings that this file makes, with the README's words.
pub const FINDING_CODES: &[(&str, &str)] = &[
    ("envelope_out_of_bounds", "HELO, a path or the recipients are longer than SMTP allows"),
    ("ses_virus_verdict", "SES's scanner found a virus"),
    ("forged_ses_fields", "the sender wrote header fields that only SES writes"),
];

impl<'m> Arrived<'m> {
    /// As SMTP handed it over, with no field of SES's.
    #[must_use]
    pub fn over_smtp(envelope: Envelope, message: &'m [u8]) -> Self {
        Self { envelope, written_by_sender: message, forged_fields: Vec::new(), is_virus: false }
    }

    /// As SES stored it. Recipients that nobody named are read from the field that SES wrote.
    ///
    /// # Errors
    /// The finding that keeps the message back: without a certain envelope nothing can be judged.
    pub fn read(stored: &'m [u8], receipt: &Receipt, recipients: &[String]) -> Result<Self, Finding> {
        let section = HeaderSection::parse(stored);
        if section.faults.contains(&HeaderFault::TooManyFields) {
            let fault = HeaderFault::TooManyFields;
            return Err(Finding::new(fault.code(), Severity::Quarantine, fault.detail()));
        }
        let boundary = Boundary::of(&section, &receipt.message_id, receipt.mail_from.as_deref()).map_err(doubtful)?;
        let in_received = boundary.recipient_in_received.clone();
        let named: Vec<String> =
            if recipients.is_empty() { in_received.into_iter().collect() } else { recipients.to_vec() };
        let envelope = boundary.envelope(&named).map_err(|fault| {
            Finding::new("envelope_out_of_bounds", Severity::Quarantine, format!("The envelope is unusable: {fault}."))
        })?;
        let written_by_sender = stored.get(boundary.sender_part_offset..).unwrap_or_default();
        let is_virus = receipt.virus_verdict.as_ref().or(boundary.virus_verdict.as_ref()).is_some_and(|v| v == "FAIL");
        Ok(Self { envelope, written_by_sender, forged_fields: boundary.forged_fields, is_virus })
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        let virus = Finding::new("ses_virus_verdict", Severity::Quarantine, "SES's scanner found a virus.").at("body");
        let detail = format!("The sender wrote fields that only SES writes: {}.", self.forged_fields.join(", "));
        let forged = Finding::new("forged_ses_fields", Severity::Review, detail);
        [self.is_virus.then_some(virus), (!self.forged_fields.is_empty()).then_some(forged)]
            .into_iter()
            .flatten()
            .collect()
    }
}

fn doubtful(fault: BoundaryFault) -> Finding {
    Finding::new(fault.code(), Severity::Quarantine, format!("The envelope is not certain: {fault}."))
}
