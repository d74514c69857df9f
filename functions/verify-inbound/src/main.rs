//! Lambda bootstrap of `verify-inbound`.

use gatepost::io::{
    authentication::Authenticator, aws, dns::NameServer, functions::Function, ledger::Ledger, messages::Messages,
    table::Table, telemetry,
};
use gatepost_verify_inbound::{Verifier, VerifierConfig, handle, judge::Judge};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main is where clock and environment are read")]
async fn main() -> Result<(), Error> {
    telemetry::start(std::env::var(telemetry::FILTER_VARIABLE).ok().as_deref());
    let config = VerifierConfig::read(|name| std::env::var(name).ok())?;
    let verifier = verifier(config).await?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        Ok::<_, Error>(handle(&verifier, event.payload, std::time::SystemTime::now()).await)
    }))
    .await
}

async fn verifier(config: VerifierConfig) -> Result<Verifier, Error> {
    let calls = aws::configuration(aws::CALL).await;
    let transfers = aws::with_deadline(&calls, aws::TRANSFER);
    let authenticator = Authenticator::new(NameServer::System, config.dns_timeout)?;
    let table = Table { client: aws_sdk_dynamodb::Client::new(&calls), name: config.table };
    Ok(Verifier {
        judge: Judge { authenticator, policy: config.policy, deadline: config.deadline },
        messages: Messages { client: aws_sdk_s3::Client::new(&transfers), bucket: config.bucket },
        ledger: Ledger { table },
        inspector: Function { client: aws_sdk_lambda::Client::new(&transfers), name: config.inspector },
        function: "verify-inbound".to_owned(),
        defer_for: config.defer_for,
    })
}
