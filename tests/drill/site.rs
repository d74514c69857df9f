//! What is drilled: the programs that are deployed, the services of a stack, and a way to each service that can fail.

use std::{
    fs::File,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize},
    },
    time::{Duration, SystemTime},
};

use gatepost::{
    activity::Tally,
    api_key::ApiKey,
    bucket::Bucket,
    io::{
        alerts::Outbox, counters::preload, functions::Function, ledger::Ledger, messages::Messages, scan_progress,
        series_state::Models, table::Table,
    },
    local_time::Clocks,
};
use gatepost_anomaly_scan::{ScanError, Scanned, Scanner};
use gatepost_local::{
    aws::{
        clients::{self, Clients, Endpoints},
        dynamodb::TABLE,
        lambda::Lambda,
        s3::BUCKET,
    },
    clock,
    name_server::NameServer,
};
use gatepost_verify_inbound::{Verifier, VerifierConfig};
use serde_json::Value;

use super::{
    fleet::{Deployed, Fleet},
    name_server::NameServerProxy,
};
use crate::{
    inbound_faults::verifier,
    proxy::Proxy,
    runtime_api::Extensions,
    stack::{Stack, root, scratch_file},
    table,
};

/// What the functions give one call of AWS (`gatepost::io::aws`).
const CALL: Duration = Duration::from_secs(4);

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:gatepost-alerts";

/// As in the template, but for the numbers of instances.
const VALIDATE: Deployed = Deployed {
    program: "validate",
    timeout: Duration::from_secs(10),
    memory_mb: 256,
    extensions: Extensions::Served,
    concurrency: 3,
};
const VERIFY: Deployed = Deployed {
    program: "verify-inbound",
    timeout: Duration::from_secs(30),
    memory_mb: 1024,
    extensions: Extensions::Absent,
    concurrency: 8,
};
/// More than those who invoke them, so that none is throttled but by a fault.
const INSPECT: Deployed = Deployed {
    program: "inspect-attachment",
    timeout: Duration::from_secs(14),
    memory_mb: 1024,
    extensions: Extensions::Absent,
    concurrency: 16,
};
const SCAN: Deployed = Deployed {
    program: "anomaly-scan",
    timeout: Duration::from_secs(120),
    memory_mb: 512,
    extensions: Extensions::Absent,
    concurrency: 1,
};

/// Floods that are in the counters when the drill begins: so many, so many buckets apart, the last of them two hours ago. An
/// incident is closed an hour after its flood, and those that begin within a quarter of an hour would be one.
pub(crate) const FLOODS: u32 = 6;
const APART: u32 = 18;
const FLOW_OF_FLOODS: [&str; 3] = ["signup", "login", "newsletter"];

/// Everything, running.
pub(crate) struct Site {
    pub(crate) stack: Stack,
    pub(crate) table: Proxy,
    pub(crate) bucket: Proxy,
    pub(crate) topic: Proxy,
    pub(crate) invocations: Proxy,
    pub(crate) dns: NameServerProxy,
    pub(crate) validate: Arc<Fleet>,
    pub(crate) verify: Arc<Fleet>,
    pub(crate) inspect: Arc<Fleet>,
    pub(crate) scan: Arc<Fleet>,
    /// verify-inbound in this process, for events that meet a wrong clock: a program reads its own.
    pub(crate) elsewhen: Verifier,
    /// The same of anomaly-scan.
    pub(crate) scanner: Scanner,
    /// The bucket of the first flood.
    pub(crate) first_flood: Bucket,
    pub(crate) client: String,
    pub(crate) log: PathBuf,
    /// The bucket without the way to it.
    pub(crate) objects: aws_sdk_s3::Client,
    /// By how much clocks are wrong at the moment, in seconds.
    pub(crate) clock_off_s: AtomicI64,
    pub(crate) children_killed: AtomicUsize,
    _services: (Lambda, NameServer),
}

