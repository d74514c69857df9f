//! ARC (RFC 8617): what did those see who had the message before us?
//!
//! | file | what |
//! |---|---|
//! | `fields` | the shape of the sets (§4.1): what makes a chain fail before anything is verified |
//! | `chain` | validation (§5.2) |
//! | `fault` | why a chain fails |

mod chain;
mod fault;
mod fields;

pub use chain::Chain;
pub use fault::{ArcFault, ArcField};
