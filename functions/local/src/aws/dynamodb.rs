//! `DynamoDB`: an embedded engine behind its own HTTP endpoint, and the table that every function shares.

use super::clients;
use super::loopback::Loopback;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::create_table;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
    TimeToLiveSpecification,
};
use dynoxide::Database;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

/// The name of the one table: `pk` and `sk` are strings, items with a past `expires_at` (Unix seconds) disappear.
pub const TABLE: &str = "gatepost";

const EXPIRY_ATTRIBUTE: &str = "expires_at";
const DATABASE_FILE: &str = "dynamodb.sqlite";
const SETUP_TIMEOUT: Duration = Duration::from_secs(10);

/// A running endpoint that holds the table [`TABLE`]. Stops when dropped.
///
/// Expired items stay: a scan may be asked about another time than the clock's, and the real service, too, promises
/// only to remove them some days later.
#[derive(Debug)]
pub struct DynamoDb {
    loopback: Loopback,
}

/// Why the table could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateTableError {
    #[error("the table definition is incomplete")]
    Definition(#[from] BuildError),
    /// The text names the operation's failure with its causes.
    #[error("the table could not be created: {0}")]
    Refused(String),
    #[error("the table is still being created after {} s", SETUP_TIMEOUT.as_secs())]
    NotActive,
}

impl DynamoDb {
    /// Starts with an empty table in memory, or on the file `dynamodb.sqlite` in the folder `data`, which is made when
    /// missing. What was answered from a file is still there after the process was killed.
    ///
    /// # Errors
    /// When the folder or file cannot be used, or no port can be bound.
    pub async fn start(data: Option<&Path>) -> io::Result<Self> {
        let database = open(data)?;
        let (loopback, listener, dropped) = Loopback::bind().await?;
        tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, dropped));
        let client = clients::dynamodb(&loopback.url(), SETUP_TIMEOUT);
        create_table(&client).await.map_err(io::Error::other)?;
        Ok(Self { loopback })
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        self.loopback.url()
    }
}

/// Makes the table [`TABLE`] at any `DynamoDB` endpoint, unless it is there. Several processes may do so at once.
///
/// # Errors
/// When the endpoint refuses, cannot be reached, or does not activate the table in time.
pub async fn create_table(client: &Client) -> Result<(), CreateTableError> {
    let created = client
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(string_attribute("pk")?)
        .attribute_definitions(string_attribute("sk")?)
        .key_schema(key("pk", KeyType::Hash)?)
        .key_schema(key("sk", KeyType::Range)?)
        .send()
        .await;
    match created {
        Ok(_) => {}
        Err(error)
            if error.as_service_error().is_some_and(create_table::CreateTableError::is_resource_in_use_exception) => {}
        Err(error) => return Err(refused(&error)),
    }
    wait_until_active(client).await?;
    enable_expiry(client).await
}

