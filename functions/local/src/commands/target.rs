//! Which stack a command acts on.

use std::{path::PathBuf, time::Duration};

use gatepost::{
    api_key::HashSecret,
    config::{self, Reader, Setting},
    io::{aws, key_register::KeyRegister, table::Table},
};

use super::CommandError;
use crate::{
    aws::clients::{self, Endpoints},
    running,
    settings::Settings,
};

/// One call to a local service.
pub(super) const CALL: Duration = Duration::from_secs(10);

/// The local stack, or the deployed one.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// The local stack to act on
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:3000")]
    url: String,
    /// Act on the deployed stack instead, with region and credentials as the AWS command line takes them; the names of the
    /// stack's outputs are in the environment or in --config
    #[arg(long, global = true, conflicts_with = "url")]
    pub(super) aws: bool,
    /// TOML file of settings: names and secret of the deployed stack
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Target {
    /// Settings that name this stack, in the order asked.
    ///
    /// # Errors
    /// All that are missing, together.
    pub(super) fn names<const N: usize>(&self, settings: [Setting; N]) -> Result<[String; N], CommandError> {
        let given = Settings::read(self.config.as_deref())?;
        let mut read = Reader::new(|name: &str| given.given(name, self.aws));
        let names = settings.map(|setting| read.required(setting));
        Ok(read.finish(names)?)
    }

    /// # Errors
    /// When no local stack answers.
    pub(super) async fn table(&self, name: String) -> Result<Table, CommandError> {
        let client = if self.aws {
            aws_sdk_dynamodb::Client::new(&aws::of_operator(aws::CALL).await)
        } else {
            clients::dynamodb(&self.endpoints().await?.dynamodb, CALL)
        };
        Ok(Table { client, name })
    }

    /// # Errors
    /// When a name is missing, or no local stack answers.
    pub(super) async fn key_register(&self) -> Result<KeyRegister, CommandError> {
        let [table, secret] = self.names([config::TABLE, config::AUTH_KEY_HASH_SECRET])?;
        Ok(KeyRegister { table: self.table(table).await?, secret: HashSecret::new(&secret) })
    }

    /// Of the local stack.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// # Errors
    /// When no local stack answers.
    pub(super) async fn endpoints(&self) -> Result<Endpoints, CommandError> {
        running::endpoints(&self.url).await
    }
}
