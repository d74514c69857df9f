//! Documents of Office, old and new.

pub(crate) mod binary;
pub(crate) mod compound;
pub(crate) mod flat;
pub(crate) mod macros;
pub(crate) mod open;
pub(crate) mod package;
pub(crate) mod rtf;
