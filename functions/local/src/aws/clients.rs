//! The real SDK clients, pointed at endpoints of our own.

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use std::time::Duration;

use super::meter::Meter;

/// What every local client signs with. The S3 endpoint verifies the signature; the others accept any.
pub const ACCESS_KEY: &str = "local";
/// Guards nothing: the endpoints are on loopback and hold only what the developer put there.
pub const SECRET_KEY: &str = "local-development-only";
/// The region that local clients claim.
pub const REGION: &str = "us-east-1";

/// The base URL of each service, plain HTTP, without a path.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Endpoints {
    pub dynamodb: String,
    pub s3: String,
    pub sns: String,
    pub lambda: String,
}

/// One client per service. Cloning shares the connections.
#[derive(Debug, Clone)]
pub struct Clients {
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub s3: aws_sdk_s3::Client,
    pub sns: aws_sdk_sns::Client,
    pub lambda: aws_sdk_lambda::Client,
}

impl Clients {
    /// Clients that try each operation once and give it up after `operation_timeout`.
    ///
    /// A synchronous Invoke lasts as long as the function: where that may be longer, build [`lambda`] with its own.
    #[must_use]
    pub fn new(endpoints: &Endpoints, operation_timeout: Duration) -> Self {
        Self {
            dynamodb: dynamodb(&endpoints.dynamodb, operation_timeout),
            s3: s3(&endpoints.s3, operation_timeout),
            sns: sns(&endpoints.sns, operation_timeout),
            lambda: lambda(&endpoints.lambda, operation_timeout),
        }
    }
}

/// A `DynamoDB` client for the endpoint at `url`: one attempt, given up after `operation_timeout`.
#[must_use]
pub fn dynamodb(url: &str, operation_timeout: Duration) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::from_conf(dynamodb_config(url, operation_timeout).build())
}

/// The same, with a meter for what it consumes.
#[must_use]
pub fn metered_dynamodb(url: &str, operation_timeout: Duration, meter: &Meter) -> aws_sdk_dynamodb::Client {
    let config = dynamodb_config(url, operation_timeout).interceptor(meter.clone());
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

fn dynamodb_config(url: &str, operation_timeout: Duration) -> aws_sdk_dynamodb::config::Builder {
    aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(credentials())
        .http_client(plain_http())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts(operation_timeout))
        .endpoint_url(url)
}

/// An S3 client for the endpoint at `url`, path style: a bucket is not a host name on loopback.
#[must_use]
pub fn s3(url: &str, operation_timeout: Duration) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(credentials())
        .http_client(plain_http())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts(operation_timeout))
        .force_path_style(true)
        .endpoint_url(url);
    aws_sdk_s3::Client::from_conf(config.build())
}

/// An SNS client for the endpoint at `url`: one attempt, given up after `operation_timeout`.
#[must_use]
pub fn sns(url: &str, operation_timeout: Duration) -> aws_sdk_sns::Client {
    let config = aws_sdk_sns::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(credentials())
        .http_client(plain_http())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts(operation_timeout))
        .endpoint_url(url);
    aws_sdk_sns::Client::from_conf(config.build())
}

/// A Lambda client for the endpoint at `url`: one attempt, given up after `operation_timeout`.
#[must_use]
pub fn lambda(url: &str, operation_timeout: Duration) -> aws_sdk_lambda::Client {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(credentials())
        .http_client(plain_http())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts(operation_timeout))
        .endpoint_url(url);
    aws_sdk_lambda::Client::from_conf(config.build())
}

fn credentials() -> Credentials {
    Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "local")
}

fn plain_http() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_http()
}

fn timeouts(operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().operation_timeout(operation).build()
}
