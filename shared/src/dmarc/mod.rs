//! DMARC (RFC 9989): does the author domain stand behind this message, and what does it ask for when it does not?
//!
//! [`evaluate`] is the entry point. It asks DNS through the same closure as SPF and is otherwise pure:
//!
//! | file | what |
//! |---|---|
//! | `record` | the grammar of a record (§4.7, §4.8) |
//! | `policy` | what a record asks for at a domain: `p`, `sp`, `np`, `t` (§4.7, §4.10.1) |
//! | `tree_walk` | which records there are from a domain upwards, and the organizational domain (§4.10) |
//! | `identifier` | what SPF and DKIM authenticated (§4.4) |
//! | `evaluate` | policy discovery, alignment and the result (§4.10.1, §4.10.2, §5.3) |

mod evaluate;
mod identifier;
mod policy;
mod record;
mod tree_walk;

pub use evaluate::evaluate;
pub use identifier::MAX_DKIM_IDENTIFIERS;
pub use policy::{Assessment, Mode};
pub(crate) use record::tags;
pub use record::{Alignment, MAX_RECORD_OCTETS, Psd, Record, RecordError, is_dmarc};
pub use tree_walk::MAX_WALK_QUERIES;
pub(crate) use tree_walk::{organizational_domain, targets};
