//! What the judging process gives up before it reads the first octet of a message.

#[cfg(target_os = "linux")]
mod fences;

use std::{fs::File, io, net::SocketAddr, net::TcpStream, path::PathBuf, process::Command, str::FromStr};

use gatepost::inspection::Isolation;

/// Address space of the judging process, in bytes. Of a message of 45 MB it needs about half.
pub const MAX_MEMORY: u64 = 384 << 20;

/// Processor time of the judging process, in seconds.
pub const MAX_PROCESSOR_SECONDS: u64 = 5;

/// The longest answer that the process may give, in bytes. An honest one has at most 100 findings.
pub const MAX_ANSWER: u64 = 1_000_000;

/// Puts up every fence that this kernel has, for the rest of the life of this process. What could not be had is told, and the
/// message is judged all the same: the process has neither credentials nor an environment.
#[must_use]
pub fn confine() -> Isolation {
    #[cfg(target_os = "linux")]
    return Isolation {
        child_process: false,
        landlock: fences::landlock(),
        resource_limits: fences::resource_limits(),
        seccomp: fences::seccomp(),
    };
    #[cfg(not(target_os = "linux"))]
    Isolation::default()
}

/// What the judging process must not be able to do. Whoever doubts it can try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    Connect(SocketAddr),
    Write(PathBuf),
    Read(PathBuf),
    Run(PathBuf),
    /// Takes so many bytes of memory.
    Allocate(usize),
}

/// A text is no act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of connect:ADDR, write:PATH, read:PATH, run:PATH and allocate:BYTES")]
pub struct NoAct(String);

impl Act {
    /// # Errors
    /// When `text` names no act.
    pub fn parse(text: &str) -> Result<Self, NoAct> {
        let none = || NoAct(text.to_owned());
        match text.split_once(':').ok_or_else(none)? {
            ("connect", address) => SocketAddr::from_str(address).map(Self::Connect).map_err(|_| none()),
            ("write", path) => Ok(Self::Write(path.into())),
            ("read", path) => Ok(Self::Read(path.into())),
            ("run", path) => Ok(Self::Run(path.into())),
            ("allocate", bytes) => bytes.parse().map(Self::Allocate).map_err(|_| none()),
            _ => Err(none()),
        }
    }

    /// # Errors
    /// What kept it from happening, if it only was refused.
    pub fn attempt(&self) -> io::Result<()> {
        match self {
            Self::Connect(address) => TcpStream::connect(address).map(drop),
            Self::Write(path) => File::create(path).map(drop),
            Self::Read(path) => File::open(path).map(drop),
            Self::Run(path) => Command::new(path).status().map(drop),
            Self::Allocate(bytes) => {
                Vec::<u8>::new().try_reserve_exact(*bytes).map_err(|_| io::ErrorKind::OutOfMemory.into())
            }
        }
    }
}
