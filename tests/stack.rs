//! The product as a user runs it: the real binary on port 0, spoken to over HTTP.

use std::{
    path::{Path, PathBuf},
    process::{Command as Build, Stdio},
    sync::OnceLock,
    time::Duration,
};

use axum::{
    body::Bytes,
    http::{HeaderMap, Request, StatusCode},
};
use gatepost::api_key::hex;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// A machine that runs several suites at once is slow, not dead.
const PATIENCE: Duration = Duration::from_secs(60);

/// What cargo tells a running test about its package. A build script that watches these would run again in a cargo that
/// inherited them, and everything above its crate would be built twice.
const OF_THIS_PACKAGE: [&str; 7] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// Settings of every stack, unless a test has its own: a stalled machine is no reason to fall back to a local limit.
const PATIENT: (&str, &str) = ("GATEPOST_LIMITS_TIMEOUT_MS", "30000");

/// Root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lies in the workspace")
}

/// Path of one of our programs, all of which are built once, as this test binary was.
pub(crate) fn program(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(build).join(name)
}

fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let folder = test.ancestors().nth(2).expect("tests lie in deps").to_owned();
    let mut cargo = Build::new(env!("CARGO"));
    cargo.current_dir(root()).args(["build", "--workspace", "--bins", "--quiet", "--offline"]);
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    for variable in OF_THIS_PACKAGE {
        cargo.env_remove(variable);
    }
    assert!(cargo.status().expect("cargo runs").success(), "the programs do not build");
    folder
}

/// A file of a test, in the build folder. `name` is unique among all tests.
pub(crate) fn scratch_file(name: &str, content: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).expect("the build folder can be written to");
    path
}

/// A running `gatepost serve`. Killed when dropped.
pub(crate) struct Stack {
    pub(crate) url: String,
    pub(crate) api_key: String,
    pub(crate) dynamodb: String,
    pub(crate) s3: String,
    pub(crate) sns: String,
    child: Child,
    /// What it keeps in files; a killed process leaves them.
    folder: PathBuf,
    http: Client<HttpConnector, Full<Bytes>>,
    /// Kept open: a closed pipe would end the process at its next line.
    _stdout: Lines<BufReader<ChildStdout>>,
}

/// One HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Stack {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[], &[]).await
    }

    /// With more arguments of `serve`, and variables in its environment.
    pub(crate) async fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_logging(arguments, environment, Stdio::null()).await
    }

    /// With its log somewhere.
    pub(crate) async fn start_logging(arguments: &[&str], environment: &[(&str, &str)], log: Stdio) -> Self {
        let mut command = Command::new(program("gatepost"));
        command.args(["serve", "--port", "0"]).args(arguments).envs([PATIENT]).envs(environment.iter().copied());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stack-{}", hex(&random_octets())));
        std::fs::create_dir(&folder).expect("the build folder can be written to");
        command.env("TMPDIR", &folder).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().expect("the program starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let url = line(&mut stdout, "listening on ").await;
        let api_key = line(&mut stdout, "api key: ").await;
        let dynamodb = line(&mut stdout, "dynamodb: ").await;
        let s3 = line(&mut stdout, "s3: ").await;
        let sns = line(&mut stdout, "sns: ").await;
        let http = Client::builder(TokioExecutor::new()).build_http();
        Self { url, api_key, dynamodb, s3, sns, child, folder, http, _stdout: stdout }
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it was running");
    }

    /// `kill -9` while somebody still waits for an answer.
    pub(crate) async fn kill_meanwhile(&self) {
        let id = self.child.id().expect("it was not waited for").to_string();
        let status = Command::new("kill").args(["-9", &id]).status().await.expect("kill runs");
        assert!(status.success(), "process {id} could not be killed");
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id().expect("it was not waited for")
    }

    /// `POST /v1/validate` with the development key.
    pub(crate) async fn validate(&self, body: Value) -> Answer {
        self.post_json("/v1/validate", &body).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Answer {
        let headers = [("x-api-key", self.api_key.as_str()), ("content-type", "application/json")];
        self.send("POST", path, &headers, body.to_string()).await
    }

    /// What SES would do with a message; `session` are the parameters of the envelope.
    pub(crate) async fn inbound(&self, session: &[(&str, &str)], message: impl Into<Bytes>) -> Answer {
        let pairs = session.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value)));
        let query = pairs.collect::<Vec<_>>().join("&");
        self.send("POST", &format!("/local/inbound?{query}"), &[], message).await
    }

    /// What the schedule does, at `now` (RFC 3339).
    pub(crate) async fn scan(&self, now: &str) -> Value {
        self.send("POST", &format!("/local/scan?now={now}"), &[], "").await.expect_status(200).json()
    }

    pub(crate) async fn alerts(&self) -> Vec<Value> {
        let answer = self.send("GET", "/local/alerts", &[], "").await.expect_status(200).json();
        answer.as_array().expect("a list").clone()
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a well-formed request");
        let exchange = async {
            let (head, body) = self.http.request(request).await.expect("the stack answers").into_parts();
            let body = body.collect().await.expect("a whole body").to_bytes().to_vec();
            Answer { status: head.status, headers: head.headers, body }
        };
        timeout(PATIENCE, exchange).await.expect("the stack answers in time")
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // It may have ended by itself, and a file that is written this moment stays until the build folder is cleaned.
        let _ = self.child.start_kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn random_octets() -> [u8; 8] {
    let mut octets = [0; 8];
    SystemRandom::new().fill(&mut octets).expect("randomness");
    octets
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers));
        value.to_str().expect("text")
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("not JSON: {:?}", self.body.escape_ascii().to_string()))
    }
}

async fn line(stdout: &mut Lines<BufReader<ChildStdout>>, prefix: &str) -> String {
    let next = timeout(PATIENCE, stdout.next_line()).await.expect("the stack starts in time");
    let line = next.expect("readable").expect("another line");
    line.strip_prefix(prefix).unwrap_or_else(|| panic!("{prefix:?} expected, not {line:?}")).to_owned()
}

pub(crate) fn percent_encoded(text: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_');
    text.bytes().map(|o| if plain(o) { char::from(o).to_string() } else { format!("%{o:02X}") }).collect()
}

#[tokio::test]
async fn a_started_stack_answers_its_own_page_and_shows_no_address() {
    let stack = Stack::start().await;
    stack.validate(serde_json::json!({"email": "secret.person@example.com"})).await.expect_status(200);
    let page = stack.send("GET", "/", &[], "").await.expect_status(200);
    let html = String::from_utf8(page.body).expect("UTF-8");
    assert!(html.contains("example.com") && html.contains("accept"), "{html}");
    assert!(!html.contains("secret.person"), "{html}");
}
