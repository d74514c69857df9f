//! Lambda's side of a function: the Runtime API and the Extensions API, served to one real bootstrap in a process of its
//! own, one invocation at a time.

use std::{
    collections::HashMap,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, Response, StatusCode},
    response::IntoResponse,
    routing::{get, post},
};
use gatepost::io::table::unix_millis;
use gatepost_local::{
    aws::clients::{ACCESS_KEY, REGION, SECRET_KEY},
    clock,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
    sync::{Mutex as AsyncMutex, Notify, mpsc, oneshot, watch},
    time::timeout,
};

use crate::stack::program;

/// Of every invocation.
pub(crate) const TRACE_ID: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";

const PATIENCE: Duration = Duration::from_secs(60);

/// What Lambda grants an invocation at most, as far as the function can see.
const DEADLINE: Duration = Duration::from_secs(30);

/// Whether there is an Extensions API; a bare runtime interface has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extensions {
    Served,
    Absent,
}

/// What became of an invocation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Invoked {
    Answer(Value),
    /// The function said that it failed; Lambda would tell the invoker, or try again.
    Failure(Value),
}

/// A bootstrap that runs. Killed when dropped.
pub(crate) struct Function {
    child: AsyncMutex<Child>,
    process_id: u32,
    to_be_killed: Notify,
    api: Arc<Api>,
    log: Arc<Mutex<String>>,
}

struct Api {
    extensions: Extensions,
    queue: mpsc::UnboundedSender<Invocation>,
    queued: AsyncMutex<mpsc::UnboundedReceiver<Invocation>>,
    answers: Mutex<HashMap<String, oneshot::Sender<Invoked>>>,
    invocations: AtomicUsize,
    /// How often the runtime, and the extension, came back for more.
    waiting: watch::Sender<Waiting>,
    registered: watch::Sender<Vec<Value>>,
}

struct Invocation {
    id: String,
    event: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Waiting {
    runtime: usize,
    extension: usize,
    /// Invocations that the extension was told of.
    told: usize,
}

impl Function {
    /// Starts a program of ours as Lambda starts a bootstrap: nothing in its environment but what Lambda puts there.
    pub(crate) async fn start(name: &str, environment: &[(&str, &str)], extensions: Extensions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let api = Arc::new(Api::new(extensions));
        let router = router(Arc::clone(&api));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut command = command(name, environment);
        let mut child = command.env("AWS_LAMBDA_RUNTIME_API", address).spawn().expect("the bootstrap starts");
        let log = Arc::default();
        let mut lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        let kept: Arc<Mutex<String>> = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                *kept.lock().expect("nobody panics with it") += &(line + "\n");
            }
        });
        let process_id = child.id().expect("nobody waited for it");
        Self { child: AsyncMutex::new(child), process_id, to_be_killed: Notify::new(), api, log }
    }

    /// Hands over an event, and waits for the answer or for the end of the process.
    pub(crate) async fn invoke(&self, event: impl Into<Vec<u8>>) -> Invoked {
        let answered = self.api.hand_over(event.into());
        let mut child = self.child.lock().await;
        tokio::select! {
            answered = timeout(PATIENCE, answered) => answered.expect("an answer in time").expect("answered"),
            ended = child.wait() => panic!("{ended:?} instead of an answer:\n{}", self.log()),
        }
    }

    /// The same of a function that may be killed meanwhile or take too long, as it is then: `None`, and the process has ended.
    pub(crate) async fn invoke_or_end(&self, event: Vec<u8>, within: Duration) -> Option<Invoked> {
        let answered = self.api.hand_over(event);
        let mut child = self.child.lock().await;
        let invoked = tokio::select! {
            answered = timeout(within, answered) => answered.ok().and_then(Result::ok),
            _ = child.wait() => None,
            () = self.to_be_killed.notified() => None,
        };
        if invoked.is_none() {
            // It may have ended by itself.
            let _ = child.start_kill();
            child.wait().await.expect("ours to wait for");
        }
        invoked
    }

    /// `kill -9`, now or in the next invocation that asks whether it may end.
    pub(crate) fn kill(&self) {
        match self.child.try_lock() {
            // It may have ended by itself.
            Ok(mut child) => drop(child.start_kill()),
            Err(_) => self.to_be_killed.notify_one(),
        }
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process_id
    }

    /// The answer of an invocation that is expected to have one.
    pub(crate) async fn answer(&self, event: &Value) -> Value {
        match self.invoke(event.to_string()).await {
            Invoked::Answer(answer) => answer,
            Invoked::Failure(failure) => panic!("{failure}\n{}", self.log()),
        }
    }

    /// Until runtime and extension both ask for the next event, from when on Lambda may freeze the sandbox.
    pub(crate) async fn may_be_frozen(&self) {
        let done = 1 + self.api.invocations.load(Ordering::Relaxed);
        let mut waiting = self.api.waiting.subscribe();
        let has_extension = !self.registered().is_empty();
        let idle = |now: &Waiting| done <= now.runtime && (!has_extension || done <= now.extension);
        timeout(PATIENCE, waiting.wait_for(idle)).await.expect("in time").expect("the sender is ours");
    }

    /// Tells the instance to end, as Lambda does, and waits for that.
    pub(crate) async fn end(&self) {
        let mut child = self.child.lock().await;
        let id = child.id().expect("it runs").to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().await.expect("kill runs");
        assert!(told.success(), "process {id} could not be told");
        let ended = timeout(PATIENCE, child.wait()).await.expect("it ends in time").expect("waited for");
        assert!(ended.success(), "{ended}:\n{}", self.log());
    }

    /// What the extensions said when they registered.
    pub(crate) fn registered(&self) -> Vec<Value> {
        self.api.registered.borrow().clone()
    }

    /// The lines of standard error up to the first with `mark`.
    pub(crate) async fn log_with(&self, mark: &str) -> Vec<Value> {
        let written = async {
            while !self.log().contains(mark) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, written).await.expect("it is logged in time");
        self.log().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// What was written to standard error so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("nobody panics with it").clone()
    }
}

