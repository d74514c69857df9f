//! The configuration that every SDK client shares in Lambda.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

/// Reads region, credentials and endpoints as AWS prescribes them. Every call has a deadline: `per_attempt` for one
/// try, three times that for the call with its one retry.
pub async fn configuration(per_attempt: Duration) -> SdkConfig {
    let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(https)
        .retry_config(RetryConfig::standard().with_max_attempts(2))
        .timeout_config(deadlines(per_attempt))
        .load()
        .await
}

/// Deadlines of one SDK client.
#[must_use]
pub fn deadlines(per_attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(per_attempt)
        .operation_attempt_timeout(per_attempt)
        .operation_timeout(per_attempt * 3)
        .build()
}

/// Deadline of one attempt against DynamoDB, SNS and Lambda where a caller is not waiting for the rate limit.
pub const CALL: Duration = Duration::from_secs(2);

/// Deadline of one attempt against S3, which may move 40 MB.
pub const TRANSFER: Duration = Duration::from_secs(10);

/// DynamoDB for the rate limit: one attempt, as a retry after a lost answer would charge twice, and a deadline that a
/// waiting caller does not notice.
#[must_use]
pub fn single_attempt(shared: &SdkConfig, deadline: Duration) -> aws_sdk_dynamodb::Config {
    aws_sdk_dynamodb::config::Builder::from(shared)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(deadline).build())
        .build()
}

/// The same configuration with another deadline for one attempt.
#[must_use]
pub fn with_deadline(shared: &SdkConfig, per_attempt: Duration) -> SdkConfig {
    shared.clone().into_builder().timeout_config(deadlines(per_attempt)).build()
}

/// Invocations: one attempt, as a second one would do the work twice.
#[cfg(feature = "invoke")]
#[must_use]
pub fn single_invocation(shared: &SdkConfig, deadline: Duration) -> aws_sdk_lambda::Config {
    aws_sdk_lambda::config::Builder::from(shared)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(deadline).build())
        .build()
}

/// Deadline of one invocation of the inspector, which fetches for 8 s and judges for 5 s at most.
pub const INSPECTION: Duration = Duration::from_secs(15);

/// Deadline of one invocation of the verifier, which takes 20 s for a message and waits for claims before.
pub const JUDGEMENT: Duration = Duration::from_secs(30);
