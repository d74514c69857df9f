//! Lambda bootstrap of `verify-inbound`.

use std::sync::Arc;

use gatepost::io::{
    authentication::Authenticator, aws, contacts::Contacts, counters::MailCounters, functions::Function,
    ledger::Ledger, messages::Messages, table::Table, telemetry,
};
use gatepost_verify_inbound::{Verifier, VerifierConfig, handle, judge::Judge};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main is where clock and environment are read")]
async fn main() -> Result<(), Error> {
    let begun = Instant::now();
    telemetry::start(environment, std::time::SystemTime::now);
    let config = VerifierConfig::read(environment)?;
    let verifier = verifier(config)?;
    telemetry::say_started(begun);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        Ok::<_, Error>(handle(&verifier, event.payload, std::time::SystemTime::now()).await)
    }))
    .await
}

fn verifier(config: VerifierConfig) -> Result<Verifier, Error> {
    let calls = aws::in_lambda(aws::CALL, environment);
    let transfers = aws::with_deadline(&calls, aws::TRANSFER);
    let invocations = aws::single_invocation(&calls, aws::INSPECTION);
    let authenticator = Authenticator::new(config.dns_server, config.dns_timeout)?;
    let table = Table { client: aws_sdk_dynamodb::Client::new(&calls), name: config.table.clone() };
    Ok(Verifier {
        judge: Judge { authenticator, policy: config.policy, contacts: Some(Arc::new(Contacts::new(table.clone()))) },
        deadline: config.deadline,
        counters: Arc::new(MailCounters::new(config.table.clone(), &instance()?)),
        messages: Messages { client: aws_sdk_s3::Client::new(&transfers), bucket: config.bucket },
        ledger: Ledger { table },
        inspector: Function { client: aws_sdk_lambda::Client::from_conf(invocations), name: config.inspector },
        function: "verify-inbound".to_owned(),
        defer_for: config.defer_for,
    })
}

/// Names this sandbox among all writers of counters.
fn instance() -> Result<String, Error> {
    let mut octets = [0; 8];
    getrandom::fill(&mut octets)?;
    Ok(gatepost::api_key::hex(&octets))
}

#[expect(clippy::disallowed_methods, reason = "part of main: the environment is read here")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
