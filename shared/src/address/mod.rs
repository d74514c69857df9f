//! Addresses: parsed once, at the edge, by RFC 5321, RFC 5322 and RFC 6531; judged for sign-up on top of that.
//!
//! [`examine`] is the entry point for text from outside. The types below it cannot hold what the RFCs forbid.

mod domain;
mod eai;
mod examination;
mod injection;
mod keyboard;
mod literal;
mod local_part;
mod mailbox;
mod policy;
mod provider;
mod role;
mod script;
mod typo;

pub use domain::{Domain, DomainError};
pub use examination::{Examination, MAX_INPUT_OCTETS, examine};
pub(crate) use keyboard::slip_cost;
pub use literal::{LiteralError, parse_literal};
pub use local_part::{LocalPart, LocalPartError};
pub use mailbox::{Mailbox, MailboxError};
pub use role::is_role;
pub use typo::{squatted_provider, suggest_domain};
