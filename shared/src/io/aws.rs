//! The configuration that every SDK client shares.

use std::{fmt, time::Duration};

use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_dynamodb::config::{SharedCredentialsProvider, SharedHttpClient};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// Reads the environment, as a process was given it.
pub type Environment = fn(&str) -> Option<String>;

/// In Lambda: region, credentials and endpoints are in the environment, and are looked for nowhere else, which makes a program
/// a fifteenth smaller. Every call has a deadline: `per_attempt` for one try, three times that for the call with its one retry.
#[must_use]
pub fn in_lambda(per_attempt: Duration, environment: Environment) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(https())
        .region(environment("AWS_REGION").map(Region::new))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .service_config(Endpoints(environment))
        .retry_config(retries())
        .timeout_config(deadlines(per_attempt))
        .build()
}

/// Endpoints of services that are not AWS's own, as `AWS_ENDPOINT_URL_DYNAMODB`.
struct Endpoints(Environment);

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endpoints")
    }
}

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        (self.0)(&format!("{}_{service}", key.env())).or_else(|| (self.0)(key.env()))
    }
}

fn https() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(2)
}

/// At an operator's desk: region and credentials as the AWS command line finds them, with the same deadlines.
pub async fn of_operator(per_attempt: Duration) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(https())
        .retry_config(retries())
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
