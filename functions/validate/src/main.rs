//! Lambda bootstrap of `validate`.

mod after_answer;

use std::{sync::Arc, time::Duration};

use gatepost::io::{aws, dns::Dns, table::Table, telemetry};
use gatepost_validate::{Gate, GateConfig, Services, handle};
use lambda_http::{
    Adapter, Error, LambdaEvent, Request,
    http::{HeaderValue, header::HOST},
    lambda_runtime,
    request::LambdaRequest,
    service_fn,
    tower::ServiceBuilder,
};
use tokio::time::Instant;

use crate::after_answer::AfterAnswer;

/// The part of a cold start that may be spent on what teams say about domains.
const OPINIONS_WITHIN: Duration = Duration::from_secs(1);

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main is where clock and environment are read")]
async fn main() -> Result<(), Error> {
    let begun = Instant::now();
    telemetry::start(environment, std::time::SystemTime::now);
    let config = GateConfig::read(environment)?;
    let gate = Arc::new(gate(&config)?);
    // A start does not fail for opinions: they are asked for again after the first answer.
    let _ = tokio::time::timeout(OPINIONS_WITHIN, gate.read_opinions(std::time::SystemTime::now())).await;
    let after_answer = AfterAnswer::register(Arc::clone(&gate)).await;
    telemetry::say_started(begun);
    let answer = service_fn(async |request: Request| {
        let response = handle(&gate, request, std::time::SystemTime::now()).await;
        after_answer.is_due();
        Ok::<_, Error>(response)
    });
    let requests = ServiceBuilder::new().map_request(without_what_nobody_reads).service(Adapter::from(answer));
    tokio::select! {
        stopped = lambda_runtime::run(requests) => stopped,
        told = after_answer::ended(&gate) => Ok(told?),
    }
}

/// lambda_http makes a URL of these and panics where they make none, which would end the instance.
fn without_what_nobody_reads(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    if let LambdaRequest::ApiGatewayV2(request) = &mut event.payload {
        request.headers.remove("x-forwarded-proto");
        request.headers.insert(HOST, HeaderValue::from_static("localhost"));
        request.raw_query_string = None;
    }
    event
}

fn gate(config: &GateConfig) -> Result<Gate, Error> {
    let shared = aws::in_lambda(aws::CALL, environment);
    let table = Table { client: aws_sdk_dynamodb::Client::new(&shared), name: config.table.clone() };
    let limits = aws::single_attempt(&shared, config.limits_timeout);
    let limits = Table { client: aws_sdk_dynamodb::Client::from_conf(limits), name: config.table.clone() };
    let mut instance = [0; 8];
    getrandom::fill(&mut instance)?;
    let dns = Dns::new(config.dns_server, config.dns_timeout)?;
    let s3 = aws_sdk_s3::Client::new(&shared);
    Ok(Gate::new(config, Services { table, limits, dns, s3 }, gatepost::api_key::hex(&instance)))
}

#[expect(clippy::disallowed_methods, reason = "part of main: the environment is read here")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
