//! `gatepost incident`

use std::{io::Write, path::PathBuf, process::Command};

use gatepost::{
    alert::PAGES,
    config,
    io::{aws, messages::Messages},
};

use super::{
    CommandError,
    target::{CALL, Target},
};
use crate::aws::clients;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// The `page_key` of an alert
    key: String,
    /// Write the page to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show the page in the browser; it is written to --output, or to a file of the system's folder for such
    #[arg(long)]
    open: bool,
}

pub(super) async fn run(args: Args) -> Result<(), CommandError> {
    let name = args.key.strip_prefix(PAGES).and_then(|name| name.strip_suffix(".html")).filter(|name| is_plain(name));
    let name = name.ok_or("that is no key of an incident page")?;
    let page = pages(&args.target).await?.fetch_key(&args.key).await?;
    let file = args.output.or_else(|| args.open.then(|| std::env::temp_dir().join(format!("{name}.html"))));
    let Some(file) = file else { return Ok(std::io::stdout().lock().write_all(&page)?) };
    std::fs::write(&file, page)?;
    if args.open {
        let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let status = Command::new(opener).arg(&file).status()?;
        return if status.success() {
            Ok(())
        } else {
            Err(format!("{opener} could not show {}", file.display()).into())
        };
    }
    Ok(())
}

/// It becomes a file name.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
}

async fn pages(target: &Target) -> Result<Messages, CommandError> {
    let [bucket] = target.names([config::BUCKET])?;
    let client = if target.aws {
        aws_sdk_s3::Client::new(&aws::configuration(aws::CALL).await)
    } else {
        clients::s3(&target.endpoints().await?.s3, CALL)
    };
    Ok(Messages { client, bucket })
}