async fn wait_until_active(client: &Client) -> Result<(), CreateTableError> {
    let active = async {
        loop {
            let described = client.describe_table().table_name(TABLE).send().await.map_err(|error| refused(&error))?;
            if described.table().and_then(|table| table.table_status()) == Some(&TableStatus::Active) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SETUP_TIMEOUT, active).await.unwrap_or(Err(CreateTableError::NotActive))
}

async fn enable_expiry(client: &Client) -> Result<(), CreateTableError> {
    let expiry = TimeToLiveSpecification::builder().attribute_name(EXPIRY_ATTRIBUTE).enabled(true).build()?;
    match client.update_time_to_live().table_name(TABLE).time_to_live_specification(expiry).send().await {
        Ok(_) => Ok(()),
        // That it is enabled already comes as a validation error, from the real service too.
        Err(error) if error.code() == Some("ValidationException") => Ok(()),
        Err(error) => Err(refused(&error)),
    }
}

fn open(data: Option<&Path>) -> io::Result<Database> {
    let Some(folder) = data else {
        return Database::memory().map_err(io::Error::other);
    };
    fs::create_dir_all(folder)?;
    let file = folder.join(DATABASE_FILE);
    let file = file.to_str().ok_or_else(|| io::Error::other("the data folder's name is not UTF-8"))?;
    let database = Database::new(file).map_err(io::Error::other)?;
    // Sets `synchronous = NORMAL`, which with a write-ahead log survives the end of the process, though not a power
    // cut, and spares a disk flush for each write.
    database.disable_bulk_loading().map_err(io::Error::other)?;
    Ok(database)
}

fn string_attribute(name: &str) -> Result<AttributeDefinition, BuildError> {
    AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
}

fn key(name: &str, role: KeyType) -> Result<KeySchemaElement, BuildError> {
    KeySchemaElement::builder().attribute_name(name).key_type(role).build()
}

fn refused<E: std::error::Error + 'static>(error: &SdkError<E>) -> CreateTableError {
    CreateTableError::Refused(DisplayErrorContext(error).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::AttributeValue::{self, N, S};
    use aws_sdk_dynamodb::types::ReturnValue;
    use std::collections::HashMap;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn row(pk: &str) -> HashMap<String, AttributeValue> {
        HashMap::from([("pk".to_owned(), S(pk.to_owned())), ("sk".to_owned(), S("tat".to_owned()))])
    }

    /// Adds one unless ten are reached; answers whether it was admitted.
    async fn admit(client: &Client) -> bool {
        let update = client
            .update_item()
            .table_name(TABLE)
            .set_key(Some(row("rate#ann")))
            .update_expression("ADD n :one")
            .condition_expression("attribute_not_exists(n) OR n < :limit")
            .expression_attribute_values(":one", N("1".to_owned()))
            .expression_attribute_values(":limit", N("10".to_owned()))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await;
        match update {
            Ok(_) => true,
            Err(error) => {
                let refusal = error.into_service_error();
                assert!(refusal.is_conditional_check_failed_exception(), "{refusal:?}");
                false
            }
        }
    }

    #[tokio::test]
    async fn a_conditional_update_admits_exactly_its_limit_of_concurrent_callers() {
        let store = DynamoDb::start(None).await.expect("the endpoint starts");
        let client = clients::dynamodb(&store.url(), PATIENCE);
        let callers: Vec<_> = (0..40)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { admit(&client).await })
            })
            .collect();
        let mut admitted = 0;
        for caller in callers {
            admitted += usize::from(caller.await.expect("no caller panics"));
        }
        assert_eq!(admitted, 10);
    }

    #[tokio::test]
    async fn a_file_keeps_its_items_and_the_table_may_exist_already() {
        let folder = std::env::temp_dir().join(format!("gatepost-dynamodb-test-{}", std::process::id()));
        let first = DynamoDb::start(Some(&folder)).await.expect("the endpoint starts on a new file");
        let client = clients::dynamodb(&first.url(), PATIENCE);
        client.put_item().table_name(TABLE).set_item(Some(row("key#1"))).send().await.expect("the item is put");
        create_table(&client).await.expect("an existing table is no fault");
        // Opened again while the first still holds it, as after a kill: nothing was closed in order.
        let second = DynamoDb::start(Some(&folder)).await.expect("the endpoint starts on an old file");
        let client = clients::dynamodb(&second.url(), PATIENCE);
        let found = client.get_item().table_name(TABLE).set_key(Some(row("key#1"))).send().await.expect("it answers");
        assert_eq!(found.item, Some(row("key#1")));
        drop((first, second));
        fs::remove_dir_all(folder).expect("the test's own folder can be removed");
    }

    #[tokio::test]
    async fn several_processes_may_create_the_table_at_once() {
        let store = DynamoDb::start(None).await.expect("the endpoint starts");
        let client = clients::dynamodb(&store.url(), PATIENCE);
        client.delete_table().table_name(TABLE).send().await.expect("the table is deleted");
        let (one, two, three) = tokio::join!(create_table(&client), create_table(&client), create_table(&client));
        for outcome in [one, two, three] {
            outcome.expect("a lost race is no fault");
        }
        let expiry = client.describe_time_to_live().table_name(TABLE).send().await.expect("it answers");
        let expiry = expiry.time_to_live_description.and_then(|ttl| ttl.attribute_name);
        assert_eq!(expiry.as_deref(), Some("expires_at"));
    }
}
