//! All functions and all services in one process.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use gatepost::{
    api_key::{ApiKey, HashSecret, hex},
    bucket::Bucket,
    io::{
        alerts::Outbox,
        authentication::Authenticator,
        client_rows::Grant,
        contacts::Contacts,
        counters::{self, MailCounters},
        dns::Dns,
        functions::Function,
        key_register::KeyRegister,
        ledger::Ledger,
        messages::Messages,
        scan_progress,
        series_state::Models,
        table::Table,
    },
};
use gatepost_anomaly_scan::{ScanConfig, Scanner};
use gatepost_inspect_attachment::Inspector;
use gatepost_validate::{Gate, GateConfig, Services as GateServices};
use gatepost_verify_inbound::{Verifier, VerifierConfig, judge::Judge};

use crate::{
    aws::{
        calls::Calls,
        clients::{self, Clients, Endpoints},
        dynamodb::{self, DynamoDb},
        lambda::{Lambda, Outcome},
        s3::ObjectStore,
        sns::Sns,
    },
    clock,
    commands::{CommandError, JUDGE_STDIN},
    counters_file::History,
    page::{Limit, limits},
    settings::{DnsArgument, Resolution, Settings},
};

/// SDK calls of everything but the rate limit and invocations.
const CALL: Duration = Duration::from_secs(10);

/// SES waits this long for the function of a rule.
const VERIFY_WITHIN: Duration = Duration::from_secs(30);

/// The inspector's timeout in the template.
const INSPECT_WITHIN: Duration = Duration::from_secs(15);

/// How often counters are flushed and the domain data is looked after, as Lambda does after an answer.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// What to start.
#[derive(Debug, Clone)]
pub struct StackOptions {
    pub dns: DnsArgument,
    /// Where everything is kept; in memory when absent.
    pub data: Option<PathBuf>,
    pub config: Option<PathBuf>,
    /// Another process's table.
    pub dynamodb_endpoint: Option<String>,
    /// Traffic history to begin with.
    pub counters: Vec<PathBuf>,
}

/// A running stack. Everything stops when it is dropped.
pub struct Stack {
    pub gate: Arc<Gate>,
    pub verifier: Verifier,
    pub scanner: Scanner,
    pub sns: Sns,
    /// The development key, to be shown once.
    pub api_key: String,
    pub endpoints: Endpoints,
    /// Of DynamoDB, by everything in this stack.
    pub calls: Calls,
    /// What holds here, for the page.
    pub limits: Vec<Limit>,
    _services: Services,
}

struct Services {
    _dynamodb: Option<DynamoDb>,
    _objects: ObjectStore,
    _lambda: Lambda,
    _resolution: Resolution,
}

impl Stack {
    /// # Errors
    /// When a port, a folder or a setting cannot be used.
    pub async fn start(options: &StackOptions) -> Result<Self, CommandError> {
        let settings = Settings::read(options.config.as_deref())?;
        let variable = |name: &str| settings.variable(name);
        let (gate_config, verifier_config) = (GateConfig::read(variable)?, VerifierConfig::read(variable)?);
        let scan_config = ScanConfig::read(variable)?;
        let shown = limits(gate_config.quota, gate_config.client_ip_quota, variable);
        let data = options.data.as_deref();
        let resolution = Resolution::start(options.dns).await?;
        let (own_dynamodb, dynamodb) = table_endpoint(options).await?;
        let (objects, sns, lambda) = (ObjectStore::start(data).await?, Sns::start(data).await?, Lambda::start().await?);
        let endpoints = Endpoints { dynamodb, s3: objects.url(), sns: sns.url(), lambda: lambda.url() };
        let (calls, mut clients) = (Calls::default(), Clients::new(&endpoints, CALL));
        clients.dynamodb = calls.counting(&clients.dynamodb);
        let table = Table { client: clients.dynamodb.clone(), name: dynamodb::TABLE.to_owned() };
        let api_key = development_key(data, &table, &gate_config.key_hash_secret).await?;
        begin_counting(options, &table, api_key.id()).await?;
        let permits = calls.counting(&clients::dynamodb(&endpoints.dynamodb, gate_config.limits_timeout));
        let gate = Arc::new(gate(&gate_config, permits, &clients, &table, &resolution)?);
        gate.refresh(clock::now()).await;
        let verifier = verifier(verifier_config, &clients, &endpoints, &table, &resolution)?;
        register(&lambda, &verifier, &clients)?;
        let scanner = scanner(scan_config, &clients, &endpoints, &table);
        tokio::spawn(flush_now_and_then(Arc::downgrade(&gate)));
        tokio::spawn(refresh_now_and_then(Arc::downgrade(&gate)));
        tokio::spawn(refresh_issuers_now_and_then(Arc::downgrade(&gate)));
        let services =
            Services { _dynamodb: own_dynamodb, _objects: objects, _lambda: lambda, _resolution: resolution };
        let api_key = api_key.reveal();
        Ok(Self { gate, verifier, scanner, sns, api_key, endpoints, calls, limits: shown, _services: services })
    }
}

async fn table_endpoint(options: &StackOptions) -> Result<(Option<DynamoDb>, String), CommandError> {
    if let Some(url) = &options.dynamodb_endpoint {
        dynamodb::create_table(&clients::dynamodb(url, CALL)).await?;
        return Ok((None, url.clone()));
    }
    let own = DynamoDb::start(options.data.as_deref()).await?;
    let url = own.url();
    Ok((Some(own), url))
}