impl Site {
    /// `name` is unique among all drills that may run at the same time.
    pub(crate) async fn open(name: &str) -> Self {
        let log = scratch_file(&format!("{name}.log"), "");
        let file = File::options().append(true).open(&log).expect("the log can be written");
        let stack = Stack::start_logging(&[], &[], file.into()).await;
        let (lambda, name_server) = (Lambda::start().await.expect("a free port"), forgetful_name_server().await);
        let (table, bucket) = (Proxy::start(&stack.dynamodb).await, Proxy::start(&stack.s3).await);
        let (topic, invocations) = (Proxy::start(&stack.sns).await, Proxy::start(&lambda.url()).await);
        let dns = NameServerProxy::start(name_server.address()).await;
        let endpoints =
            Endpoints { dynamodb: table.url(), s3: bucket.url(), sns: topic.url(), lambda: invocations.url() };
        let environment = environment(&endpoints, &dns);
        let fleet = |deployed| Fleet::new(deployed, &environment);
        let (validate, verify, inspect, scan) = (fleet(VALIDATE), fleet(VERIFY), fleet(INSPECT), fleet(SCAN));
        verify.register(&lambda);
        inspect.register(&lambda);
        let clients =
            Clients { lambda: clients::lambda(&endpoints.lambda, VERIFY.timeout), ..Clients::new(&endpoints, CALL) };
        let client = ApiKey::parse(&stack.api_key).expect("the development key").id().to_owned();
        let first_flood = Bucket::of(clock::now()).minus(24 + (FLOODS - 1) * APART);
        count_floods(&table::client(&stack.dynamodb), first_flood).await;
        Self {
            elsewhen: verifier(configured(&environment), dns.address(), &clients),
            scanner: scanner(&clients),
            objects: clients::s3(&stack.s3, SCAN.timeout),
            clock_off_s: AtomicI64::new(0),
            children_killed: AtomicUsize::new(0),
            _services: (lambda, name_server),
            stack,
            table,
            bucket,
            topic,
            invocations,
            dns,
            validate,
            verify,
            inspect,
            scan,
            first_flood,
            client,
            log,
        }
    }

    pub(crate) fn fleets(&self) -> [&Fleet; 4] {
        [&self.validate, &self.verify, &self.inspect, &self.scan]
    }

    /// What the schedule does, by another clock than that of this machine.
    pub(crate) async fn scan_at(&self, now: SystemTime) -> Result<Scanned, ScanError> {
        gatepost_anomaly_scan::handle(&self.scanner, now, Duration::ZERO).await
    }
}

/// The series of each flood.
pub(crate) fn flooded() -> Vec<String> {
    (0..)
        .zip(FLOW_OF_FLOODS.iter().cycle())
        .take(FLOODS as usize)
        .map(|(n, flow)| format!("{flow}/drill-{n}"))
        .collect()
}

async fn count_floods(table: &Table, first: Bucket) {
    let tally = Tally::from([("total".to_owned(), 900), ("accept".to_owned(), 900)]);
    for (number, series) in (0..).zip(flooded()) {
        preload(table, &series, &[(first.plus(number * APART), tally.clone())]).await.expect("written");
    }
    scan_progress::reset(table, first, first).await.expect("written");
}

/// With the names of the examples, which nobody may remember: what is remembered meets no fault.
async fn forgetful_name_server() -> NameServer {
    let zone = std::fs::read_to_string(root().join("events/dns.zone")).expect("the zone of the examples");
    NameServer::start(&zone.replace(" 300 IN ", " 0 IN "), &[]).await.expect("a port is free")
}

fn environment(endpoints: &Endpoints, dns: &NameServerProxy) -> Vec<(String, String)> {
    let dns = dns.address().to_string();
    let settings = [
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoints.dynamodb.as_str()),
        ("AWS_ENDPOINT_URL_S3", &endpoints.s3),
        ("AWS_ENDPOINT_URL_SNS", &endpoints.sns),
        ("AWS_ENDPOINT_URL_LAMBDA", &endpoints.lambda),
        ("GATEPOST_ALERT_TOPIC", TOPIC),
        ("GATEPOST_AUTH_KEY_HASH_SECRET", "local-development-only"),
        ("GATEPOST_DNS_SERVER", &dns),
        ("GATEPOST_DNS_TIMEOUT_MS", "400"),
        ("GATEPOST_TRUSTED_ARC_SEALERS", "lists.example"),
        // Nobody is over the quota but by what is left of it while the table fails.
        ("GATEPOST_LIMITS_REQUESTS_PER_MINUTE", "12000"),
        ("GATEPOST_LIMITS_BURST", "4000"),
        ("GATEPOST_LIMITS_FAILURES_PER_MINUTE", "100000"),
        ("GATEPOST_LIMITS_TIMEOUT_MS", "500"),
    ];
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

fn configured(environment: &[(String, String)]) -> VerifierConfig {
    let variable = |name: &str| Some(environment.iter().find(|(known, _)| known == name)?.1.clone());
    VerifierConfig::read(variable).expect("a configuration")
}

fn scanner(clients: &Clients) -> Scanner {
    let table = Table { client: clients.dynamodb.clone(), name: TABLE.to_owned() };
    Scanner {
        models: Models { table: table.clone() },
        outbox: Outbox { table: table.clone(), sns: clients.sns.clone(), topic: TOPIC.to_owned() },
        messages: Messages { client: clients.s3.clone(), bucket: BUCKET.to_owned() },
        ledger: Ledger { table },
        verifier: Function { client: clients.lambda.clone(), name: "verify-inbound".to_owned() },
        clocks: Clocks::default(),
    }
}

/// What an alert says to machines.
pub(crate) fn told(published: &Value) -> Value {
    let message: Value = serde_json::from_str(published["Message"].as_str().expect("text")).expect("JSON");
    serde_json::from_str(message["default"].as_str().expect("text")).expect("JSON in JSON")
}
