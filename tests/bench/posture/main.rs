//! Serves a zone to both peers of a comparison: prints the address, and ends with its standard input.

use std::{error::Error, io::Read};

use gatepost_local::name_server::NameServer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: posture ZONE")?;
    let server = NameServer::start(&std::fs::read_to_string(path)?, &[]).await?;
    println!("{}", server.address());
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}
