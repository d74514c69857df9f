//! `gatepost serve`

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use gatepost::io::telemetry;
use tokio::net::TcpListener;

use super::CommandError;
use crate::{
    front,
    settings::DnsArgument,
    stack::{Stack, StackOptions},
};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Port on 127.0.0.1; 0 picks one
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// `system`, or ADDR:PORT of a name server
    #[arg(long, default_value = "system")]
    dns: DnsArgument,
    /// Keep table, messages and alerts in this folder; in memory without it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// TOML file of settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Use the table of another process
    #[arg(long, value_name = "URL")]
    dynamodb_endpoint: Option<String>,
    /// Traffic history (`ts,total,..`) to begin with; may be repeated
    #[arg(long, value_name = "CSV")]
    counters: Vec<PathBuf>,
}

#[expect(clippy::disallowed_methods, reason = "a process has to read its environment somewhere")]
pub(super) async fn run(args: Args) -> Result<(), CommandError> {
    telemetry::start(|name| std::env::var(name).ok(), std::time::SystemTime::now);
    if let Some(folder) = &args.data {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let listener = TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}"))?;
    let address = listener.local_addr()?;
    let stack = Stack::start(&options(args)).await?;
    announce(address, &stack)?;
    Ok(axum::serve(listener, front::router(Arc::new(stack), address)).await?)
}

fn options(args: Args) -> StackOptions {
    let Args { dns, data, config, dynamodb_endpoint, counters, .. } = args;
    StackOptions { dns, data, config, dynamodb_endpoint, counters }
}

fn announce(address: SocketAddr, stack: &Stack) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{address}")?;
    writeln!(out, "api key: {}", stack.api_key)?;
    writeln!(out, "dynamodb: {}", stack.endpoints.dynamodb)?;
    writeln!(out, "s3: {}", stack.endpoints.s3)?;
    writeln!(out, "sns: {}", stack.endpoints.sns)?;
    out.flush()
}