/// A program with what Lambda puts into its environment, and `environment`.
pub(crate) fn command(name: &str, environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program(name));
    command.env_clear().envs([
        ("AWS_LAMBDA_FUNCTION_NAME", name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
    ]);
    command.envs(environment.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

impl Api {
    fn new(extensions: Extensions) -> Self {
        let (queue, queued) = mpsc::unbounded_channel();
        Self {
            extensions,
            queue,
            queued: AsyncMutex::new(queued),
            answers: Mutex::default(),
            invocations: AtomicUsize::new(0),
            waiting: watch::Sender::default(),
            registered: watch::Sender::default(),
        }
    }

    fn hand_over(&self, event: Vec<u8>) -> oneshot::Receiver<Invoked> {
        let id = format!("invocation-{}", self.invocations.fetch_add(1, Ordering::Relaxed));
        let (answer, answered) = oneshot::channel();
        self.answers.lock().expect("nobody panics with it").insert(id.clone(), answer);
        self.queue.send(Invocation { id, event }).expect("the queue is ours");
        answered
    }

    fn settle(&self, id: &str, invoked: Invoked) -> StatusCode {
        match self.answers.lock().expect("nobody panics with it").remove(id) {
            Some(answer) => {
                let _ = answer.send(invoked);
                StatusCode::ACCEPTED
            }
            None => StatusCode::BAD_REQUEST,
        }
    }
}

fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(answered))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(failed))
        .route("/2020-01-01/extension/register", post(register))
        .route("/2020-01-01/extension/event/next", get(extension_next))
        .with_state(api)
}

async fn next(State(api): State<Arc<Api>>) -> Response<Body> {
    api.waiting.send_modify(|waiting| waiting.runtime += 1);
    let Some(Invocation { id, event }) = api.queued.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    api.waiting.send_modify(|waiting| waiting.told += 1);
    let arn = format!("arn:aws:lambda:{REGION}:000000000000:function:under-test");
    let response = Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", id)
        .header("lambda-runtime-trace-id", TRACE_ID)
        .header("lambda-runtime-deadline-ms", deadline_ms())
        .header("lambda-runtime-invoked-function-arn", arn);
    response.body(event.into()).expect("plain header values")
}

async fn answered(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    let answer = serde_json::from_slice(&body).expect("functions answer in JSON");
    api.settle(&id, Invoked::Answer(answer))
}

async fn failed(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    let failure = serde_json::from_slice(&body).expect("errors are told in JSON");
    api.settle(&id, Invoked::Failure(failure))
}

async fn register(State(api): State<Arc<Api>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    if api.extensions == Extensions::Absent {
        return StatusCode::NOT_FOUND.into_response();
    }
    let name = headers.get("lambda-extension-name").and_then(|name| name.to_str().ok()).unwrap_or_default();
    let asked: Value = serde_json::from_slice(&body).expect("a registration is JSON");
    api.registered.send_modify(|registered| registered.push(json!({"name": name, "events": asked["events"]})));
    let answer = json!({"functionName": "under-test", "functionVersion": "$LATEST", "handler": "bootstrap"});
    let response = Response::builder().header("lambda-extension-identifier", "9e5ac4a0-7f8f-4a5f-9b8e-1f7d3c2b1a00");
    response.body(answer.to_string().into()).expect("plain header values")
}

async fn extension_next(State(api): State<Arc<Api>>) -> Response<Body> {
    let mut waiting = api.waiting.subscribe();
    api.waiting.send_modify(|waiting| waiting.extension += 1);
    let number = waiting.borrow().extension;
    let told = waiting.wait_for(|waiting| number <= waiting.told).await.is_ok();
    assert!(told, "the sender lives in the state");
    let event = json!({
        "eventType": "INVOKE", "deadlineMs": deadline_ms(), "requestId": format!("invocation-{}", number - 1),
        "invokedFunctionArn": "", "tracing": {"type": "X-Amzn-Trace-Id", "value": ""},
    });
    Response::new(event.to_string().into())
}

fn deadline_ms() -> u64 {
    unix_millis(clock::now() + DEADLINE)
}