/// The same key after a restart with the same data; a new one otherwise.
async fn development_key(data: Option<&Path>, table: &Table, hash_secret: &str) -> Result<ApiKey, CommandError> {
    let file = data.map(|folder| folder.join("api-key"));
    let kept = file.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
    let api_key = match kept.as_deref().and_then(|text| ApiKey::parse(text.trim())) {
        Some(api_key) => api_key,
        None => ApiKey::from_entropy(random()?),
    };
    if let Some(path) = file {
        std::fs::write(path, api_key.reveal())?;
    }
    let register = KeyRegister { table: table.clone(), secret: HashSecret::new(hash_secret) };
    let grant = Grant { name: Some("local development".to_owned()), ..Grant::default() };
    register.create(&api_key, &grant, clock::now()).await?;
    Ok(api_key)
}

/// Writes the history, and from when on silence means silence. A table that others count in keeps its watermark.
async fn begin_counting(options: &StackOptions, table: &Table, client: &str) -> Result<(), CommandError> {
    let current = Bucket::of(clock::now());
    let mut earliest = current;
    for file in &options.counters {
        let history = History::read(file, client)?;
        earliest = history.buckets.iter().map(|(bucket, _)| *bucket).chain([earliest]).min().unwrap_or(current);
        counters::preload(table, &history.series, &history.buckets).await?;
    }
    let found = scan_progress::read(table).await?;
    if found.is_none() || options.dynamodb_endpoint.is_none() {
        let next = found.map_or(earliest, |progress| progress.earliest().min(earliest));
        scan_progress::reset(table, next, current).await?;
    }
    Ok(())
}

fn gate(
    config: &GateConfig,
    limits: aws_sdk_dynamodb::Client,
    clients: &Clients,
    table: &Table,
    resolution: &Resolution,
) -> Result<Gate, CommandError> {
    let limits = Table { client: limits, name: table.name.clone() };
    let dns = Dns::new(resolution.server, config.dns_timeout)?;
    let services = GateServices { table: table.clone(), limits, dns, s3: clients.s3.clone() };
    Ok(Gate::new(config, services, hex(&random::<8>()?)))
}

fn verifier(
    config: VerifierConfig,
    clients: &Clients,
    endpoints: &Endpoints,
    table: &Table,
    resolution: &Resolution,
) -> Result<Verifier, CommandError> {
    let authenticator = Authenticator::new(resolution.server, config.dns_timeout)?;
    Ok(Verifier {
        judge: Judge { authenticator, policy: config.policy, contacts: Some(Arc::new(Contacts::new(table.clone()))) },
        deadline: config.deadline,
        counters: Arc::new(MailCounters::new(table.name.clone(), &hex(&random::<8>()?))),
        messages: Messages { client: clients.s3.clone(), bucket: config.bucket },
        ledger: Ledger { table: table.clone() },
        inspector: Function { client: clients::lambda(&endpoints.lambda, INSPECT_WITHIN), name: config.inspector },
        function: "verify-inbound".to_owned(),
        defer_for: config.defer_for,
    })
}

fn scanner(config: ScanConfig, clients: &Clients, endpoints: &Endpoints, table: &Table) -> Scanner {
    Scanner {
        models: Models { table: table.clone() },
        outbox: Outbox { table: table.clone(), sns: clients.sns.clone(), topic: config.alert_topic },
        messages: Messages { client: clients.s3.clone(), bucket: config.bucket },
        ledger: Ledger { table: table.clone() },
        verifier: Function { client: clients::lambda(&endpoints.lambda, VERIFY_WITHIN), name: config.verifier },
        clocks: config.clocks,
    }
}

/// The functions that are invoked by others.
fn register(lambda: &Lambda, verifier: &Verifier, clients: &Clients) -> Result<(), CommandError> {
    let inspector = Inspector {
        s3: clients.s3.clone(),
        child_program: std::env::current_exe()?,
        child_argument: JUDGE_STDIN.to_owned(),
        bucket: verifier.messages.bucket.clone(),
    };
    lambda.register(&verifier.inspector.name, INSPECT_WITHIN, move |payload| inspect(inspector.clone(), payload));
    let verifier = verifier.clone();
    lambda.register(&verifier.function.clone(), VERIFY_WITHIN, move |payload| verify(verifier.clone(), payload));
    Ok(())
}

async fn inspect(inspector: Inspector, payload: Vec<u8>) -> Outcome {
    let request = serde_json::from_slice(&payload)?;
    Ok(serde_json::to_vec(&gatepost_inspect_attachment::handle(&inspector, request).await)?)
}

async fn verify(verifier: Verifier, payload: Vec<u8>) -> Outcome {
    let event = serde_json::from_slice(&payload)?;
    Ok(serde_json::to_vec(&gatepost_verify_inbound::handle(&verifier, event, clock::now()).await)?)
}

/// Apart from the counters: neither waits for the other, and whatever ends the one leaves the other.
async fn refresh_now_and_then(gate: std::sync::Weak<Gate>) {
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        let Some(gate) = gate.upgrade() else { return };
        gate.refresh(clock::now()).await;
    }
}

async fn flush_now_and_then(gate: std::sync::Weak<Gate>) {
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        let Some(gate) = gate.upgrade() else { return };
        if let Err(error) = gate.counters().flush(Bucket::of(clock::now())).await {
            tracing::warn!(
                cause = gatepost::io::telemetry::with_causes(&error),
                "counters were not written; they go out with the next flush"
            );
        }
    }
}

/// A task of its own: an issuer that hangs holds up nothing else, the start included.
async fn refresh_issuers_now_and_then(gate: std::sync::Weak<Gate>) {
    while let Some(gate) = gate.upgrade() {
        gate.refresh_issuers(clock::now()).await;
        drop(gate);
        tokio::time::sleep(FLUSH_EVERY).await;
    }
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).map_err(io::Error::other)?;
    Ok(octets)
}
