//! How often a stack calls DynamoDB, by operation: what a decision costs is counted in writes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_dynamodb::{
    Client,
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef},
    error::BoxError,
};

/// Names the operation, as `DynamoDB_20120810.UpdateItem`.
const TARGET: &str = "x-amz-target";

/// Calls since the start, every attempt and whatever its answer.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    by_operation: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Calls {
    /// The same client, with its calls counted here. It shares the connections of the one that is given.
    #[must_use]
    pub fn counting(&self, client: &Client) -> Client {
        Client::from_conf(client.config().to_builder().interceptor(self.clone()).build())
    }

    #[must_use]
    pub fn by_operation(&self) -> BTreeMap<String, u64> {
        self.by_operation.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, operation: &str) {
        let mut counts = self.by_operation.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(operation.to_owned()).or_default() += 1;
    }
}

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "Calls"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let target = context.request().headers().get(TARGET).unwrap_or_default();
        self.count(target.rsplit('.').next().unwrap_or_default());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::aws::{
        clients,
        dynamodb::{DynamoDb, TABLE},
    };

    #[tokio::test]
    async fn every_call_of_a_counting_client_is_counted_and_none_of_another() {
        let store = DynamoDb::start(None).await.expect("the endpoint starts");
        let plain = clients::dynamodb(&store.url(), Duration::from_secs(20));
        let calls = Calls::default();
        let (one, other) = (calls.counting(&plain), calls.counting(&plain));
        for client in [&one, &other, &plain] {
            client.describe_table().table_name(TABLE).send().await.expect("it answers");
        }
        one.describe_table().table_name("elsewhere").send().await.expect_err("there is no such table");
        one.list_tables().send().await.expect("it answers");
        let expected = BTreeMap::from([("DescribeTable".to_owned(), 3), ("ListTables".to_owned(), 1)]);
        assert_eq!(calls.by_operation(), expected);
    }
}
