//! Lambda bootstrap of `anomaly-scan`.

use std::time::Duration;

use gatepost::io::{
    alerts::Outbox, aws, functions::Function, ledger::Ledger, messages::Messages, series_state::Models, table::Table,
    telemetry,
};
use gatepost_anomaly_scan::{ScanConfig, Scanner, handle};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use tokio::time::Instant;

/// A bucket is judged this long after its end: instances write their counts after their answers.
const LATE_COUNTERS: Duration = Duration::from_secs(90);

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main is where clock and environment are read")]
async fn main() -> Result<(), Error> {
    let begun = Instant::now();
    telemetry::start(environment, std::time::SystemTime::now);
    let config = ScanConfig::read(environment)?;
    let scanner = scanner(config);
    telemetry::say_started(begun);
    lambda_runtime::run(service_fn(async |_: LambdaEvent<Value>| {
        Ok::<_, Error>(handle(&scanner, std::time::SystemTime::now(), LATE_COUNTERS).await?)
    }))
    .await
}

fn scanner(config: ScanConfig) -> Scanner {
    let calls = aws::in_lambda(aws::CALL, environment);
    let judgements = aws::single_invocation(&calls, aws::JUDGEMENT);
    let table = Table { client: aws_sdk_dynamodb::Client::new(&calls), name: config.table };
    Scanner {
        models: Models { table: table.clone() },
        outbox: Outbox { table: table.clone(), sns: aws_sdk_sns::Client::new(&calls), topic: config.alert_topic },
        messages: Messages { client: aws_sdk_s3::Client::new(&calls), bucket: config.bucket },
        ledger: Ledger { table },
        verifier: Function { client: aws_sdk_lambda::Client::from_conf(judgements), name: config.verifier },
        clocks: config.clocks,
    }
}

#[expect(clippy::disallowed_methods, reason = "part of main: the environment is read here")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
