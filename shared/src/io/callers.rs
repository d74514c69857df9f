//! What the table says of callers who have no API key: `caller#<id>` changes what a caller may do; `cert#<fingerprint>` and
//! `subject#<digest>` make a client certificate, or every certificate of a subject, a credential.

use std::time::{Duration, SystemTime};

use super::{
    client_rows::{Client, Row, Rows, Terms, WELCOME_IN_OUTAGE_FOR},
    table::{Item, Table, TableError},
};
use crate::client_certificate::ClientCertificate;

/// Looks callers up. One per instance.
pub struct Callers {
    rows: Rows<CallerRow>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum CallerRow {
    Absent,
    /// Revoked, or says what cannot be.
    Refused,
    Known(Terms),
}

impl Callers {
    /// What is read is believed for `believed_for`.
    #[must_use]
    pub fn new(table: Table, believed_for: Duration) -> Self {
        Self { rows: Rows::new(table, believed_for) }
    }

    /// A caller whose token was verified: with the defaults, unless a row says otherwise. `None` when the row refuses it.
    pub async fn of_token(&self, id: &str, now: SystemTime) -> Option<Client> {
        // While the table does not answer, a genuine token is good for the defaults; the limit has its own policy then.
        let row = self.rows.row(&partition_of_token(id), now).await.unwrap_or_else(|error| {
            tracing::warn!(cause = super::telemetry::with_causes(&error), "a caller goes by the defaults");
            CallerRow::Absent
        });
        match row {
            CallerRow::Absent => Some(Client { id: id.to_owned(), terms: Terms::default() }),
            CallerRow::Known(terms) => Some(Client { id: id.to_owned(), terms }),
            CallerRow::Refused => None,
        }
    }

    /// The client that a certificate, or its subject, is registered for; what is said of the certificate itself goes first.
    ///
    /// # Errors
    /// When the table did not answer and nothing recent is remembered.
    pub async fn of_certificate(
        &self,
        certificate: &ClientCertificate,
        now: SystemTime,
    ) -> Result<Option<Client>, TableError> {
        for id in certificate.ids() {
            match self.rows.row(&partition_of_certificate(&id), now).await? {
                CallerRow::Known(terms) => return Ok(Some(Client { id, terms })),
                CallerRow::Refused => return Ok(None),
                CallerRow::Absent => {}
            }
        }
        Ok(None)
    }

    /// The same from memory alone.
    pub fn remembered_certificate(&self, certificate: &ClientCertificate, now: SystemTime) -> Option<Client> {
        for id in certificate.ids() {
            match self.rows.remembered(&partition_of_certificate(&id), now)? {
                CallerRow::Known(terms) => return Some(Client { id, terms }),
                CallerRow::Refused => return None,
                CallerRow::Absent => {}
            }
        }
        None
    }
}

pub(super) fn partition_of_token(id: &str) -> String {
    format!("caller#{id}")
}

/// The id of a caller by certificate is `cert:<fingerprint>` or `subject:<digest>`.
pub(super) fn partition_of_certificate(id: &str) -> String {
    id.replacen(':', "#", 1)
}

impl Row for CallerRow {
    fn read(item: Option<&Item>) -> Self {
        let Some(item) = item else { return Self::Absent };
        Terms::read(item).map_or(Self::Refused, Self::Known)
    }

    /// Who was refused does not become welcome because the table is silent, however long.
    fn believed_in_outage_for(&self) -> Duration {
        match self {
            Self::Absent | Self::Known(_) => WELCOME_IN_OUTAGE_FOR,
            Self::Refused => Duration::MAX,
        }
    }
}
