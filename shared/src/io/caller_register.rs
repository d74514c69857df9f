//! Callers as an operator sees them: certificates that are registered, limits that are changed, callers that are revoked.
//!
//! An id of a caller is what logs show: the id of an API key, `token:..`, `cert:..` or `subject:..`. `callers` holds one small
//! item for each that has no key, so that nobody has to scan the table.

use std::time::SystemTime;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    callers::{partition_of_certificate, partition_of_token},
    client_rows::{Grant, REVOKED, ROW, current_row, registered},
    keys::{self, KEYED_HASH},
    table::{Item, Table, TableError, key, number, read_number, unix_seconds},
};

/// The partition of the register.
const REGISTER: &str = "callers";

/// Callers of one deployment.
pub struct CallerRegister {
    pub table: Table,
}

/// A caller as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCaller {
    pub id: String,
    pub grant: Grant,
    /// Unix seconds.
    pub revoked_s: Option<u64>,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum CallerRegisterError {
    #[error("that is no id of a caller: logs show ids of keys, token:.., cert:.. and subject:..")]
    BadId,
    #[error("there is no such key")]
    UnknownKey,
    #[error(transparent)]
    Table(#[from] TableError),
}

impl CallerRegister {
    /// Changes what a caller may do, from within a minute on. The row of a certificate makes it a credential.
    ///
    /// # Errors
    /// For what is no id, a key that does not exist, and a table that does not answer.
    pub async fn set(&self, id: &str, grant: &Grant) -> Result<(), CallerRegisterError> {
        self.update(id, &grant.attributes()).await
    }

    /// Ends a caller: what it shows is refused within a minute.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub async fn revoke(&self, id: &str, now: SystemTime) -> Result<(), CallerRegisterError> {
        self.update(id, &[(REVOKED, number(unix_seconds(now)))]).await
    }

    /// Every caller without a key that something was said about, by id: one Query, and one read a caller.
    ///
    /// # Errors
    /// When the table did not answer.
    pub async fn list(&self) -> Result<Vec<ListedCaller>, TableError> {
        let rows = registered(&self.table, REGISTER, partition).await?;
        let listed = |(id, row): (String, Item)| ListedCaller {
            id,
            grant: Grant::read(&row),
            revoked_s: read_number(&row, REVOKED),
        };
        Ok(rows.into_iter().map(listed).collect())
    }

    /// The register first: a row that is not listed could not be found again.
    async fn update(&self, id: &str, attributes: &[(&str, AttributeValue)]) -> Result<(), CallerRegisterError> {
        let partition = partition(id).ok_or(CallerRegisterError::BadId)?;
        if is_key(id) {
            let row = current_row(&self.table, partition.clone()).await?;
            row.filter(|row| row.contains_key(KEYED_HASH)).ok_or(CallerRegisterError::UnknownKey)?;
        } else {
            let put = self.table.client.put_item().table_name(&self.table.name);
            let put = put.set_item(Some(key(REGISTER, id))).send();
            put.await.map_err(|error| TableError::new("list a caller", error))?;
        }
        Ok(self.write(partition, attributes).await?)
    }

    async fn write(&self, partition: String, attributes: &[(&str, AttributeValue)]) -> Result<(), TableError> {
        let mut update = self.table.client.update_item().table_name(&self.table.name);
        let mut clauses = Vec::new();
        for (index, (name, value)) in attributes.iter().enumerate() {
            update = update
                .expression_attribute_names(format!("#a{index}"), *name)
                .expression_attribute_values(format!(":a{index}"), value.clone());
            clauses.push(format!("#a{index} = :a{index}"));
        }
        let update = update.set_key(Some(key(partition, ROW)));
        let update = update.set_update_expression((!clauses.is_empty()).then(|| format!("SET {}", clauses.join(", "))));
        update.send().await.map_err(|error| TableError::new("change a caller", error))?;
        Ok(())
    }
}

/// Where the row of a caller lies.
fn partition(id: &str) -> Option<String> {
    match id.split_once(':') {
        Some(("token", _)) => Some(partition_of_token(id)),
        Some(("cert" | "subject", digest)) if is_hex(digest, 64) => Some(partition_of_certificate(id)),
        None if is_key(id) => Some(keys::partition(id)),
        Some(_) | None => None,
    }
}

fn is_key(id: &str) -> bool {
    is_hex(id, 16)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_from_a_log_names_the_row_of_its_caller() {
        let digest = "ab".repeat(32);
        for (id, row) in [
            ("0123456789abcdef", Some("key#0123456789abcdef".to_owned())),
            ("token:1a2b3c4d:web", Some("caller#token:1a2b3c4d:web".to_owned())),
            (&format!("cert:{digest}"), Some(format!("cert#{digest}"))),
            (&format!("subject:{digest}"), Some(format!("subject#{digest}"))),
            ("cert:short", None),
            ("rate:0123456789abcdef", None),
            ("someone", None),
        ] {
            assert_eq!(partition(id), row, "{id}");
        }
    }
}
