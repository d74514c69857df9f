//! Lambda bootstrap of `inspect-attachment`, and the child process that it starts for each message.

use gatepost::{
    config::{self, Reader},
    io::{aws, telemetry},
};
use gatepost_inspect_attachment::{InspectRequest, Inspector, child, confinement, handle};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use tokio::time::Instant;

/// Makes this program judge the message on its standard input instead of serving.
const JUDGE_STDIN: &str = "judge-stdin";

fn main() -> Result<(), Error> {
    if std::env::args().nth(1).as_deref() == Some(JUDGE_STDIN) {
        let isolation = confinement::confine();
        return Ok(child::run_child(std::io::stdin().lock(), std::io::stdout().lock(), isolation)?);
    }
    serve()
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main is where the environment is read")]
async fn serve() -> Result<(), Error> {
    let begun = Instant::now();
    telemetry::start(environment, std::time::SystemTime::now);
    let mut read = Reader::new(environment);
    let bucket = read.required(config::BUCKET);
    let bucket = read.finish(bucket)?;
    let inspector = Inspector {
        s3: aws_sdk_s3::Client::new(&aws::in_lambda(aws::TRANSFER, environment)),
        child_program: std::env::current_exe()?,
        child_argument: JUDGE_STDIN.to_owned(),
        bucket,
    };
    telemetry::say_started(begun);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<InspectRequest>| {
        Ok::<_, Error>(handle(&inspector, event.payload).await)
    }))
    .await
}

#[expect(clippy::disallowed_methods, reason = "part of main: the environment is read here")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
