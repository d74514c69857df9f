//! Settings of the local binary: environment over configuration file over local defaults.

use std::{
    collections::{HashMap, HashSet},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use gatepost::{
    config::{ConfigError, variables_of},
    io::dns::NameServer as Dns,
};

/// What a stack on one machine needs and nobody has to say.
const LOCAL_DEFAULTS: &[(&str, &str)] = &[
    ("GATEPOST_ALERT_TOPIC", "arn:aws:sns:us-east-1:000000000000:gatepost-alerts"),
    // Guards nothing: the table is on loopback and holds the hash of a development key.
    ("GATEPOST_AUTH_KEY_HASH_SECRET", "local-development-only"),
    // A shared development machine stalls longer than Lambda does.
    ("GATEPOST_LIMITS_TIMEOUT_MS", "2000"),
];

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{}", path.display())]
    Toml { path: PathBuf, source: toml::de::Error },
    #[error("{}", path.display())]
    Unknown { path: PathBuf, source: ConfigError },
}

/// Where a setting's text comes from.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    variables: HashMap<String, String>,
    /// Names of what the file says, over the local defaults.
    from_file: HashSet<String>,
}

impl Settings {
    /// Reads the file, if there is one. The environment is asked for each setting when it is read.
    ///
    /// # Errors
    /// When the file cannot be read, is not TOML, or names a setting that does not exist.
    pub fn read(file: Option<&Path>) -> Result<Self, SettingsError> {
        let mut variables: HashMap<String, String> =
            LOCAL_DEFAULTS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let read = file.map(read_file).transpose()?.unwrap_or_default();
        let from_file = read.iter().map(|(name, _)| name.clone()).collect();
        variables.extend(read);
        Ok(Self { variables, from_file })
    }

    /// The text of one setting for a command that acts on a stack: what names the deployed one has to be said, as its
    /// defaults are those of the local stack, and acting on another by mistake would be worse than asking.
    #[must_use]
    pub fn given(&self, name: &str, is_deployed: bool) -> Option<String> {
        if is_deployed { Some(self.said(name).unwrap_or_default()) } else { self.variable(name) }
    }

    /// The text of one setting, `None` for the built-in default.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a process has to read its environment somewhere")]
    pub fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().or_else(|| self.variables.get(name).cloned())
    }

    /// What somebody said, in the environment or the file.
    #[expect(clippy::disallowed_methods, reason = "a process has to read its environment somewhere")]
    fn said(&self, name: &str) -> Option<String> {
        let in_file = || self.variables.get(name).filter(|_| self.from_file.contains(name)).cloned();
        std::env::var(name).ok().or_else(in_file)
    }
}

fn read_file(path: &Path) -> Result<Vec<(String, String)>, SettingsError> {
    let at = || path.to_owned();
    let text = std::fs::read_to_string(path).map_err(|source| SettingsError::File { path: at(), source })?;
    let value = toml::from_str(&text).map_err(|source| SettingsError::Toml { path: at(), source })?;
    variables_of(&value).map_err(|source| SettingsError::Unknown { path: at(), source })
}

/// `--dns`: `system`, or the address of a name server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsArgument {
    /// The example names from data, everything else from the system.
    System,
    /// This server answers everything.
    At(SocketAddr),
}

impl std::str::FromStr for DnsArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "system" {
            return Ok(Self::System);
        }
        text.parse().map(Self::At).map_err(|_| "expected `system` or ADDR:PORT".to_owned())
    }
}

/// A resolver configuration, and the server behind it for as long as it is needed.
#[derive(Debug)]
pub struct Resolution {
    pub server: Dns,
    _local: Option<crate::name_server::NameServer>,
}

impl Resolution {
    /// With `system`, starts a name server that knows the names of the examples and forwards the rest.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(argument: DnsArgument) -> io::Result<Self> {
        if let DnsArgument::At(address) = argument {
            return Ok(Self { server: Dns::At(address), _local: None });
        }
        let zone = include_str!("../../../events/dns.zone");
        let local = crate::name_server::NameServer::start(zone, crate::name_server::RESERVED).await?;
        Ok(Self { server: Dns::At(local.address()), _local: Some(local) })
    }
}
