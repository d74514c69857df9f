//! The least that a Lambda behind an HTTP API can do; `tests/bench/warm` measures validate against it.

use lambda_http::{Body, Error, Request, Response, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let answer = async |_: Request| Ok::<_, Error>(Response::new(Body::Text("{}".to_owned())));
    lambda_http::run(service_fn(answer)).await
}
